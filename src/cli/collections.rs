//! `simile collections`: what collections there are.

use super::{CliError, Global, output};
use crate::library::{CollectionInfo, Library};
use crate::store::{Access, StoreError};

/// List collections.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  simile collections --json")]
pub struct Args {}

pub fn run(global: &Global, _args: Args) -> Result<u8, CliError> {
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
    say!("{}\t{}\t{} items\t{encoder}\t{}", info.name, info.kind, info.items, info.index);
}
