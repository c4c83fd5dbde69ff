//! The key that a server leaves in its data folder for commands of the same user: new with each run, no truth.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files;
use crate::types::Secret;

const LARGEST: u64 = 1024;

fn path(data: &Path) -> PathBuf {
    data.join("local.key")
}

/// Leaves a key that only this user can read, in place of an older one.
pub(super) fn leave(data: &Path, key: &Secret) -> io::Result<()> {
    // Made for its owner alone (0600) before anything is in it.
    let mut file = tempfile::NamedTempFile::new_in(data)?;
    file.write_all(key.expose().as_bytes())?;
    file.persist(path(data)).map_err(|e| e.error)?;
    Ok(())
}

/// Takes the key of this or an earlier run away.
pub(super) fn remove(data: &Path) -> io::Result<()> {
    match fs::remove_file(path(data)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The key that a server has left. `None`: it wants none, or this user may not read it.
pub(super) fn read(data: &Path) -> Option<Secret> {
    let bytes = files::read(&path(data), LARGEST).ok()?;
    Some(Secret::new(String::from_utf8(bytes).ok()?.trim()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_for_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read(data.path()), None);
        for _ in 0..2 {
            let key = Secret::random();
            leave(data.path(), &key).unwrap();
            assert_eq!(read(data.path()), Some(key));
        }
        let mode = fs::metadata(path(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        remove(data.path()).unwrap();
        remove(data.path()).unwrap();
        assert_eq!(read(data.path()), None);
    }
}
