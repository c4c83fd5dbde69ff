//! The craft of encoding: a card becomes a loaded encoder; text or pixels become vectors. Knows no collection, no index.

mod albert;
mod bert;
mod blueprint;
mod card;
mod catalog;
mod check;
mod conv;
mod device;
mod digest;
mod discover;
mod error;
mod folder;
mod head;
mod language;
mod layers;
mod loaded;
mod manifest;
mod ngram_hash;
mod packed;
mod places;
mod precision;
mod processor;
mod pull;
mod pytorch;
mod resnet;
mod samples;
mod source;
mod space;
mod spec;
mod stored;
mod tokens;
mod transformer;
mod weights;

use serde::{Deserialize, Serialize};

use crate::types::Vector;

pub use card::{Card, CardPreprocess, Family, Parity, Pins, Prefixes, SourceCard};
pub use catalog::{Catalog, Entry, State, Understood, Verification};
pub use device::{DeviceError, device_name, use_device};
pub use digest::{Digests, FileState};
pub use error::EncoderError;
pub use loaded::Encoder;
pub use manifest::{Checked, check_folders};
pub use packed::{PackedCache, PackedCheck, PackedFile};
pub use places::{Origin, Places};
pub use processor::use_threads;
pub use source::{Progress, SourceError, Watcher};
pub use space::{Precision, Space, SpaceStep};
pub use spec::{
    Activation, AlbertConfig, Architecture, BertConfig, Block, EncoderSpec, ModelFiles, NgramConfig, Pooling,
    ResNetConfig, Squash, Step,
};

/// What an encoder reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    Text,
    Photo,
}

impl std::fmt::Display for Modality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "texts",
            Self::Photo => "photos",
        })
    }
}

/// What a text is for; some encoders want other words before a query than before what is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Query,
    Passage,
}

/// What an encoder makes of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    pub vector: Vector,
    /// The text was longer than the model reads; its end was left out.
    pub truncated: bool,
}

impl Modality {
    /// `text` or `photo`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Photo => "photo",
        }
    }
}
