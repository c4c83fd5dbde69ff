//! What a person is told of a collection.

use serde::{Deserialize, Serialize};

use crate::index::Recipe;
use crate::store::RootRecord;
use crate::types::{CollectionName, Dim, EncoderName, Kind};

/// What a person wants to know of a collection.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CollectionInfo {
    pub name: CollectionName,
    pub kind: Kind,
    pub items: u64,
    pub vectors: u64,
    pub encoder: Option<EncoderName>,
    pub dim: Option<Dim>,
    /// How many photos have a caption that can be searched.
    #[serde(skip_serializing_if = "is_zero")]
    pub captions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption_encoder: Option<EncoderName>,
    /// What was asked for.
    pub recipe: Recipe,
    /// What a search uses now.
    pub index: String,
    pub roots: Vec<RootInfo>,
    /// Of vectors on disk.
    pub bytes: u64,
    /// RFC 3339.
    pub created: String,
    /// The switch to another encoder that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switching: Option<SwitchInfo>,
    /// The same of its captions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption_switching: Option<SwitchInfo>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Where items of a collection came from.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RootInfo {
    pub kind: &'static str,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl From<RootRecord> for RootInfo {
    fn from(root: RootRecord) -> Self {
        Self { kind: root.kind.as_str(), name: root.name, prefix: root.prefix }
    }
}

/// A switch under way, for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SwitchInfo {
    pub encoder: EncoderName,
    pub dim: Dim,
    /// Parts (texts, photos) that have a vector of the new encoder, of so many.
    pub filled: u64,
    pub parts: u64,
}
