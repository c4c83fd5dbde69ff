//! Where a restored data folder is laid out, and how it takes its place: whole, or the target is as it was. What a killed
//! restore left goes with the next one.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::io::Io;

/// The staging folder in a target that is there already.
const WITHIN: &str = ".restoring";
/// What a restore puts into its target. The database comes last: without it the folder is no data folder.
const OURS: [&str; 4] = ["vectors", "blobs", "models", DATABASE];
const DATABASE: &str = "simile.db";

/// A data folder on its way into its place.
pub(super) struct Staging {
    to: PathBuf,
    /// Holds what is laid out, and a lock that tells a restore under way from one that was killed.
    folder: PathBuf,
    /// In the target rather than beside it: nothing can be renamed over a mount point.
    within: bool,
    /// Paths that have taken their place.
    placed: Vec<PathBuf>,
    _lock: File,
}

/// Whether a restore into this folder was killed before its end.
pub(super) fn is_half_restored(data: &Path) -> bool {
    data.join(WITHIN).is_dir() && !data.join(DATABASE).exists()
}

/// Takes away what a restore left that was killed after it had put everything in place.
pub(super) fn tidy(data: &Path) {
    // What cannot go costs a few bytes.
    let _ = fs::remove_dir_all(data.join(WITHIN));
}

/// Refuses a target with something in it, which is somebody's data. What a killed restore left is not, and neither is the
/// `lost+found` of a fresh disk.
pub(super) fn refuse_used(to: &Path) -> Result<(), StoreError> {
    let names: Vec<_> = match fs::read_dir(to) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            return Err(StoreError::NotEmpty { path: to.to_owned() });
        }
        Err(e) => return Err(StoreError::io(to, e)),
    };
    let half = is_half_restored(to);
    let left = |name: &OsStr| half && (name == WITHIN || OURS.iter().any(|our| name == *our));
    if names.iter().all(|name| name == "lost+found" || left(name)) {
        Ok(())
    } else {
        Err(StoreError::NotEmpty { path: to.to_owned() })
    }
}

impl Staging {
    /// Makes the folder to lay out in, on the target's own disk.
    ///
    /// # Errors
    /// `RestoreBusy` if another restore is at it, and what the disk reports.
    pub(super) fn begin(to: &Path, io: &Io) -> Result<Self, StoreError> {
        let beside = beside(to);
        let within = to.is_dir();
        let folder = if within { to.join(WITHIN) } else { beside.clone() };
        if within && beside.is_dir() {
            drop(take(to, &beside)?);
            let _ = fs::remove_dir_all(&beside);
        }
        let left = is_half_restored(to);
        io.make_root(&folder).inspect_err(|_| drop(fs::remove_dir(&folder)))?;
        let lock = take(to, &folder)?;
        let staging = Self { to: to.to_owned(), folder, within, placed: Vec::new(), _lock: lock };
        let stale = OURS.iter().filter(|_| within && left).map(|name| to.join(name));
        for path in stale.chain([staging.data()]) {
            remove(&path).map_err(|e| StoreError::io(&path, e))?;
        }
        Ok(staging)
    }

    /// Where to lay it out.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Puts what was laid out in its place.
    ///
    /// # Errors
    /// `NotEmpty` if somebody put something there meanwhile, and what the disk reports; the target is then as it was.
    pub(super) fn place(mut self, io: &Io) -> Result<(), StoreError> {
        refuse_used(&self.to)?;
        let done = if self.within { self.move_into(io) } else { self.rename_over(io) };
        if done.is_ok() {
            self.placed.clear();
        }
        done
    }

    fn rename_over(&mut self, io: &Io) -> Result<(), StoreError> {
        io.rename(&self.data(), &self.to)?;
        self.placed.push(self.to.clone());
        io.sync_dir(parent_of(&self.to))
    }

    fn move_into(&mut self, io: &Io) -> Result<(), StoreError> {
        for name in OURS {
            let from = self.data().join(name);
            if name == DATABASE {
                // All else is durable before there is a database that names it.
                io.sync_dir(&self.to)?;
            }
            if from.exists() {
                io.rename(&from, &self.to.join(name))?;
                self.placed.push(self.to.join(name));
            }
        }
        io.sync_dir(&self.to)
    }
}

impl Drop for Staging {
    /// After a failure nothing is left of it; after success only the empty staging folder goes.
    fn drop(&mut self) {
        for path in self.placed.iter().rev() {
            let _ = remove(path);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The lock of a staging folder; given back with its file.
fn take(to: &Path, folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(|e| StoreError::io(&path, e))?;
    file.try_lock().map_err(|_| StoreError::RestoreBusy { path: to.to_owned() })?;
    Ok(file)
}

fn remove(path: &Path) -> std::io::Result<()> {
    let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match gone {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn parent_of(to: &Path) -> &Path {
    to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(to: &Path) -> PathBuf {
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    parent_of(to).join(format!(".{name}.restoring"))
}
