//! What is asked: a text, a photo, an item or a vector, with how many hits and which items may answer.

use serde::Deserialize;

use super::{MAX_TEXT, SearchError};
use crate::store::Filter;
use crate::text;
use crate::types::ItemKey;

/// One question to one collection.
#[derive(Debug, Clone)]
pub struct Query {
    pub ask: Ask,
    pub page: Page,
    pub filter: Filter,
}

/// What to look for.
#[derive(Debug, Clone)]
pub enum Ask {
    Text(String),
    /// The bytes of a picture file.
    Photo(Vec<u8>),
    /// "More like this": an item of the same collection, itself left out.
    Item(ItemKey),
    Vector(Vec<f32>),
    /// Photos by what they look like and by their words: two rankings, fused.
    Both(Like, String),
}

/// What photos are to look like.
#[derive(Debug, Clone)]
pub enum Like {
    /// The bytes of a picture file.
    Photo(Vec<u8>),
    /// An item of the same collection, itself left out.
    Item(ItemKey),
}

/// Which hits are wanted: `k` items from rank `offset + 1` on, none below `min_score`
/// (of several rankings, in none of them).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Page {
    pub k: usize,
    pub offset: usize,
    pub min_score: Option<f32>,
}

impl Default for Page {
    fn default() -> Self {
        Self { k: 10, offset: 0, min_score: None }
    }
}

/// Most hits given at once.
pub const MAX_K: usize = 10_000;

impl Query {
    /// # Errors
    /// What cannot be asked: an empty or over-long text, no hits or too many, a `min_score` that is no number.
    pub fn check(&self) -> Result<(), SearchError> {
        match self.page.k {
            0 => return Err(SearchError::NoHits),
            k if k > MAX_K => return Err(SearchError::ManyHits { k, max: MAX_K }),
            _ => {}
        }
        if self.page.min_score.is_some_and(|s| !s.is_finite()) {
            return Err(SearchError::MinScore);
        }
        match &self.ask {
            Ask::Text(text) | Ask::Both(_, text) if text.len() > MAX_TEXT => {
                Err(SearchError::LongText { bytes: text.len(), max: MAX_TEXT })
            }
            Ask::Text(text) | Ask::Both(_, text) if text::normalise(text).is_empty() => {
                Err(SearchError::EmptyText)
            }
            _ => Ok(()),
        }
    }
}
