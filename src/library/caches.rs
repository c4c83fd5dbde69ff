//! Whether what lies in the cache is as it was made. All of it may be deleted; a damaged file is found before it is used,
//! and made again.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::Library;
use super::pictures::whole_thumbnail;
use crate::index;

/// What a look into the cache found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheCheck {
    pub indexes: usize,
    pub thumbnails: usize,
    /// Damaged files.
    pub damaged: Vec<PathBuf>,
}

impl Library {
    /// Reads every index and every thumbnail.
    pub fn check_caches(&self) -> CacheCheck {
        let cache = &self.shared.cache;
        let mut found = CacheCheck::default();
        for path in files(&cache.join("ann"), "faiss") {
            found.indexes += 1;
            if index::check_file(&path).is_err() {
                found.damaged.push(path);
            }
        }
        for path in files(&cache.join("thumbs"), "jpg") {
            found.thumbnails += 1;
            if !fs::read(&path).is_ok_and(|bytes| whole_thumbnail(bytes).is_some()) {
                found.damaged.push(path);
            }
        }
        found.damaged.sort();
        found
    }
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let all = WalkDir::new(folder).into_iter().flatten().map(walkdir::DirEntry::into_path);
    all.filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
}
