//! The embedding space: all that made a vector, and its id.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::Loaded;
use super::{Architecture, Digests, EncoderSpec, Modality, Pooling, Squash, Step};
use crate::photo::Preprocess;
use crate::types::{EncoderName, SpaceId};

/// What class of numbers vectors are computed in; those of one class agree to a cosine of 0.9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 or bf16.
    F32,
    /// Whole numbers, scaled as each text needs it.
    Int8,
}

/// All that made a vector. Two vectors are compared only if theirs are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Space {
    pub encoder: EncoderName,
    pub architecture: Architecture,
    /// sha256 of the file, hex.
    pub weights: String,
    pub tokenizer: Option<String>,
    pub pooling: Option<Pooling>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<SpaceStep>,
    pub query_prefix: String,
    pub passage_prefix: String,
    /// Tokens read at most, special ones counted.
    pub max_tokens: Option<usize>,
    pub preprocess: Option<Preprocess>,
    pub precision: Precision,
    pub revision: u32,
}

/// What follows pooling, by the hash of its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpaceStep {
    Normalize,
    Dense { output: usize, squash: Squash, weights: String },
}

impl Space {
    /// Raised when the same files give other vectors (decoding, tokenizing, order of operations).
    pub const REVISION: u32 = 1;

    /// The space of what `spec` tells of, computed in numbers of this class.
    ///
    /// # Errors
    /// `Unreadable`.
    pub fn of(spec: &EncoderSpec, digests: &Digests, precision: Precision) -> Loaded<Self> {
        let tokenizer = |path: &Path| {
            // A word list is read with what lies beside it.
            let beside = path.with_file_name("tokenizer_config.json");
            let words = path.extension().is_some_and(|end| end == "txt") && beside.is_file();
            Ok(if words {
                format!("{}+{}", digests.of(path)?, digests.of(&beside)?)
            } else {
                digests.of(path)?
            })
        };
        let text = spec.modality == Modality::Text;
        let step = |step: &Step| match step {
            Step::Normalize => Ok(SpaceStep::Normalize),
            Step::Dense { output, squash, weights, .. } => {
                Ok(SpaceStep::Dense { output: *output, squash: *squash, weights: digests.of(weights)? })
            }
        };
        let head = spec.head.iter().map(step).collect::<Loaded<_>>()?;
        Ok(Self {
            encoder: spec.name.clone(),
            architecture: spec.architecture.clone(),
            weights: digests.of(&spec.files.weights)?,
            tokenizer: spec.files.tokenizer.as_deref().map(tokenizer).transpose()?,
            pooling: text.then_some(spec.pooling),
            head,
            query_prefix: spec.query_prefix.clone(),
            passage_prefix: spec.passage_prefix.clone(),
            max_tokens: spec.positions_read(),
            preprocess: spec.preprocess.clone(),
            precision,
            revision: Self::REVISION,
        })
    }

    /// Hash over the JSON of all fields in their order here.
    pub fn id(&self) -> SpaceId {
        let json = serde_json::to_vec(self).expect("plain data has a JSON form");
        SpaceId::from_digest(&Sha256::digest(json).into())
    }
}
