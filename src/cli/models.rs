//! `simile models`: which encoders there are, and getting one.

use super::progress::Bar;
use super::{CliError, Global, output};
use crate::encoder::{Catalog, Entry, Places, State};
use crate::library::{Phase, Tracker};
use crate::types::EncoderName;

/// List encoders, or get one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  simile models list\n  simile models pull all-MiniLM-L6-v2")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all encoders: on disk, or where they can be got
    List,
    /// Get an encoder's files from the first of its sources that has them
    Pull {
        /// Its name in the list
        name: EncoderName,
    },
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let catalog = Catalog::open(Places::from(&global.config()?));
    match args.action {
        Action::List => list(global, &catalog),
        Action::Pull { name } => pull(global, &catalog, &name),
    }
}

fn list(global: &Global, catalog: &Catalog) -> Result<u8, CliError> {
    for warning in catalog.warnings() {
        tell!("warning: {}", output::plain(&warning));
    }
    let entries = catalog.list();
    if global.json {
        output::json(&entries)
    } else {
        entries.iter().for_each(line)
    }
    Ok(0)
}

fn pull(global: &Global, catalog: &Catalog, name: &EncoderName) -> Result<u8, CliError> {
    let tracker = Tracker::default();
    tracker.begin(Phase::GettingEncoder, 0);
    let bar = Bar::start(&tracker, !global.json);
    let entry = bar.watch(|| catalog.pull(name, &|p| tracker.set(p.done, p.total.unwrap_or_default())))?;
    if global.json {
        output::json(&entry)
    } else {
        line(&entry)
    }
    Ok(0)
}

fn line(entry: &Entry) {
    let modality = entry.modality.map_or("?", |modality| modality.as_str());
    let dim = entry.dim.map_or(String::new(), |dim| format!("{dim}-d"));
    let state = match (entry.state, &entry.path, &entry.why) {
        (State::OnDisk, Some(path), _) => format!("on disk: {path}"),
        (State::OnDisk, None, _) => "built in".to_owned(),
        (State::Pullable, ..) => format!("simile models pull {}", entry.name),
        (State::Unusable, _, why) => format!("unusable: {}", why.as_deref().unwrap_or("see its folder")),
    };
    say!("{}\t{modality}\t{dim}\t{}\t{}", entry.name, entry.languages.join(","), output::one_line(&state));
}
