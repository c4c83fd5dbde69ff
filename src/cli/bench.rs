//! `simile bench`: the figures of `docs/benchmarks.md`, on this machine.

mod encoders;
mod limits;
mod startup;

use std::path::PathBuf;

use super::{CliError, Global, exit, output};
use crate::eval::keep;
use crate::eval::speed::{self, Figures, Plan};
use crate::search::Timings;

/// Measure imports, questions, scans, start-up and memory on this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile bench --photos samples/photos --faq samples/faq-en.csv
  simile bench --keep --items 100000")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Photos to index and to ask with
    #[arg(long, default_value = "samples/photos", value_name = "FOLDER")]
    photos: PathBuf,
    /// An FAQ to index and to ask
    #[arg(long, default_value = "samples/faq-en.csv", value_name = "FILE")]
    faq: PathBuf,
    /// Items for the scan and the start-up
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    items: usize,
    /// Questions of each kind; medians are told
    #[arg(long, default_value_t = 15, value_name = "N")]
    rounds: usize,
    /// Measure backup, restore and the deep check instead
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How long one encoder takes
    Encoders(encoders::Args),
    /// What this machine can do at most
    Limits(limits::Args),
    /// How soon a server answers after its start, and the memory that it holds
    Startup(startup::Args),
}

/// A count that is not 0.
fn at_least_one() -> clap::builder::RangedU64ValueParser<usize> {
    (1..).into()
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    match &args.what {
        Some(What::Encoders(args)) => return encoders::run(global, args),
        Some(What::Limits(args)) => return limits::run(global, args),
        Some(What::Startup(args)) => return startup::run(global, args),
        None => {}
    }
    let folder = tempfile::tempdir().map_err(|e| {
        CliError::new(exit::INTERNAL, "bench.folder", format!("no folder to measure in ({e})"))
    })?;
    let mut config = global.config()?;
    if args.keep {
        let figures = keep::run(&config, folder.path(), args.items)?;
        if global.json {
            output::json(&figures)
        } else {
            print_keep(&figures)
        }
        return Ok(0);
    }
    // Encoders that were pulled already are found where they are.
    config.own_models.insert(0, config.data.join("models"));
    config.data = folder.path().to_owned();
    let plan = Plan { config, photos: args.photos, faq: args.faq, items: args.items, rounds: args.rounds };
    let figures = speed::run(&plan)?;
    if global.json {
        output::json(&figures)
    } else {
        print(&figures)
    }
    Ok(0)
}

fn print(f: &Figures) {
    let stages =
        |t: &Timings| format!("decode {:.1}, encode {:.1}, search {:.2}", t.decode, t.encode, t.search);
    say!("threads                  {}", f.threads);
    say!(
        "photos indexed           {} with {}: {:.1} per second",
        f.photos_indexed,
        f.photos_encoder,
        f.photos_per_second
    );
    say!("one photo, ms            {}", stages(&f.photo_query_ms));
    say!(
        "FAQ entries indexed      {} with {}: {:.1} per second",
        f.entries_indexed,
        f.text_encoder,
        f.entries_per_second
    );
    say!("one question, ms         {}", stages(&f.text_query_ms));
    say!(
        "scan of {} x {}     {:.1} ms, {:.1} million vectors per second",
        f.scan_items,
        f.scan_dim,
        f.scan_ms,
        f.scan_vectors_per_second / 1e6
    );
    say!("start-up with {} items {:.0} ms", f.scan_items, f.start_up_ms);
    say!("resident memory          {:.0} MiB, mapped vectors counted", f.resident_mib);
}

fn print_keep(f: &keep::Figures) {
    say!("{} items x {}, {} uploaded photos: {:.0} MB", f.items, f.dim, f.uploads, f.megabytes);
    say!("backup                   {:.2} s", f.backup_s);
    say!("second backup            {:.2} s", f.second_backup_s);
    say!("restore                  {:.2} s", f.restore_s);
    say!("deep check               {:.2} s", f.deep_check_s);
}
