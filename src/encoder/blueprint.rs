//! A network of the BERT family as its file has it: data for whatever computes it.

use simile_compute::LayerNorm;
use simile_compute::matrix::Act;
use simile_compute::transformer::{Embeddings, LayerParts, Linear, Sizes};

use super::error::Loaded;
use super::weights::{Scope, Weights};
use super::{Activation, EncoderError};

/// A whole network.
pub struct Blueprint<'a> {
    pub shape: Shape,
    pub embeddings: Embeddings,
    pub layers: LayerFiles<'a>,
}

/// What its configuration alone tells of a network.
#[derive(Clone)]
pub struct Shape {
    pub sizes: Sizes,
    /// Which layer comes when.
    pub order: Vec<usize>,
}

/// Layers still in their file.
pub struct LayerFiles<'a> {
    /// What all their names begin with.
    pub scopes: Vec<Scope<'a>>,
    pub weights: &'a Weights,
    pub names: &'static Names,
    pub sizes: Sizes,
    pub eps: f64,
}

/// What the parts of a layer are called in the file.
pub struct Names {
    pub query: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    pub attention_out: &'static str,
    pub attention_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub norm: &'static str,
}

/// The sizes of the embedding tables.
pub struct Tables {
    pub vocab: usize,
    pub dim: usize,
    pub positions: usize,
    /// Position of the first token.
    pub offset: usize,
    pub types: usize,
    pub eps: f64,
}

impl LayerFiles<'_> {
    /// Every layer once, read as it is taken, so that not all are in memory twice.
    pub fn read(&self) -> impl ExactSizeIterator<Item = Loaded<LayerParts>> {
        self.scopes.iter().map(|scope| self.layer(scope))
    }

    /// That candle could make no tensors of them.
    pub fn failed(&self, e: &candle_core::Error) -> EncoderError {
        self.weights.failed(e)
    }

    fn layer(&self, scope: &Scope) -> Loaded<LayerParts> {
        let (Sizes { hidden, heads, inner, .. }, names) = (self.sizes, self.names);
        Ok(LayerParts {
            qkv: attention(scope, names, hidden, heads)?,
            attention_out: linear(&scope.sub(names.attention_out), hidden, hidden)?,
            attention_norm: norm(&scope.sub(names.attention_norm), hidden, self.eps)?,
            up: linear(&scope.sub(names.up), hidden, inner)?,
            down: linear(&scope.sub(names.down), inner, hidden)?,
            norm: norm(&scope.sub(names.norm), hidden, self.eps)?,
        })
    }
}

/// Words, and positions with the first token type already added (no pairs are ever encoded).
pub fn embeddings(scope: &Scope, tables: &Tables, widen: Option<Linear>) -> Loaded<Embeddings> {
    let Tables { vocab, dim, positions, offset, types, eps } = *tables;
    let kind = scope.values("token_type_embeddings.weight", &[types, dim])?;
    let mut places = scope.values("position_embeddings.weight", &[positions, dim])?;
    places.chunks_mut(dim).for_each(|row| row.iter_mut().zip(&kind).for_each(|(p, k)| *p += k));
    let words = scope.values("word_embeddings.weight", &[vocab, dim])?.into();
    Ok(Embeddings { words, places, first: offset, norm: norm(&scope.sub("LayerNorm"), dim, eps)?, widen })
}

pub fn linear(scope: &Scope, from: usize, to: usize) -> Loaded<Linear> {
    Ok(Linear { weight: scope.values("weight", &[to, from])?, bias: scope.values("bias", &[to])? })
}

/// Queries, keys and values as one layer, side by side; queries already divided by √(hidden / heads).
fn attention(scope: &Scope, names: &Names, hidden: usize, heads: usize) -> Loaded<Linear> {
    let (mut weight, mut bias) = (Vec::new(), Vec::new());
    for name in [names.query, names.key, names.value] {
        let part = linear(&scope.sub(name), hidden, hidden)?;
        weight.extend(part.weight);
        bias.extend(part.bias);
    }
    let scale = 1.0 / ((hidden / heads) as f32).sqrt();
    let queries = weight[..hidden * hidden].iter_mut().chain(&mut bias[..hidden]);
    queries.for_each(|v| *v *= scale);
    Ok(Linear { weight, bias })
}

fn norm(scope: &Scope, dim: usize, eps: f64) -> Loaded<LayerNorm> {
    // Checkpoints converted from TensorFlow say gamma and beta.
    let (weight, bias) = if scope.has("gamma") { ("gamma", "beta") } else { ("weight", "bias") };
    Ok(LayerNorm::new(scope.values(weight, &[dim])?, scope.values(bias, &[dim])?, eps as f32))
}

impl From<Activation> for Act {
    fn from(act: Activation) -> Self {
        match act {
            Activation::Gelu => Self::Gelu,
            Activation::GeluNew => Self::GeluTanh,
            Activation::Relu => Self::Relu,
        }
    }
}
