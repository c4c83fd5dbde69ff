//! The seal behind an index file: what it is of, and a BLAKE3 hash that is verified before Faiss reads a byte.
//!
//! A file is Faiss' bytes, then the seal: `About` as JSON, its length (u32, little-endian), the BLAKE3 of all bytes
//! so far, and the magic. Faiss reads from the front as far as it needs and never sees the seal.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{IndexError, Recipe};
use crate::types::Dim;

const MAGIC: &[u8; 8] = b"simileA1";
const HASH: u64 = 32;
const TAIL: u64 = 4 + HASH + MAGIC.len() as u64;

/// What an index file is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The segment's uuid as text.
    pub segment: String,
    pub recipe: Recipe,
    pub rows: u64,
    pub dim: Dim,
}

impl About {
    /// `<segment>.<recipe>.faiss`, the file's name in `cache/ann/`; the recipe's comma becomes `-`.
    pub fn file_name(&self) -> String {
        format!("{}.{}.faiss", self.segment, self.recipe.to_string().replace(',', "-"))
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, recipe, rows, dim } = self;
        write!(f, "{recipe} over {rows} x {dim} of segment {segment}")
    }
}

/// Puts the seal behind the file that Faiss wrote, and syncs both.
pub(super) fn seal(path: &Path, about: &About) -> Result<(), IndexError> {
    let mut file =
        File::options().read(true).append(true).open(path).map_err(IndexError::io(path, "opened"))?;
    let mut write = || -> io::Result<()> {
        let mut json = serde_json::to_vec(about)?;
        let length = json.len() as u32;
        json.extend(length.to_le_bytes());
        let mut hash = blake3::Hasher::new();
        hash.update_reader(&mut file)?.update(&json);
        json.extend(hash.finalize().as_bytes());
        json.extend(MAGIC);
        file.write_all(&json)?;
        file.sync_all()
    };
    write().map_err(IndexError::io(path, "sealed"))
}

/// Whether every byte of the file is as it was sealed, and whether it is of `wanted`.
///
/// # Errors
/// `Missing`, `Damaged`, `Stale`, `Io`.
pub(super) fn verify(path: &Path, wanted: &About) -> Result<(), IndexError> {
    let is = check_file(path)?;
    if is != *wanted {
        return Err(IndexError::Stale {
            path: path.to_owned(),
            is: is.to_string(),
            wanted: wanted.to_string(),
        });
    }
    Ok(())
}

/// Whether every byte of an index file is as it was sealed; what it is of.
///
/// # Errors
/// `Missing`, `Damaged`, `Io`.
pub fn check_file(path: &Path) -> Result<About, IndexError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => IndexError::Missing { path: path.to_owned() },
        _ => IndexError::io(path, "opened")(source),
    })?;
    let is = read(file).map_err(IndexError::io(path, "read"))?;
    is.map_err(|why| IndexError::Damaged { path: path.to_owned(), why: why.to_owned() })
}

/// What the seal says, or why it is none.
fn read(mut file: File) -> io::Result<Result<About, &'static str>> {
    let length = file.metadata()?.len();
    if length < TAIL {
        return Ok(Err("it is too short"));
    }
    let mut tail = [0; TAIL as usize];
    file.seek(SeekFrom::Start(length - TAIL))?;
    file.read_exact(&mut tail)?;
    if !tail.ends_with(MAGIC) {
        return Ok(Err("it does not end with a seal"));
    }
    file.rewind()?;
    let mut hash = blake3::Hasher::new();
    hash.update_reader((&mut file).take(length - TAIL + 4))?;
    if hash.finalize().as_bytes() != &tail[4..4 + HASH as usize] {
        return Ok(Err("its bytes do not match its checksum"));
    }
    let json_length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if json_length > length - TAIL {
        return Ok(Err("its seal is longer than itself"));
    }
    file.seek(SeekFrom::Start(length - TAIL - json_length))?;
    let mut json = vec![0; json_length as usize];
    file.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json).map_err(|_| "its seal cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Coded;

    fn about() -> About {
        About {
            segment: "0b7e".to_owned(),
            recipe: "IVF16,PQ8".parse().unwrap(),
            rows: 5000,
            dim: Dim::new(32).unwrap(),
        }
    }

    #[test]
    fn every_flipped_or_missing_byte_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(about().file_name());
        std::fs::write(&path, vec![7; 40]).unwrap();
        seal(&path, &about()).unwrap();
        verify(&path, &about()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(verify(&path, &about()).unwrap_err().code(), "index.damaged", "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(verify(&path, &about()).unwrap_err().code(), "index.damaged", "cut at {at}");
        }
        std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
        assert_eq!(verify(&path, &about()).unwrap_err().code(), "index.damaged");
    }

    #[test]
    fn a_file_of_other_rows_or_none_at_all_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert_eq!(verify(&path, &about()).unwrap_err().code(), "index.missing");
        std::fs::write(&path, b"faiss").unwrap();
        seal(&path, &about()).unwrap();
        for other in [
            About { rows: 4999, ..about() },
            About { segment: "other".to_owned(), ..about() },
            About { recipe: Recipe::Hnsw { m: 32 }, ..about() },
        ] {
            let err = verify(&path, &other).unwrap_err();
            assert_eq!(err.code(), "index.stale");
            assert!(err.rebuild());
        }
        assert_eq!(about().file_name(), "0b7e.IVF16-PQ8.faiss");
    }
}
