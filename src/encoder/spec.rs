//! All that is needed to load one encoder, as data. Knows nothing of where it came from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Modality;
use crate::photo::Preprocess;
use crate::types::EncoderName;

/// One encoder, ready to be loaded: its files are on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderSpec {
    pub name: EncoderName,
    pub modality: Modality,
    pub architecture: Architecture,
    /// Of a text encoder's token vectors; a ResNet always averages its last map.
    pub pooling: Pooling,
    /// What follows pooling, in order; empty for most.
    pub head: Vec<Step>,
    /// The card's limit, special tokens counted; the model's positions limit it too.
    pub max_tokens: Option<usize>,
    /// Put before a query, and before what is sought; may be empty.
    pub query_prefix: String,
    pub passage_prefix: String,
    /// Photo encoders only.
    pub preprocess: Option<Preprocess>,
    /// ISO 639-1 codes; empty for photos.
    pub languages: Vec<String>,
    pub files: ModelFiles,
}

impl EncoderSpec {
    /// Numbers in a vector.
    pub fn dim(&self) -> usize {
        Step::dim(&self.head).unwrap_or(self.architecture.dim())
    }

    /// Tokens that are read of one text: the card's limit, but never more than the network has positions for. `None`
    /// where there are no positions.
    pub fn positions_read(&self) -> Option<usize> {
        let most = self.architecture.positions()?;
        Some(self.max_tokens.map_or(most, |max| max.min(most)))
    }
}

/// One of sentence-transformers' modules behind pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To length 1.
    Normalize,
    /// `squash(w x + b)`
    Dense { input: usize, output: usize, bias: bool, squash: Squash, weights: PathBuf },
}

impl Step {
    /// Numbers that leave the last dense layer; `None` without one.
    pub fn dim(steps: &[Self]) -> Option<usize> {
        steps.iter().rev().find_map(|step| match step {
            Self::Dense { output, .. } => Some(*output),
            Self::Normalize => None,
        })
    }
}

/// Behind a dense layer of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Squash {
    Tanh,
    Identity,
}

/// Where a model's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// safetensors, or PyTorch's zip form.
    pub weights: PathBuf,
    /// `tokenizer.json` or `vocab.txt`; text encoders only.
    pub tokenizer: Option<PathBuf>,
}

/// What network the weights are for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    Bert(BertConfig),
    /// BERT's layers behind RoBERTa's positions.
    #[serde(rename = "xlm-roberta")]
    XlmRoberta(BertConfig),
    Albert(AlbertConfig),
    ResNet(ResNetConfig),
    /// No network and no file.
    #[serde(rename = "ngram-hash")]
    NgramHash(NgramConfig),
}

impl Architecture {
    /// The most tokens that one text may have, special ones counted; `None` where there is no such limit.
    pub fn positions(&self) -> Option<usize> {
        match self {
            Self::Bert(c) | Self::XlmRoberta(c) => Some(c.max_position_embeddings - c.position_offset),
            Self::Albert(c) => Some(c.max_position_embeddings),
            Self::ResNet(_) | Self::NgramHash(_) => None,
        }
    }

    /// Numbers that leave the network.
    pub fn dim(&self) -> usize {
        match self {
            Self::Bert(c) | Self::XlmRoberta(c) => c.hidden_size,
            Self::Albert(c) => c.hidden_size,
            Self::ResNet(c) => c.dim(),
            Self::NgramHash(c) => c.dim,
        }
    }
}

/// How token vectors become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// The mean over all tokens, special ones too, padding not.
    Mean,
    /// The largest of each component, over the same tokens.
    Max,
    /// The sum over the same tokens, divided by the root of their number.
    #[serde(rename = "mean_sqrt_len")]
    MeanSqrtLen,
}

/// Between the two layers of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// With erf.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// With tanh.
    #[serde(alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    Relu,
}

/// BERT, in the names of a Hugging Face `config.json`, from which it can be read directly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    #[serde(default = "gelu")]
    pub hidden_act: Activation,
    pub max_position_embeddings: usize,
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    #[serde(default = "tiny")]
    pub layer_norm_eps: f64,
    /// Position of the first token; RoBERTa's begin behind that of its padding, which has the padding's id.
    #[serde(default)]
    pub position_offset: usize,
    /// Only `absolute` is computed.
    #[serde(default = "absolute")]
    pub position_embedding_type: String,
}

/// ALBERT, likewise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlbertConfig {
    pub vocab_size: usize,
    pub embedding_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    #[serde(default = "one")]
    pub num_hidden_groups: usize,
    #[serde(default = "one")]
    pub inner_group_num: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    #[serde(default = "gelu_new")]
    pub hidden_act: Activation,
    pub max_position_embeddings: usize,
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    #[serde(default = "tiny")]
    pub layer_norm_eps: f64,
    #[serde(default = "absolute")]
    pub position_embedding_type: String,
}

fn one() -> usize {
    1
}
fn two() -> usize {
    2
}
fn tiny() -> f64 {
    1e-12
}
fn gelu() -> Activation {
    Activation::Gelu
}
fn gelu_new() -> Activation {
    Activation::GeluNew
}
fn absolute() -> String {
    "absolute".to_owned()
}

/// What a ResNet's stages are built of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3 (which carries the stride, V1.5), 1×1 to four times the width.
    Bottleneck,
}

impl Block {
    /// Channels that leave a block, as a multiple of its width.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// A ResNet without its classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResNetConfig {
    pub block: Block,
    /// Blocks per stage.
    pub layers: [usize; 4],
    /// Channels of the first stage: 64 in all published ones.
    pub width: usize,
}

impl ResNetConfig {
    /// torchvision's `resnet18`, 34, 50, 101 and 152; `None` for any other depth.
    pub fn of_depth(depth: u32) -> Option<Self> {
        let (block, layers) = match depth {
            18 => (Block::Basic, [2, 2, 2, 2]),
            34 => (Block::Basic, [3, 4, 6, 3]),
            50 => (Block::Bottleneck, [3, 4, 6, 3]),
            101 => (Block::Bottleneck, [3, 4, 23, 3]),
            152 => (Block::Bottleneck, [3, 8, 36, 3]),
            _ => return None,
        };
        Some(Self { block, layers, width: 64 })
    }

    /// Features after global average pooling: 512, or 2048 for 50 and up.
    pub fn dim(&self) -> usize {
        self.width.saturating_mul(8 * self.block.expansion())
    }
}

/// Hashed n-grams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NgramConfig {
    pub dim: usize,
    /// Of the hashing, see `text::ngram::REVISION`.
    pub revision: u32,
}
