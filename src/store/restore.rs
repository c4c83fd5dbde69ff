//! Bringing a backup back: verified first, laid out beside, and put in place in one step.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use super::io::Io;
use super::manifest::{Entry, Manifest};
use super::{Access, Store, StoreError, copying};

/// What a restore brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub files: u64,
    pub bytes: u64,
    /// When the backup was made, RFC 3339.
    pub made: String,
}

/// Brings a backup back as the data folder `to`: absent, or an empty folder. Every byte is verified first; `to` is then
/// whole, or as it was.
///
/// # Errors
/// `NotEmpty`, `NoBackup`, `NewerBackup`, `DamagedBackup`, `Full` and what the disks report.
pub fn restore(backup: &Path, to: &Path) -> Result<RestoreReport, StoreError> {
    refuse_used(to)?;
    let manifest = Manifest::read(backup)?;
    verify(backup, &manifest)?;
    let io = Io::default();
    let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    io.make_root(parent)?;
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let staging = parent.join(format!(".{name}.restoring-{}", Uuid::new_v4()));
    let done = lay_out(backup, &manifest, &staging, &io).and_then(|()| {
        refuse_used(to)?;
        // Over an empty folder, too.
        io.rename(&staging, to)?;
        io.sync_dir(parent)
    });
    if let Err(e) = done {
        let _ = fs::remove_dir_all(&staging);
        return Err(e);
    }
    let bytes = manifest.files.iter().map(|entry| entry.bytes).sum();
    Ok(RestoreReport { files: manifest.files.len() as u64, bytes, made: manifest.head.made })
}

/// A folder that has something in it is somebody's data.
fn refuse_used(to: &Path) -> Result<(), StoreError> {
    let used = match fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) if e.kind() == ErrorKind::NotFound => false,
        Err(e) if e.kind() == ErrorKind::NotADirectory => true,
        Err(e) => return Err(StoreError::io(to, e)),
    };
    if used { Err(StoreError::NotEmpty { path: to.to_owned() }) } else { Ok(()) }
}

/// Whether every object is there and is what its name says.
fn verify(backup: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    copying::each(&manifest.files, |entry| {
        let path = entry.object(backup);
        match copying::is_whole(&path, &entry.blake3) {
            Ok(true) => Ok(()),
            Ok(false) => Err(wrong(&path, entry, "is not as it was written")),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(wrong(&path, entry, "is gone")),
            Err(e) => Err(StoreError::io(&path, e)),
        }
    })
}

fn wrong(path: &Path, entry: &Entry, why: &str) -> StoreError {
    StoreError::DamagedBackup { path: path.to_owned(), why: format!("{} {why}", entry.path) }
}

fn lay_out(backup: &Path, manifest: &Manifest, staging: &Path, io: &Io) -> Result<(), StoreError> {
    io.make_root(staging)?;
    copying::each(&manifest.files, |entry| {
        let from = entry.object(backup);
        let path = staging.join(entry.local().expect("checked when it was read"));
        let folder = path.parent().expect("it lies in the folder");
        io.make_dirs(folder)?;
        let source = File::open(&from).map_err(|e| StoreError::io(&from, e))?;
        let (id, _) = copying::copy(io, source, &from, &path)?;
        if id != entry.blake3 {
            return Err(wrong(&from, entry, "is not as it was written"));
        }
        io.sync_dir(folder)
    })?;
    // As a writer would open it: that looks at every segment, and brings an older format up to date.
    drop(Store::open(staging, Access::Write)?);
    for left in ["lock", "hold"] {
        io.remove(&staging.join(left))?;
    }
    Ok(())
}
