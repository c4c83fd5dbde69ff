//! `simile config`: every setting with its default, commented, ready to be a settings file.

use super::{CliError, output};
use crate::config;

pub fn run() -> Result<u8, CliError> {
    output::line(format_args!("{}", config::DEFAULTS.trim_end()));
    Ok(0)
}
