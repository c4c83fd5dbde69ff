//! What stops an import as a whole. What is wrong with one item goes into the report instead.

use std::io;
use std::path::{Path, PathBuf};

use crate::encoder::EncoderError;
use crate::index::RecipeError;
use crate::library::LibraryError;
use crate::photo::PhotoError;
use crate::store::StoreError;
use crate::text::table::TableError;
use crate::types::{Coded, CollectionName, EncoderName, Fault, ItemKey, NameError};

/// Why an import cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    #[error("{}: there is nothing at this path; check its spelling", .path.display())]
    Missing { path: PathBuf },
    #[error("{}: cannot be read ({source}); check its permissions", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: is neither a file nor a folder; give a folder, a photo, or a .csv, .tsv or .jsonl table", .path.display())]
    Special { path: PathBuf },
    #[error("{}: is a view of the running system and holds no files; give a folder, a photo or a table", .path.display())]
    SystemView { path: PathBuf },
    #[error("{}: holds what simile itself keeps; give a folder of your own", .path.display())]
    Ours { path: PathBuf },
    #[error("{}: is a folder; give the table of captions in it", .path.display())]
    CaptionsFolder { path: PathBuf },
    #[error("{}: {source}; split it into several", .path.display())]
    TooLarge { path: PathBuf, source: io::Error },
    #[error("there are {most} uploads open already; finish one, or wait until they end by themselves")]
    TooManyUploads { most: usize },
    #[error("{files} files are announced, at most {most} may come in one upload; send them as several")]
    TooManyFiles { files: u64, most: u64 },
    #[error("{}: the folder is empty; give one that holds photos", .path.display())]
    EmptyFolder { path: PathBuf },
    #[error(
        "{count} keys, {example:?} first, belong already to {other}; choose a prefix for this source (--prefix NAME)"
    )]
    Collides { count: usize, example: String, other: String },
    #[error(
        "{}: not pruned: {why}; if that is meant, say so with --force", .path.display()
    )]
    PruneRefused { path: PathBuf, why: String },
    #[error("prefix {prefix:?} cannot be; use a name without empty parts, '.' or '..'")]
    Prefix { prefix: String },
    #[error("{path:?} cannot be a key; give a relative path without '.', '..' and empty parts")]
    Path { path: String },
    #[error("{path}: is no picture and no FAQ table ({why})")]
    NotTaken { path: String, why: String },
    #[error("there is no upload {0}; open a new one")]
    UnknownUpload(i64),
    #[error("{source}")]
    Table { path: String, source: TableError },
    #[error("{path}: {source}")]
    Photo { path: String, source: PhotoError },
    #[error("{:?}: the caption has {bytes} bytes, at most {max} are taken; shorten it", .key.as_str())]
    LongCaption { key: ItemKey, bytes: usize, max: usize },
    #[error("captions belong to photos, and this is an FAQ; leave them out")]
    CaptionsOfFaq,
    #[error(
        "the captions of {collection} were encoded with {has}, and {wanted} makes other vectors; switch them with: simile collections switch {collection} --captions {wanted}"
    )]
    OtherCaptionEncoder { collection: CollectionName, has: EncoderName, wanted: EncoderName },
    #[error("the question is empty; give it at least one word")]
    EmptyQuestion,
    #[error("the answer is empty; give it at least one word")]
    EmptyAnswer,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl IngestError {
    /// What is wrong, without the name of a photo that stands beside it.
    pub fn reason(&self) -> String {
        match self {
            Self::Photo { source, .. } => source.to_string(),
            other => other.to_string(),
        }
    }

    /// The error for a path that could not be looked at.
    pub fn path(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::InvalidInput => Self::Special { path },
            io::ErrorKind::FileTooLarge => Self::TooLarge { path, source },
            _ => Self::Unreadable { path, source },
        }
    }
}

impl From<StoreError> for IngestError {
    fn from(e: StoreError) -> Self {
        Self::Library(e.into())
    }
}
impl From<EncoderError> for IngestError {
    fn from(e: EncoderError) -> Self {
        Self::Library(e.into())
    }
}
impl From<RecipeError> for IngestError {
    fn from(e: RecipeError) -> Self {
        Self::Library(e.into())
    }
}

impl Coded for IngestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "path.missing",
            Self::Unreadable { .. } => "path.unreadable",
            Self::Special { .. }
            | Self::SystemView { .. }
            | Self::Ours { .. }
            | Self::CaptionsFolder { .. } => "path.special",
            Self::TooLarge { .. } => "path.too_large",
            Self::TooManyUploads { .. } => "upload.too_many",
            Self::TooManyFiles { .. } => "upload.too_many_files",
            Self::EmptyFolder { .. } => "folder.empty",
            Self::Collides { .. } => "key.collides",
            Self::PruneRefused { .. } => "prune.refused",
            Self::Prefix { .. } => "key.prefix",
            Self::Path { .. } => "key.path",
            Self::NotTaken { .. } => "upload.not_taken",
            Self::UnknownUpload(_) => "upload.unknown",
            Self::LongCaption { .. } => "caption.too_long",
            Self::CaptionsOfFaq => "captions.of_faq",
            Self::OtherCaptionEncoder { .. } => "collection.other_encoder",
            Self::EmptyQuestion => "faq.question_empty",
            Self::EmptyAnswer => "faq.answer_empty",
            Self::Table { source, .. } => source.code(),
            Self::Photo { source, .. } => source.code(),
            Self::Name(e) => e.code(),
            Self::Library(e) => e.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Missing { .. } | Self::UnknownUpload(_) => Fault::NotFound,
            Self::Collides { .. } | Self::PruneRefused { .. } | Self::OtherCaptionEncoder { .. } => {
                Fault::Conflict
            }
            Self::NotTaken { .. } => Fault::Unsupported,
            Self::TooLarge { .. } | Self::TooManyFiles { .. } => Fault::TooLarge,
            Self::TooManyUploads { .. } => Fault::Busy,
            Self::LongCaption { .. } => Fault::TooLarge,
            Self::Table { source, .. } => source.fault(),
            Self::Photo { source, .. } => source.fault(),
            Self::Library(e) => e.fault(),
            _ => Fault::Input,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Missing { .. }
            | Self::Unreadable { .. }
            | Self::Special { .. }
            | Self::SystemView { .. }
            | Self::Ours { .. }
            | Self::TooLarge { .. }
            | Self::EmptyFolder { .. } => Some("path"),
            Self::TooManyFiles { .. } => Some("files"),
            Self::Collides { .. } | Self::Prefix { .. } => Some("prefix"),
            Self::CaptionsOfFaq | Self::CaptionsFolder { .. } => Some("captions"),
            Self::OtherCaptionEncoder { .. } => Some("caption_encoder"),
            Self::LongCaption { .. } => Some("caption"),
            Self::EmptyQuestion => Some("question"),
            Self::EmptyAnswer => Some("answer"),
            Self::Name(e) => e.field(),
            Self::Library(e) => e.field(),
            _ => None,
        }
    }

    fn item(&self) -> Option<String> {
        match self {
            Self::Missing { path }
            | Self::Unreadable { path, .. }
            | Self::Special { path }
            | Self::SystemView { path }
            | Self::Ours { path }
            | Self::CaptionsFolder { path }
            | Self::TooLarge { path, .. }
            | Self::EmptyFolder { path }
            | Self::PruneRefused { path, .. } => Some(path.display().to_string()),
            Self::Collides { example, .. } => Some(example.clone()),
            Self::Prefix { prefix } => Some(prefix.clone()),
            Self::Path { path } | Self::NotTaken { path, .. } | Self::Photo { path, .. } => {
                Some(path.clone())
            }
            Self::UnknownUpload(id) => Some(id.to_string()),
            Self::LongCaption { key, .. } => Some(key.to_string()),
            Self::OtherCaptionEncoder { collection, .. } => Some(collection.to_string()),
            Self::Table { path, source } => source.item().or_else(|| Some(path.clone())),
            Self::Name(e) => e.item(),
            Self::Library(e) => e.item(),
            Self::TooManyUploads { .. }
            | Self::TooManyFiles { .. }
            | Self::CaptionsOfFaq
            | Self::EmptyQuestion
            | Self::EmptyAnswer => None,
        }
    }
}
