//! What goes into a backup beside the truth: the encoders in the data folder, with the hashes that came with them.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::LibraryError;
use crate::encoder;
use crate::store::{self, BackupReport};

/// Without the encoders only such small files go along as lie beside them.
const SMALL: u64 = 1 << 20;

/// Backs a data folder up, beside whatever program holds it. See [`store::backup`]. With `models` its encoders go along, so
/// that the restored folder needs no network; one that is no longer what came is told, and copied as it is.
pub fn backup(data: &Path, to: &Path, models: bool) -> Result<BackupReport, LibraryError> {
    let folder = data.join("models");
    let mut report = store::backup(data, to, &files(data, &folder, models))?;
    if models {
        report.damaged.extend(encoder::check_folders(&folder).into_iter().filter_map(|checked| {
            let why = checked.outcome.err()?;
            Some(format!("{}: {why}; it was copied as it is", checked.name))
        }));
    }
    Ok(report)
}

/// Relative to the data folder. Links lead elsewhere and are left out, and so is what is hidden: a pull under way.
fn files(data: &Path, folder: &Path, models: bool) -> Vec<PathBuf> {
    let hidden = |entry: &DirEntry| {
        entry.depth() > 0
            && entry.file_type().is_dir()
            && entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let all = WalkDir::new(folder).max_depth(if models { 8 } else { 1 }).into_iter();
    all.filter_entry(|entry| !hidden(entry))
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| entry.depth() > 1 || entry.metadata().is_ok_and(|meta| meta.len() <= SMALL))
        .filter_map(|entry| Some(entry.path().strip_prefix(data).ok()?.to_owned()))
        .collect()
}
