//! `simile collections`: what collections there are, and giving one another encoder.

use super::{CliError, Global, output, switch};
use crate::library::{CollectionInfo, Library};
use crate::store::{Access, StoreError};

/// List collections, or switch one to another encoder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile collections --json
  simile collections switch faq --encoder bge-base-zh-v1.5")]
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
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    match args.action {
        Some(Action::Switch(args)) => switch::run(global, args),
        Some(Action::List) | None => list(global),
    }
}

fn list(global: &Global) -> Result<u8, CliError> {
    let all = match Library::open(global.config()?, Access::Read) {
        Ok(library) => library.collections()?,
        Err(crate::library::LibraryError::Store(StoreError::Absent { .. })) => Vec::new(),
        Err(e) => return Err(e.into()),
    };
    if global.json {
        output::json(&all);
    } else if all.is_empty() {
        tell!("no collections yet; make one with `simile index FOLDER --collection NAME`");
    } else {
        all.iter().for_each(line);
    }
    Ok(0)
}

fn line(info: &CollectionInfo) {
    let encoder = info.encoder.as_ref().map_or("no encoder yet", |name| name.as_str());
    let switching = info
        .switching
        .as_ref()
        .map_or(String::new(), |s| format!("\tbeing switched to {}: {} of {}", s.encoder, s.filled, s.parts));
    say!("{}\t{}\t{} items\t{encoder}\t{}{switching}", info.name, info.kind, info.items, info.index);
}
