//! What lies in the cache of packed weights: listed, checked, and taken away where it is of no more use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::PackedCache;
use super::file;
use crate::encoder::FileState;

/// A file that a program left behind unfinished is taken away after so long.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// One file of packed weights.
#[derive(Debug, Clone, Serialize)]
pub struct PackedFile {
    pub path: PathBuf,
    /// The weights that were packed.
    pub weights: PathBuf,
    /// Kernel and numbers, as `avx512-bf16`.
    pub kernel: String,
    pub bytes: u64,
}

/// What a look into the cache found.
#[derive(Debug, Clone, Default)]
pub struct PackedCheck {
    pub files: Vec<PackedFile>,
    /// Damaged ones; they are packed anew when they are wanted.
    pub damaged: Vec<PathBuf>,
}

impl PackedCache {
    /// All packed weights; with `deep` every byte is compared with its checksum.
    pub fn check(&self, deep: bool) -> PackedCheck {
        let mut found = PackedCheck::default();
        for path in self.files() {
            let Some(kernel) = kernel_of(&path) else { continue };
            let looked = if deep { file::verified(&path) } else { file::look(&path) };
            match looked.and_then(|(file, contents)| Ok((file.metadata()?.len(), contents))) {
                Ok((bytes, contents)) => {
                    let weights = contents.weights.path;
                    found.files.push(PackedFile { path, weights, kernel, bytes });
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(_) => found.damaged.push(path),
            }
        }
        found
    }

    /// Takes away what nobody will ask for: packed weights whose file is gone or was changed since, those of another
    /// version, and what an interrupted program left half written.
    pub fn tidy(&self) {
        let mut there = Vec::new();
        let mut choices = Vec::new();
        for path in self.files() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stale = match kernel_of(&path) {
                None if name.starts_with(file::UNFINISHED) => is_older(&path, LEFT_BEHIND),
                None => {
                    choices.push(path);
                    continue;
                }
                Some(_) => !file::look(&path)
                    .is_ok_and(|(_, contents)| contents.is_ours() && is_there(&contents.weights)),
            };
            if stale {
                remove(&path);
            } else {
                there.push(name);
            }
        }
        for path in choices {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let weights = name.split('.').next().unwrap_or_default();
            if !there.iter().any(|other| other.starts_with(weights)) {
                remove(&path);
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        files
    }
}

fn is_there(weights: &FileState) -> bool {
    FileState::at(&weights.path).is_ok_and(|now| now == *weights)
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|since| since > age))
}

fn remove(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::debug!("{}: not taken away ({e})", path.display());
    }
}

/// The middle of a packed file's name; `None` for any other file.
fn kernel_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let mut parts = name.split('.');
    let (weights, kernel, about) = (parts.next()?, parts.next()?, parts.next()?);
    let packed = weights.len() == 64 && about.len() == 16 && parts.next().is_none();
    (packed && !kernel.ends_with("-auto")).then(|| kernel.to_owned())
}
