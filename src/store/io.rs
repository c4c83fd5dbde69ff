//! The one seam through which every write, sync, rename, unlink and commit goes. Knows nothing of what is written.
//!
//! In tests a hook sees each step before it happens and may refuse it; so a test can record all that a program wrote
//! and build the disk of a crash between any two steps.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::StoreError;

/// One step towards the disk.
#[derive(Debug, Clone)]
#[cfg_attr(not(test), allow(dead_code))] // read by the hook of the tests only
pub(super) enum Op<'a> {
    MakeDir(&'a Path),
    Create(&'a Path),
    Write { path: &'a Path, at: u64, bytes: &'a [u8] },
    Cut { path: &'a Path, len: u64 },
    Sync(&'a Path),
    SyncDir(&'a Path),
    Rename { from: &'a Path, to: &'a Path },
    Remove(&'a Path),
    Commit,
}

#[cfg(test)]
pub(super) type Hook = Arc<dyn Fn(&Op<'_>) -> io::Result<()> + Send + Sync>;

/// The way to the disk.
#[derive(Clone, Default)]
pub(super) struct Io {
    /// Folders whose names this process has synced.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
    #[cfg(test)]
    pub(super) hook: Option<Hook>,
}

type Done = Result<(), StoreError>;

impl Io {
    /// The same way to another folder, of which nothing is known to be durable.
    pub(super) fn elsewhere(&self) -> Self {
        let mut other = self.clone();
        other.durable = Arc::default();
        other
    }

    #[cfg(test)]
    pub(super) fn hooked(hook: Hook) -> Self {
        Self { hook: Some(hook), ..Self::default() }
    }

    fn step(&self, path: &Path, op: &Op<'_>, act: impl FnOnce() -> io::Result<()>) -> Done {
        self.seen(op).and_then(|()| act()).map_err(|e| StoreError::io(path, e))
    }

    #[cfg(test)]
    fn seen(&self, op: &Op<'_>) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(op))
    }
    #[cfg(not(test))]
    #[allow(clippy::unused_self)]
    fn seen(&self, _op: &Op<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Makes the folder that all else lies in, and those above it that lack.
    pub(super) fn make_root(&self, path: &Path) -> Done {
        if !path.is_dir() {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            self.make_root(parent)?;
            self.make_dir(path)?;
            self.sync_dir(parent)?;
        }
        self.durable().insert(path.to_owned());
        Ok(())
    }

    /// Makes a folder below the root, and those between; each is durable on return. One that is there already may be
    /// another thread's, or of a process that was killed, and not durable yet: so each is synced once by this process.
    pub(super) fn make_dirs(&self, path: &Path) -> Done {
        let Some(parent) = path.parent().filter(|_| !self.durable().contains(path)) else { return Ok(()) };
        self.make_dirs(parent)?;
        if !path.is_dir() {
            self.make_dir(path)?;
        }
        self.sync_dir(parent)?;
        self.durable().insert(path.to_owned());
        Ok(())
    }

    fn make_dir(&self, path: &Path) -> Done {
        self.step(path, &Op::MakeDir(path), || match fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        })
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().expect("nothing panics while it holds this")
    }

    /// Makes a file that does not exist yet.
    pub(super) fn create(&self, path: &Path) -> Result<File, StoreError> {
        self.seen(&Op::Create(path))
            .and_then(|()| OpenOptions::new().read(true).write(true).create_new(true).open(path))
            .map_err(|e| StoreError::io(path, e))
    }

    /// Writes all of `bytes` from the offset `at`, without moving any cursor.
    pub(super) fn write_at(&self, file: &File, path: &Path, at: u64, bytes: &[u8]) -> Done {
        self.step(path, &Op::Write { path, at, bytes }, || write_all_at(file, bytes, at))
    }

    /// Makes the file `len` bytes long.
    pub(super) fn cut(&self, file: &File, path: &Path, len: u64) -> Done {
        self.step(path, &Op::Cut { path, len }, || file.set_len(len))
    }

    /// Returns when what was written to the file, and its length, will survive a power cut.
    pub(super) fn sync(&self, file: &File, path: &Path) -> Done {
        self.step(path, &Op::Sync(path), || file.sync_data())
    }

    /// Returns when the names in a folder will survive a power cut.
    pub(super) fn sync_dir(&self, path: &Path) -> Done {
        self.step(path, &Op::SyncDir(path), || sync_dir(path))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Done {
        self.step(to, &Op::Rename { from, to }, || fs::rename(from, to))
    }

    /// Takes a file away; one that is gone already is no error.
    pub(super) fn remove(&self, path: &Path) -> Done {
        self.step(path, &Op::Remove(path), || match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
    }

    /// Commits a transaction of the database.
    pub(super) fn commit(&self, tx: rusqlite::Transaction<'_>) -> Done {
        self.seen(&Op::Commit).map_err(|e| StoreError::io(&PathBuf::from("simile.db"), e))?;
        Ok(tx.commit()?)
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        bytes = &bytes[n..];
        at += n as u64;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

// Windows has no handle to sync for a folder; NTFS journals its names.
#[cfg(not(unix))]
fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}
