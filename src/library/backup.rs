//! What goes into a backup beside the truth: small files that lie next to pulled encoders, such as their pinned hashes.

use std::fs;
use std::path::{Path, PathBuf};

use super::LibraryError;
use crate::store::{self, BackupReport};

/// Larger ones are an encoder's, and are pulled again.
const SMALL: u64 = 1 << 20;

/// Backs a data folder up, beside whatever program holds it. See [`store::backup`].
pub fn backup(data: &Path, to: &Path) -> Result<BackupReport, LibraryError> {
    Ok(store::backup(data, to, &small_files(data))?)
}

fn small_files(data: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(data.join("models")).into_iter().flatten().flatten();
    files
        .filter(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= SMALL))
        .map(|file| Path::new("models").join(file.file_name()))
        .collect()
}
