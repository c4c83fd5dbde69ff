//! sha256 of model files, remembered as long as a file has not changed.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::EncoderError;
use super::error::Loaded;

/// What tells that a file is still the one that was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileState {
    pub path: PathBuf,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: u128,
    pub inode: u64,
}

impl FileState {
    /// The file at `path` as it is now.
    ///
    /// # Errors
    /// It is not there, or may not be seen.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(path, &std::fs::metadata(path)?))
    }

    fn of(path: &Path, meta: &Metadata) -> Self {
        let since = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Self {
            path: path.to_owned(),
            size: meta.len(),
            modified: since.map_or(0, |d| d.as_nanos()),
            inode: inode(meta),
        }
    }
}

#[cfg(unix)]
fn inode(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}
#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// Hashes known so far. Its owner may keep [`Digests::known`] and hand it back at the next start.
#[derive(Debug, Default)]
pub struct Digests(Mutex<HashMap<FileState, String>>);

impl Digests {
    /// Begins with what an earlier run knew.
    pub fn new(known: impl IntoIterator<Item = (FileState, String)>) -> Self {
        Self(Mutex::new(known.into_iter().collect()))
    }

    pub fn known(&self) -> Vec<(FileState, String)> {
        self.0.lock().expect("no holder panics").clone().into_iter().collect()
    }

    /// sha256 of the file, 64 lower-case hex digits; 90 MB take some 0.1 s with SHA extensions.
    pub fn sha256(&self, path: &Path) -> io::Result<String> {
        let mut file = File::open(path)?;
        let state = FileState::of(path, &file.metadata()?);
        if let Some(hash) = self.0.lock().expect("no holder panics").get(&state) {
            return Ok(hash.clone());
        }
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => hasher.update(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let hash: String = hasher.finalize().iter().map(|b| format!("{b:02x}")).collect();
        self.0.lock().expect("no holder panics").insert(state, hash.clone());
        Ok(hash)
    }

    /// The same of an encoder's file.
    ///
    /// # Errors
    /// `Unreadable`.
    pub fn of(&self, path: &Path) -> Loaded<String> {
        self.sha256(path).map_err(|source| EncoderError::Unreadable { file: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_remembered_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, "abc").unwrap();
        let digests = Digests::default();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digests.sha256(&path).unwrap(), abc);

        let mut known = digests.known();
        assert_eq!(known.len(), 1);
        known[0].1 = "as remembered".to_owned();
        let later = Digests::new(known);
        assert_eq!(later.sha256(&path).unwrap(), "as remembered");
        std::fs::write(&path, "abcd").unwrap();
        assert_ne!(later.sha256(&path).unwrap(), "as remembered");
        assert!(later.sha256(&folder.path().join("none")).is_err());
    }
}
