//! The data folder for writing, or the server that holds it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{CliError, Global};
use crate::library::{Library, LibraryError};
use crate::store::{Access, Hint, StoreError};

/// How long one that holds the folder and serves no address may take: a server that has just begun listens soon.
const PATIENCE: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(50);

/// Who writes.
pub enum Writer {
    /// This program.
    Here(Arc<Library>),
    /// Another one, perhaps a server that takes commands.
    There(Option<Hint>),
}

/// Opens the data folder for writing, or tells who has it.
///
/// # Errors
/// What stops the library from being opened, other than its lock.
pub fn open(global: &Global) -> Result<Writer, CliError> {
    let begin = Instant::now();
    loop {
        match Library::open(global.config()?, Access::Write) {
            Ok(library) => return Ok(Writer::Here(library)),
            Err(LibraryError::Store(StoreError::Locked { hint, .. })) => {
                let listens = hint.as_ref().is_some_and(|hint| hint.address.is_some());
                if listens || begin.elapsed() > PATIENCE {
                    return Ok(Writer::There(hint));
                }
                thread::sleep(STEP);
            }
            Err(e) => return Err(e.into()),
        }
    }
}
