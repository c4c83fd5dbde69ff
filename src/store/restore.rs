//! Bringing a backup back: verified first, laid out beside, and put in place in one step.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use super::io::Io;
use super::manifest::{Entry, Manifest};
use super::staging::{Staging, refuse_used};
use super::{Access, Store, StoreError, copying};

/// What a restore brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub files: u64,
    pub bytes: u64,
    /// When the backup was made, RFC 3339.
    pub made: String,
}

/// Brings a backup back as the data folder `to`: absent, or an empty folder, which may be a mount point. Every byte is
/// verified first; `to` is then whole, or as it was.
///
/// # Errors
/// `NotEmpty`, `RestoreBusy`, `NoBackup`, `NewerBackup`, `DamagedBackup`, `Full` and what the disks report.
pub fn restore(backup: &Path, to: &Path) -> Result<RestoreReport, StoreError> {
    restore_through(backup, to, &Io::default())
}

pub(super) fn restore_through(backup: &Path, to: &Path, io: &Io) -> Result<RestoreReport, StoreError> {
    refuse_used(to)?;
    let manifest = Manifest::read(backup)?;
    verify(backup, &manifest)?;
    let staging = Staging::begin(to, io)?;
    lay_out(backup, &manifest, &staging.data(), io)?;
    staging.place(io)?;
    let bytes = manifest.files.iter().map(|entry| entry.bytes).sum();
    Ok(RestoreReport { files: manifest.files.len() as u64, bytes, made: manifest.head.made })
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
    drop(Store::open_through(staging, Access::Write, io.clone())?);
    for left in ["lock", "hold"] {
        io.remove(&staging.join(left))?;
    }
    Ok(())
}
