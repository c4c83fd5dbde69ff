//! Why something cannot be measured.

use std::path::PathBuf;

use crate::encoder::EncoderError;
use crate::photo::{AugmentError, PhotoError};
use crate::text::table::TableError;
use crate::types::{Coded, EncoderName, Fault};

#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    #[error("{place} has nothing to encode, so it has no vector; write a text, or remove the line")]
    EmptyText { place: String },
    #[error("line {line}: no entry of the FAQ has the id {id:?}; correct faq_id, or add the entry")]
    UnknownEntry { line: u64, id: String },
    #[error(
        "one of the two halves is without pairs, so no threshold can be chosen; give at least a few dozen pairs"
    )]
    TooFew,
    #[error("{}: holds photos of {found} classes; put them into at least two folders, one for each class", .folder.display())]
    TooFewClasses { folder: PathBuf, found: usize },
    #[error("{}: cannot be read ({source}); check its permissions", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", .path.display())]
    Photo { path: PathBuf, source: PhotoError },
    #[error(transparent)]
    Copies(#[from] AugmentError),
    #[error("{}: holds no copy named <stem>_<n>.jpg of the photos; make some with simile augment", .folder.display())]
    NoCopies { folder: PathBuf },
    #[error("{0} is not fitted on texts; name ngram-hash, or leave --fitted-on out")]
    NotFitted(EncoderName),
    #[error("{0} reads text, and these are photos; name a photo encoder")]
    NoPhotoEncoder(EncoderName),
}

impl EvalError {
    /// Names the text that an encoder could not read.
    pub(super) fn of(why: EncoderError, place: impl FnOnce(usize) -> String) -> Self {
        match why {
            EncoderError::EmptyText { at } => Self::EmptyText { place: place(at) },
            other => Self::Encoder(other),
        }
    }
}

impl Coded for EvalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Table(why) => why.code(),
            Self::Encoder(why) => why.code(),
            Self::EmptyText { .. } => "text.empty",
            Self::UnknownEntry { .. } => "eval.unknown_entry",
            Self::TooFew => "eval.too_few",
            Self::TooFewClasses { .. } => "eval.classes",
            Self::Unreadable { .. } => "path.unreadable",
            Self::Photo { source, .. } => source.code(),
            Self::Copies(why) => why.code(),
            Self::NoCopies { .. } => "eval.no_copies",
            Self::NotFitted(_) => "eval.not_fitted",
            Self::NoPhotoEncoder(_) => "encoder.modality",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            Self::Table(why) => why.fault(),
            Self::Encoder(why) => why.fault(),
            Self::Photo { source, .. } => source.fault(),
            Self::Copies(why) => why.fault(),
            _ => Fault::Input,
        }
    }
}
