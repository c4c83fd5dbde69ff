//! The photos that people searched with, kept by content for a while, so that such a search has a URL. A cache: bounded,
//! and nothing is lost with it but those URLs.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

/// How much is kept; the oldest go first.
const FILES: usize = 500;
const BYTES: u64 = 1 << 30;

/// A folder of query photos.
pub struct Queries {
    folder: PathBuf,
}

impl Queries {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps a photo and returns its id, the BLAKE3 of its bytes in hex.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<String> {
        let id = blake3::hash(bytes).to_hex().to_string();
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.persist(self.folder.join(&id)).map_err(|e| e.error)?;
        self.trim(FILES, BYTES)?;
        Ok(id)
    }

    /// The bytes of a photo that is still kept and still whole.
    pub fn get(&self, id: &str) -> Option<Vec<u8>> {
        let known = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        if !known {
            return None;
        }
        let bytes = fs::read(self.folder.join(id)).ok()?;
        (blake3::hash(&bytes).to_hex().as_str() == id).then_some(bytes)
    }

    fn trim(&self, files: usize, bytes: u64) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            kept.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len(), entry.path()));
        }
        kept.sort();
        let mut total: u64 = kept.iter().map(|(_, len, _)| len).sum();
        let mut count = kept.len();
        // The newest stays, however large: somebody is about to look at it.
        kept.pop();
        for (_, len, path) in kept {
            if count <= files && total <= bytes {
                break;
            }
            // Two requests may trim at once; what is gone is gone.
            match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            count -= 1;
            total -= len;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_by_content_and_only_by_such_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let queries = Queries::new(folder.path().join("queries"));
        let id = queries.keep(b"a photo").unwrap();
        assert_eq!(queries.keep(b"a photo").unwrap(), id);
        assert_eq!(queries.get(&id).as_deref(), Some(&b"a photo"[..]));
        for bad in ["", "../../simile.db", &id.to_uppercase(), &id[1..]] {
            assert_eq!(queries.get(bad), None, "{bad}");
        }
        fs::write(folder.path().join("queries").join(&id), b"damaged").unwrap();
        assert_eq!(queries.get(&id), None);
    }

    #[test]
    fn the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let queries = Queries::new(folder.path().to_owned());
        let ids: Vec<String> = (0..5u8)
            .map(|i| {
                let id = queries.keep(&[i; 10]).unwrap();
                let file = fs::File::options().write(true).open(folder.path().join(&id)).unwrap();
                let age = std::time::Duration::from_secs(1000 - u64::from(i));
                file.set_modified(SystemTime::now() - age).unwrap();
                id
            })
            .collect();
        queries.trim(3, 1000).unwrap();
        let left: Vec<bool> = ids.iter().map(|id| queries.get(id).is_some()).collect();
        assert_eq!(left, [false, false, true, true, true]);
        queries.trim(3, 5).unwrap();
        assert!(queries.get(&ids[4]).is_some(), "the newest stays");
        assert!(queries.get(&ids[3]).is_none());
    }
}
