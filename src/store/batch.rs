//! What is to become true together in a collection, and what a commit changed.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::collections::RootId;
use super::{Body, ContentId, ItemId, Segment, SegmentId, Stamp};
use crate::types::{ItemKey, Vector};

/// Changes to one collection that become true together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Added, or put in the place of the item of the same key; of two with one key the last counts.
    pub upserts: Vec<NewItem>,
    /// Taken out first; unknown keys count nothing.
    pub deletes: Vec<ItemKey>,
}

/// An item to be kept.
#[derive(Debug, Clone)]
pub struct NewItem {
    pub key: ItemKey,
    pub root: Option<RootId>,
    pub body: Body,
    pub tags: Vec<String>,
    pub extra: Map<String, Value>,
    pub stamp: Option<Stamp>,
    pub content: Option<ContentId>,
    /// For keyword search, already cut.
    pub words: Vec<String>,
    pub parts: Vec<NewPart>,
}

/// A part to be kept; without a vector it is listed by `lacking_vectors`.
#[derive(Debug, Clone, Default)]
pub struct NewPart {
    pub text: Option<String>,
    /// At most one for each space: the collection's, and the one that is being filled beside it.
    pub vectors: Vec<InSpace>,
}

/// A vector and the id of the space that it was made for.
#[derive(Debug, Clone, PartialEq)]
pub struct InSpace {
    pub space: String,
    pub vector: Vector,
}

/// A row of a segment that is a part's current vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LiveRow {
    pub segment: SegmentId,
    pub row: u32,
    pub item: ItemId,
    pub part: u16,
}

/// What a commit changed.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    pub added: u64,
    pub replaced: u64,
    pub deleted: u64,
    /// Parts of items that were there already and got a vector.
    pub filled: u64,
    /// The new rows of the space that is searched; those of one that is being filled are not among them.
    pub rows: Vec<LiveRow>,
    /// Rows that are no longer anybody's.
    pub dead: Vec<(SegmentId, u32)>,
    /// The segments that have the new rows, mapped to their new length.
    pub segments: Vec<Arc<Segment>>,
}
