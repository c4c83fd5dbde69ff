//! Uploaded originals, each under the BLAKE3 of its bytes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, StoreError};

/// BLAKE3 of some bytes; as text 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentId([u8; 32]);

impl ContentId {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Of all that a reader gives.
    pub fn of_reader(reader: impl Read) -> std::io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(reader)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no content id; it has 64 hex digits")]
pub struct NoContentId(String);

impl FromStr for ContentId {
    type Err = NoContentId;
    fn from_str(s: &str) -> Result<Self, NoContentId> {
        blake3::Hash::from_hex(s).map(|h| Self(*h.as_bytes())).map_err(|_| NoContentId(s.to_owned()))
    }
}

impl TryFrom<String> for ContentId {
    type Error = NoContentId;
    fn try_from(s: String) -> Result<Self, NoContentId> {
        s.parse()
    }
}

impl From<ContentId> for String {
    fn from(id: ContentId) -> String {
        id.to_string()
    }
}

impl Store {
    /// Keeps bytes; durable on return. The same bytes are kept once.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<ContentId, StoreError> {
        if self.lock.is_none() {
            return Err(StoreError::OpenedForReading);
        }
        let id = ContentId::of(bytes);
        let path = self.blob_path(&id);
        let folder = path.parent().expect("a blob lies in a folder");
        self.io.make_dirs(folder)?;
        // One that is there and whole is kept; a damaged one is written anew.
        let whole = File::open(&path).and_then(ContentId::of_reader).is_ok_and(|found| found == id);
        if !whole {
            self.place_blob(&path, bytes)?;
        }
        // Also for one that is there: another thread may have placed it a moment ago.
        self.io.sync_dir(folder)?;
        Ok(id)
    }

    fn place_blob(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let waiting = self.data.join("blobs/tmp");
        self.io.make_dirs(&waiting)?;
        let temporary = waiting.join(Uuid::new_v4().to_string());
        let placed = self.write_blob(&temporary, bytes).and_then(|()| self.io.rename(&temporary, path));
        if placed.is_err() {
            // What cannot be removed now goes at the next open.
            let _ = self.io.remove(&temporary);
        }
        placed
    }

    fn write_blob(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.io.create(path)?;
        self.io.write_at(&file, path, 0, bytes)?;
        self.io.sync(&file, path)
    }

    /// Where a blob lies, or would.
    pub fn blob_path(&self, id: &ContentId) -> PathBuf {
        path(&self.data, id)
    }
}

/// Where a blob of a data folder lies, or would.
pub(super) fn path(data: &Path, id: &ContentId) -> PathBuf {
    let hex = id.to_string();
    data.join("blobs").join(&hex[..2]).join(&hex[2..])
}
