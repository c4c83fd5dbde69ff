//! `simile augment`: a folder of photos becomes a folder of their variations, the same for the same seed.

use std::path::PathBuf;

use super::progress::Bar;
use super::{CliError, Global, exit, output};
use crate::library::{Phase, Tracker};
use crate::photo::augment_folder;

/// Make varied copies of photos.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each copy is a crop of 60 to 100 % of the area, perhaps flipped, turned by up to 15 degrees, with brightness, contrast \
and saturation changed by up to 40 %, blurred, with noise, as a JPEG of quality 50 to 95.

Example:
  simile augment trucks/ --copies 100 --seed 7 --out trucks-augmented/")]
pub struct Args {
    /// A folder of photos
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Copies of each photo
    #[arg(long, default_value_t = 100, value_name = "N")]
    copies: u32,
    /// The same seed makes the same copies
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    /// Where the copies go, named <stem>_<n>.jpg
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let tracker = Tracker::default();
    tracker.begin(Phase::Indexing, 0);
    let bar = Bar::start(&tracker, !global.json);
    let told = |done, total| tracker.set(done, total);
    let report = bar.watch(|| augment_folder(&args.folder, args.copies, args.seed, &args.out, &told))?;
    drop(bar);
    if global.json {
        output::json(&report);
    } else {
        report.rejected.iter().for_each(|reject| output::reject(&reject.path, &reject.reason, reject.code));
        say!(
            "{} copies of {} photos, {} skipped, {} rejected",
            report.written,
            report.photos,
            report.skipped,
            report.rejected.len()
        );
    }
    Ok(if report.rejected.is_empty() { 0 } else { exit::REJECTS })
}
