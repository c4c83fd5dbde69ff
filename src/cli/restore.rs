//! `simile restore`: a backup becomes a data folder.

use std::path::PathBuf;

use super::{CliError, Global, output};
use crate::store;

/// Bring a backup back as the data folder, which must be absent or empty.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  simile restore /mnt/disk/simile --data ~/restored")]
pub struct Args {
    /// The folder that `simile backup` filled
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let data = global.config()?.data;
    let report = store::restore(&args.from, &data)?;
    if global.json {
        output::json(&report);
    } else {
        say!(
            "{} holds {} files, {:.1} MB, as they were at {}",
            output::plain(&data.display().to_string()),
            report.files,
            report.bytes as f64 / 1e6,
            output::plain(&report.made)
        );
    }
    Ok(0)
}
