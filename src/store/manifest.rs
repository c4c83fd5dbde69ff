//! What a backup holds: a line of JSON for each file, behind them the checksum of all lines. The files themselves lie
//! under their own hash, so that an older manifest stays good until the newer one has taken its place.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ContentId, StoreError};

/// The manifest's name in a backup's folder; what makes the folder a backup.
pub(super) const NAME: &str = "backup.jsonl";
const FORMAT: u32 = 1;

/// First line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    simile_backup: u32,
    /// RFC 3339.
    pub made: String,
    /// Of the program that made it.
    pub version: String,
}

/// A file of the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Relative to the data folder, parts divided by `/`.
    pub path: String,
    pub bytes: u64,
    pub blake3: ContentId,
}

/// Last line.
#[derive(Serialize, Deserialize)]
struct Seal {
    lines_blake3: ContentId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub head: Head,
    pub files: Vec<Entry>,
}

impl Manifest {
    pub(super) fn new(files: Vec<Entry>) -> Self {
        let made = jiff::Timestamp::now().to_string();
        let head = Head { simile_backup: FORMAT, made, version: env!("CARGO_PKG_VERSION").to_owned() };
        Self { head, files }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = line(&self.head);
        self.files.iter().for_each(|entry| out.extend(line(entry)));
        out.extend(line(&Seal { lines_blake3: ContentId::of(&out) }));
        out
    }

    /// # Errors
    /// `NoBackup` where there is none, `NewerBackup`, `DamagedBackup` if a byte is not as it was written.
    pub(super) fn read(backup: &Path) -> Result<Self, StoreError> {
        let path = backup.join(NAME);
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                StoreError::NoBackup { path: backup.to_owned() }
            }
            std::io::ErrorKind::InvalidData => damaged(&path, "it is no text"),
            _ => StoreError::io(&path, e),
        })?;
        Self::parse(&text).map_err(|why| match why {
            Wrong::Newer(found) => StoreError::NewerBackup { path: backup.to_owned(), found, known: FORMAT },
            Wrong::Damaged(why) => damaged(&path, why),
        })
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut lines: Vec<&str> = text.lines().collect();
        let head: Head = lines.first().and_then(|line| serde_json::from_str(line).ok()).ok_or(Wrong::HEAD)?;
        if head.simile_backup > FORMAT {
            return Err(Wrong::Newer(head.simile_backup));
        }
        let last = lines.pop().unwrap_or_default();
        let seal: Seal = serde_json::from_str(last).map_err(|_| Wrong::Damaged("its end is missing"))?;
        let sealed = text.len() - last.len() - usize::from(text.ends_with('\n'));
        if ContentId::of(&text.as_bytes()[..sealed]) != seal.lines_blake3 {
            return Err(Wrong::Damaged("its lines do not match their checksum"));
        }
        let files: Result<Vec<Entry>, _> = lines[1..].iter().map(|line| serde_json::from_str(line)).collect();
        let files = files.map_err(|_| Wrong::Damaged("a line cannot be read"))?;
        if files.iter().any(|entry| entry.local().is_none()) {
            return Err(Wrong::Damaged("it names a file outside of the data folder"));
        }
        Ok(Self { head, files })
    }
}

enum Wrong {
    Newer(u32),
    Damaged(&'static str),
}

impl Wrong {
    const HEAD: Self = Self::Damaged("it does not begin like a backup");
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::DamagedBackup { path: path.to_owned(), why: why.to_owned() }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut out = serde_json::to_vec(value).expect("plain data has a JSON form");
    out.push(b'\n');
    out
}

impl Entry {
    /// The path in a data folder; `None` if it leads out of it, or to what is no truth.
    pub(super) fn local(&self) -> Option<PathBuf> {
        let path = Path::new(&self.path);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        let ours = ["simile.db", "vectors", "blobs", "models"];
        let first = path.components().next()?.as_os_str().to_str()?;
        (inside && !self.path.contains('\\') && ours.contains(&first)).then(|| path.to_owned())
    }

    /// Where its bytes lie in a backup.
    pub(super) fn object(&self, backup: &Path) -> PathBuf {
        object(backup, &self.blake3)
    }
}

/// The folder of the files of a backup.
pub(super) fn objects(backup: &Path) -> PathBuf {
    backup.join("files")
}

pub(super) fn object(backup: &Path, id: &ContentId) -> PathBuf {
    let hex = id.to_string();
    objects(backup).join(&hex[..2]).join(&hex[2..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Coded;

    fn manifest(path: &str) -> Manifest {
        let entry =
            |path: &str| Entry { path: path.into(), bytes: 3, blake3: ContentId::of(path.as_bytes()) };
        Manifest::new(vec![entry("simile.db"), entry(path)])
    }

    fn read(text: &[u8]) -> Result<Manifest, &'static str> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), text).unwrap();
        Manifest::read(folder.path()).map_err(|e| e.code())
    }

    #[test]
    fn it_comes_back_whole_or_not_at_all() {
        let whole = manifest("blobs/ab/cd");
        let bytes = whole.to_bytes();
        assert_eq!(read(&bytes), Ok(whole));
        for at in 0..bytes.len() {
            assert_eq!(read(&bytes[..at.min(bytes.len() - 2)]), Err("backup.damaged"), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(read(&flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn it_leads_nowhere_else() {
        for path in ["../x", "/etc/passwd", "blobs/../../x", "cache/x", "lock", "", "C:\\x"] {
            assert_eq!(read(&manifest(path).to_bytes()), Err("backup.damaged"), "{path:?}");
        }
        let mut newer = manifest("blobs/x");
        newer.head.simile_backup = 2;
        assert_eq!(read(&newer.to_bytes()), Err("backup.newer_version"));
        assert_eq!(Manifest::read(Path::new("/nowhere")).unwrap_err().code(), "backup.none");
    }
}
