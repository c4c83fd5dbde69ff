//! `simile backup`: also while a server holds the data folder.

use std::path::PathBuf;

use super::{CliError, Global, exit, output};
use crate::library;

/// Copy the data folder into another folder, also while a server runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile backup /mnt/disk/simile
  simile backup /mnt/disk/simile --data /srv/simile --json
  simile backup /mnt/disk/simile --no-models

The folder is new, empty, or an older backup: then only what is new is copied. It lies outside the
data folder. Photos of indexed folders are not copied; photos that were uploaded are, and so are the
encoders in the data folder. If a file of the data folder is damaged the rest is copied and the exit
code is 3.")]
pub struct Args {
    /// Where to
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// Leave the encoders out: what is restored gets them again by itself, which needs the network
    #[arg(long)]
    no_models: bool,
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let report = library::backup(&global.config()?.data, &args.to, !args.no_models)?;
    for line in &report.damaged {
        tell!("damaged {}", output::plain(line));
    }
    if global.json {
        output::json(&report);
    } else {
        say!(
            "{} files, {:.1} MB; of these copied now: {} files, {:.1} MB",
            report.files,
            report.bytes as f64 / 1e6,
            report.copied,
            report.bytes_copied as f64 / 1e6
        );
    }
    Ok(if report.damaged.is_empty() { 0 } else { exit::REJECTS })
}
