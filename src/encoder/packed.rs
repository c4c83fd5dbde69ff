//! Packed weights in the cache: kept by the first start that packed them, lent to every later one. Whatever is wrong with
//! them only means that weights are packed anew. Knows no network, only its pieces.

mod file;
mod tidy;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use simile_compute::Isa;
use simile_compute::kept::{Kept, PACKING, Pieces};

use super::error::Loaded;
use super::{Architecture, EncoderSpec, FileState};
use crate::photo::Preprocess;

pub use tidy::{PackedCheck, PackedFile};

/// Where packed weights lie; may be deleted at any time.
#[derive(Debug, Clone)]
pub struct PackedCache {
    folder: PathBuf,
}

/// The part of it that is one encoder's.
pub struct Shelf<'a> {
    cache: &'a PackedCache,
    /// The file that the weights came from, as it was when they were hashed.
    weights: FileState,
    /// Its sha256.
    sha256: String,
    /// What else decides how it is packed, as a hash.
    about: String,
}

/// All but the weights that a packed file depends on.
#[derive(Serialize)]
struct About<'a> {
    packing: u32,
    program: &'static str,
    architecture: &'a Architecture,
    preprocess: &'a Option<Preprocess>,
}

impl PackedCache {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The shelf of an encoder whose weights have this hash; `None` if they changed meanwhile.
    pub fn shelf(&self, spec: &EncoderSpec, sha256: &str) -> Option<Shelf<'_>> {
        let about = About {
            packing: PACKING,
            program: file::PROGRAM,
            architecture: &spec.architecture,
            preprocess: &spec.preprocess,
        };
        let about = serde_json::to_vec(&about).expect("plain data has a JSON form");
        let path = std::path::absolute(&spec.files.weights).ok()?;
        Some(Shelf {
            cache: self,
            weights: FileState::at(&path).ok()?,
            sha256: sha256.to_owned(),
            about: blake3::hash(&about).to_hex()[..16].to_owned(),
        })
    }
}

impl Shelf<'_> {
    /// The network computed in `numbers` as `again` makes it of what is kept; else as `make` packs it, and kept.
    pub fn kept_or_packed<T>(
        &self,
        numbers: &str,
        again: impl Fn(Kept) -> Option<T>,
        make: impl FnOnce() -> Loaded<T>,
        pieces: impl Fn(&T) -> Pieces<'_>,
    ) -> Loaded<T> {
        let path = self.path(numbers);
        match file::open(&path).map(&again) {
            Ok(Some(network)) => return Ok(network),
            Ok(None) => tracing::warn!("{}: of another network; packed anew", path.display()),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                tracing::warn!("{}: {e}; packed anew", path.display());
            }
            // Not there, or nothing can be: whether it can be kept is told below.
            Err(_) => {}
        }
        let packed = make()?;
        if let Err(e) = file::write(&path, &self.weights, &pieces(&packed)) {
            tracing::debug!("{}: packed weights not kept ({e})", path.display());
            return Ok(packed);
        }
        self.cache.tidy();
        // The kept ones cost no memory that the system cannot take back.
        Ok(file::open(&path).ok().and_then(again).unwrap_or(packed))
    }

    /// What `auto` was found to mean.
    pub fn choice(&self) -> Option<String> {
        fs::read_to_string(self.path(CHOICE)).ok()
    }

    pub fn note_choice(&self, numbers: &str) {
        let path = self.path(CHOICE);
        if let Err(e) = file::replace(&path, |file| std::io::Write::write_all(file, numbers.as_bytes())) {
            tracing::debug!("{}: not noted ({e})", path.display());
        }
    }

    /// `<sha256 of the weights>.<kernel>-<numbers>.<hash of all else>`
    fn path(&self, numbers: &str) -> PathBuf {
        self.cache.folder.join(format!("{}.{}-{numbers}.{}", self.sha256, Isa::current(), self.about))
    }
}

/// Stands for the numbers in the name of a file that says which numbers `auto` took.
const CHOICE: &str = "auto";
