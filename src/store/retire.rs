//! Segment files that the database no longer names: they go once no search holds them and no backup copies them.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Weak};

use super::{Segment, Store, StoreError};

/// Files that wait to be taken away, each with who may hold it.
#[derive(Default)]
pub(super) struct Retired {
    waiting: Mutex<Vec<(PathBuf, Weak<()>)>>,
}

impl Retired {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(PathBuf, Weak<()>)>> {
        self.waiting.lock().expect("nothing panics while it holds this")
    }
}

/// While one lives, in this process or another, no segment file of the data folder is taken away.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "the file's lock goes with it")] Option<File>);

impl Hold {
    /// Shared with others that copy.
    pub(super) fn share(data: &Path) -> Result<Self, StoreError> {
        let path = data.join("hold");
        let file = match File::open(&path) {
            Ok(file) => file,
            // No writer ever opened this folder with a simile that compacts.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self(None)),
            Err(e) => return Err(StoreError::io(&path, e)),
        };
        file.lock_shared().map_err(|e| StoreError::io(&path, e))?;
        Ok(Self(Some(file)))
    }

    /// Alone; `None` while somebody copies, or if that cannot be told.
    pub(super) fn alone(data: &Path) -> Option<Self> {
        let path = data.join("hold");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).ok()?;
        file.try_lock().ok().map(|()| Self(Some(file)))
    }
}

impl Store {
    /// A segment that the database no longer names: mappings of it stay good, its file goes when there are none.
    pub(super) fn retire(&self, segment: &Segment) {
        self.maps.forget([segment.id()]);
        self.retired.lock().push((segment.path().to_owned(), segment.holders()));
    }

    /// The same for a file whose mappings do not count: on Linux they outlive it.
    pub(super) fn retire_file(&self, path: PathBuf) {
        self.retired.lock().push((path, Weak::new()));
    }

    /// Takes the files of retired segments away that nobody holds; the others wait for the next time, or the next open.
    pub fn sweep(&self) {
        let mut waiting = self.retired.lock();
        if waiting.is_empty() {
            return;
        }
        let Some(_alone) = Hold::alone(&self.data) else { return };
        waiting.retain(|(path, holders)| {
            if holders.strong_count() > 0 {
                return true;
            }
            if let Err(e) = self.io.remove(path) {
                tracing::warn!("left for the next start: {e}");
            }
            false
        });
    }
}
