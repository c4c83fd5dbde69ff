//! Who may write: an OS file lock, freed with its process. What is written in the file is a hint and may be stale.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::io::Io;
use super::{StoreError, local_key};
use crate::types::Secret;

/// Who holds the lock, and where it answers. After a crash it names a process that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    pub pid: u32,
    /// `host:port` of a server, once it listens.
    pub address: Option<String>,
    /// What it wants to be shown, if this user may know it.
    #[serde(skip)]
    pub key: Option<Secret>,
}

/// Reads the hint of a data folder. `None`: nobody has left one. A hint may be stale: ask at its address.
pub fn holder(data: &Path) -> Option<Hint> {
    let text = fs::read_to_string(data.join("lock")).ok()?;
    let hint: Hint = serde_json::from_str(text.trim()).ok()?;
    Some(Hint { key: local_key::read(data), ..hint })
}

/// The lock of a data folder, held until dropped.
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    io: Io,
}

impl Lock {
    pub(super) fn take(data: &Path, io: &Io) -> Result<Self, StoreError> {
        let path = data.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| StoreError::io(&path, e))?;
        match file.try_lock() {
            Ok(()) => {
                let lock = Self { file, path, io: io.clone() };
                lock.hint(None);
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { path: data.to_owned(), hint: holder(data) })
            }
            Err(TryLockError::Error(e)) => Err(StoreError::io(&path, e)),
        }
    }

    /// Says who holds the lock and where it answers.
    pub(super) fn hint(&self, address: Option<&str>) {
        let hint = Hint { pid: std::process::id(), address: address.map(str::to_owned), key: None };
        let text = serde_json::to_vec(&hint).expect("a number and a text have a JSON form");
        self.write(&text);
    }

    /// A hint that cannot be written costs the hand-over of commands, nothing that is true.
    fn write(&self, text: &[u8]) {
        let cut = self.io.cut(&self.file, &self.path, 0);
        if let Err(e) = cut.and_then(|()| self.io.write_at(&self.file, &self.path, 0, text)) {
            tracing::warn!("the lock's hint was not written: {e}");
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.write(b"");
        // Closing the file frees the lock.
    }
}
