//! `simile collections`: what collections there are, and their upkeep.

use super::writer::{self, Writer};
use super::{CliError, Global, output, remote, switch};
use crate::library::{CollectionInfo, Library, LibraryError, SwitchInfo, Tracker};
use crate::store::{Access, StoreError};
use crate::types::CollectionName;

/// List collections, switch one to another encoder, or compact one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile collections --json
  simile collections switch faq --encoder bge-base-zh-v1.5
  simile collections compact photos")]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List them (what happens without a subcommand)
    List,
    /// Encode a collection again with another encoder, beside the use of it
    Switch(switch::Args),
    /// Take the vectors of deleted and replaced items out of the files (happens by itself above a quarter)
    Compact {
        /// The collection
        #[arg(value_name = "NAME")]
        name: CollectionName,
    },
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    match args.action {
        Some(Action::Switch(args)) => switch::run(global, args),
        Some(Action::Compact { name }) => compact(global, &name),
        Some(Action::List) | None => list(global),
    }
}

fn compact(global: &Global, name: &CollectionName) -> Result<u8, CliError> {
    let dropped = match writer::open(global)? {
        Writer::Here(library) => library.collection(name)?.compact(&Tracker::default())?,
        Writer::There(hint) => remote::compact(hint.as_ref(), name)?,
    };
    if global.json {
        output::json(&serde_json::json!({"dropped": dropped}));
    } else {
        say!("vectors of deleted and replaced items taken out: {dropped}");
    }
    Ok(0)
}

fn list(global: &Global) -> Result<u8, CliError> {
    let all = match Library::open(global.config()?, Access::Read) {
        Ok(library) => library.collections()?,
        Err(LibraryError::Store(StoreError::Absent { .. })) => Vec::new(),
        Err(e) => return Err(e.into()),
    };
    if global.json {
        output::json(&all);
    } else if all.is_empty() {
        tell!("no collections yet; make one with `simile index FOLDER --collection NAME`");
    } else {
        output::rows(&all.iter().map(row).collect::<Vec<_>>());
    }
    Ok(0)
}

fn row(info: &CollectionInfo) -> Vec<String> {
    let encoder = info.encoder.as_ref().map_or("no encoder yet", |name| name.as_str());
    let items = format!("{} items", info.items);
    let mut row: Vec<String> =
        [info.name.as_str(), info.kind.as_str(), &items, encoder, &info.index].map(str::to_owned).to_vec();
    let line = |what: &str, s: &SwitchInfo| {
        format!("{what}being switched to {}: {} of {}", s.encoder, s.filled, s.parts)
    };
    row.extend(info.switching.as_ref().map(|s| line("", s)));
    row.extend(info.caption_switching.as_ref().map(|s| line("captions ", s)));
    row
}
