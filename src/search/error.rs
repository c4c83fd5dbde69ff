//! Why a question cannot be answered.

use crate::encoder::EncoderError;
use crate::library::LibraryError;
use crate::photo::PhotoError;
use crate::store::StoreError;
use crate::types::{Coded, CollectionName, Fault, ItemKey, VectorError};

/// What is wrong with a question, or with what should answer it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    #[error("the query is empty; type at least one word")]
    EmptyText,
    #[error("the query has {bytes} bytes, at most {max} are searched for; shorten it")]
    LongText { bytes: usize, max: usize },
    #[error("k is 0; ask for at least 1 hit")]
    NoHits,
    #[error("k is {k}, at most {max} hits are given at once; use offset for more")]
    ManyHits { k: usize, max: usize },
    #[error("min_score is not a finite number; cosines lie between -1 and 1")]
    MinScore,
    #[error("collection {collection} holds an FAQ, which no photo can be asked of; ask with text")]
    PhotoOfFaq { collection: CollectionName },
    #[error("collection {collection} holds an FAQ; ask it by a text or by an item, not by both")]
    BothOfFaq { collection: CollectionName },
    #[error("item {:?} has no vector; index its source again", .key.as_str())]
    LostVector { key: ItemKey },
    #[error("collection {collection} holds photos, which have no answers; search it instead")]
    NotAnFaq { collection: CollectionName },
    #[error(transparent)]
    Vector(#[from] VectorError),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl From<StoreError> for SearchError {
    fn from(e: StoreError) -> Self {
        Self::Library(e.into())
    }
}
impl From<EncoderError> for SearchError {
    fn from(e: EncoderError) -> Self {
        Self::Library(e.into())
    }
}

impl Coded for SearchError {
    fn code(&self) -> &'static str {
        match self {
            Self::EmptyText => "query.empty",
            Self::LongText { .. } => "query.too_long",
            Self::NoHits | Self::ManyHits { .. } => "query.k",
            Self::MinScore => "query.min_score",
            Self::PhotoOfFaq { .. } => "query.photo_of_faq",
            Self::BothOfFaq { .. } => "query.both_of_faq",
            Self::LostVector { .. } => "item.no_vector",
            Self::NotAnFaq { .. } => "query.not_an_faq",
            Self::Vector(e) => e.code(),
            Self::Photo(e) => e.code(),
            Self::Library(e) => e.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::LongText { .. } => Fault::TooLarge,
            Self::LostVector { .. } => Fault::NotFound,
            Self::Vector(e) => e.fault(),
            Self::Photo(e) => e.fault(),
            Self::Library(e) => e.fault(),
            _ => Fault::Input,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::EmptyText | Self::LongText { .. } => Some("text"),
            Self::NoHits | Self::ManyHits { .. } => Some("k"),
            Self::MinScore => Some("min_score"),
            Self::PhotoOfFaq { .. } | Self::Photo(_) => Some("photo"),
            Self::BothOfFaq { .. } => Some("text"),
            Self::LostVector { .. } => Some("item"),
            Self::NotAnFaq { .. } => Some("collection"),
            Self::Vector(e) => e.field(),
            Self::Library(e) => e.field(),
        }
    }

    fn item(&self) -> Option<String> {
        match self {
            Self::PhotoOfFaq { collection }
            | Self::BothOfFaq { collection }
            | Self::NotAnFaq { collection } => Some(collection.to_string()),
            Self::LostVector { key } => Some(key.to_string()),
            Self::Vector(e) => e.item(),
            Self::Photo(e) => e.item(),
            Self::Library(e) => e.item(),
            Self::EmptyText
            | Self::LongText { .. }
            | Self::NoHits
            | Self::ManyHits { .. }
            | Self::MinScore => None,
        }
    }
}
