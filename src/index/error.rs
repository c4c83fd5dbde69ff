//! What can go wrong with an index file and its building; a flat scan cannot fail.

use std::path::{Path, PathBuf};

use simile_faiss::FaissError;

use super::{Recipe, RecipeError};
use crate::types::{Coded, Fault};

/// Why there is no index. The flat scan serves meanwhile: none of these stops a search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error("{}: there is no index file; it is built again", .path.display())]
    Missing { path: PathBuf },
    #[error("{}: the index file is damaged ({why}); it is built again", .path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{}: the index file is of {is}, not of {wanted}; it is built again", .path.display())]
    Stale { path: PathBuf, is: String, wanted: String },
    #[error("{}: could not be {done} ({source}); check the disk and its rights", .path.display())]
    Io { path: PathBuf, done: &'static str, source: std::io::Error },
    #[error("{recipe}: {source}; the flat scan serves instead")]
    Faiss { recipe: Recipe, source: FaissError },
    #[error("building {recipe} failed: {why}; the flat scan serves instead")]
    BuildFailed { recipe: Recipe, why: String },
    #[error("building {recipe} was cancelled; the flat scan serves until it is built")]
    Cancelled { recipe: Recipe },
    #[error("this processor has no AVX2, which Faiss was compiled for; the flat scan serves instead")]
    Processor,
}

impl IndexError {
    pub(super) fn io(path: &Path, done: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), done, source }
    }

    /// Whether building the file anew heals it.
    pub fn rebuild(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Damaged { .. } | Self::Stale { .. } | Self::Faiss { .. })
    }
}

impl Coded for IndexError {
    fn code(&self) -> &'static str {
        match self {
            Self::Recipe(e) => e.code(),
            Self::Missing { .. } => "index.missing",
            Self::Damaged { .. } => "index.damaged",
            Self::Stale { .. } => "index.stale",
            Self::Io { .. } => "index.io",
            Self::Faiss { .. } => "index.faiss",
            Self::BuildFailed { .. } => "index.build_failed",
            Self::Cancelled { .. } => "index.cancelled",
            Self::Processor => "index.processor",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Recipe(e) => e.fault(),
            Self::Cancelled { .. } => Fault::Conflict,
            Self::Processor => Fault::Unavailable,
            _ => Fault::Internal,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Recipe(e) => e.field(),
            _ => None,
        }
    }

    fn item(&self) -> Option<String> {
        match self {
            Self::Recipe(e) => e.item(),
            Self::Missing { path }
            | Self::Damaged { path, .. }
            | Self::Stale { path, .. }
            | Self::Io { path, .. } => Some(path.display().to_string()),
            Self::Faiss { recipe, .. } | Self::BuildFailed { recipe, .. } | Self::Cancelled { recipe } => {
                Some(recipe.to_string())
            }
            Self::Processor => None,
        }
    }
}
