//! What can go wrong between a data folder and a collection.

use crate::encoder::EncoderError;
use crate::index::{IndexError, RecipeError};
use crate::photo::PhotoError;
use crate::store::StoreError;
use crate::text::ngram::WeightsError;
use crate::types::{Coded, CollectionName, Fault, ItemKey, Kind};

/// Why a library cannot do what was asked. Faults of the crafts below pass through with their own codes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    #[error("there is no collection {name}{}; create it by indexing into it", list(.known))]
    UnknownCollection { name: CollectionName, known: Vec<CollectionName> },
    #[error("collection {name} exists already; choose another name, or index into it")]
    CollectionExists { name: CollectionName },
    #[error("collection {name} holds {}, not {}; choose another collection", what(*.has), what(*.wanted))]
    WrongKind { name: CollectionName, has: Kind, wanted: Kind },
    #[error("collection {collection} has no item {:?}; list its items to see their keys", .key.as_str())]
    UnknownItem { collection: CollectionName, key: ItemKey },
    #[error("collection {collection} has no encoder yet; index something into it first")]
    NoEncoderYet { collection: CollectionName },
    #[error(
        "collection {collection} was encoded with {has}, and {wanted} makes other vectors; switch it with: simile collections switch {collection} --encoder {wanted}"
    )]
    OtherEncoder { collection: CollectionName, has: String, wanted: String },
    #[error("there is no job {0}; see the list of jobs")]
    UnknownJob(i64),
    #[error("{path}: cannot be read ({source}); is the original still there?")]
    Original { path: String, source: std::io::Error },
    #[error("{path}: is no longer what was indexed; index its folder again")]
    OriginalChanged { path: String },
    #[error(
        "this needs the data folder to be open for writing; stop the program that holds it, or use its address"
    )]
    ReadOnly,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Fitted(#[from] WeightsError),
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Photos => "photos",
        Kind::Faq => "an FAQ",
    }
}

fn list(names: &[CollectionName]) -> String {
    if names.is_empty() {
        return String::new();
    }
    const SHOWN: usize = 10;
    let more = if names.len() > SHOWN { " …" } else { "" };
    let names: Vec<_> = names.iter().take(SHOWN).map(CollectionName::as_str).collect();
    format!(" (there is {}{more})", names.join(", "))
}

impl LibraryError {
    /// Whether the work ended because that was wished while an encoder's files were on their way.
    pub fn was_stopped(&self) -> bool {
        matches!(self, Self::Encoder(e) if e.was_stopped())
    }

    fn craft(&self) -> Option<&dyn Coded> {
        match self {
            Self::Store(e) => Some(e),
            Self::Encoder(e) => Some(e),
            Self::Index(e) => Some(e),
            Self::Recipe(e) => Some(e),
            Self::Photo(e) => Some(e),
            Self::Fitted(e) => Some(e),
            _ => None,
        }
    }
}

impl Coded for LibraryError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownCollection { .. } => "collection.unknown",
            Self::CollectionExists { .. } => "collection.exists",
            Self::WrongKind { .. } => "collection.kind",
            Self::UnknownItem { .. } => "item.unknown",
            Self::NoEncoderYet { .. } => "collection.no_encoder",
            Self::OtherEncoder { .. } => "collection.other_encoder",
            Self::UnknownJob(_) => "job.unknown",
            Self::Original { .. } => "photo.original",
            Self::OriginalChanged { .. } => "photo.changed",
            Self::ReadOnly => "library.read_only",
            _ => self.craft().map_or("library.unknown", Coded::code),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::UnknownCollection { .. } | Self::UnknownItem { .. } | Self::UnknownJob(_) => {
                Fault::NotFound
            }
            Self::CollectionExists { .. } | Self::OtherEncoder { .. } | Self::OriginalChanged { .. } => {
                Fault::Conflict
            }
            Self::WrongKind { .. } => Fault::Input,
            Self::NoEncoderYet { .. } | Self::ReadOnly => Fault::Unavailable,
            Self::Original { .. } => Fault::NotFound,
            _ => self.craft().map_or(Fault::Internal, Coded::fault),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownCollection { .. } | Self::WrongKind { .. } => Some("collection"),
            Self::OtherEncoder { .. } => Some("encoder"),
            _ => self.craft().and_then(Coded::field),
        }
    }

    fn item(&self) -> Option<String> {
        match self {
            Self::UnknownCollection { name, .. }
            | Self::CollectionExists { name }
            | Self::WrongKind { name, .. }
            | Self::NoEncoderYet { collection: name }
            | Self::OtherEncoder { collection: name, .. } => Some(name.to_string()),
            Self::UnknownItem { key, .. } => Some(key.to_string()),
            Self::UnknownJob(id) => Some(id.to_string()),
            Self::Original { path, .. } | Self::OriginalChanged { path } => Some(path.clone()),
            _ => self.craft().and_then(Coded::item),
        }
    }
}
