//! Transformer encoders of the BERT family, compiled for the CPU: token ids to one vector per text.
//!
//! Tokens of all texts lie one behind the other, without padding: products see rows of tokens, attention goes text by
//! text and head by head. A text's vector does not depend on the texts beside it: every sum has one order.

mod batch;
mod cut;
mod layer;
mod numbers;
mod pass;
mod scratch;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use crate::kept::Table;
use crate::matrix::{Act, Arena};
use crate::norm::LayerNorm;
use crate::number::{B16, F32, U8S8};
use crate::pooling::Pooling;
use crate::quantise::ZERO;
use crate::{Isa, Pool};
use layer::{Block, Layer};
use numbers::Numbers;
use scratch::Scratch;

/// What products are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    F32,
    /// Weights and what goes into products rounded to bf16; sums, norms and residuals in f32.
    Bf16,
    /// Weights as whole numbers with a scale per output, inputs with a scale per token, those of attention's values with
    /// twice the digits where a token needs them; attention as in bf16. The same to the bit for any threads and any texts beside.
    Int8,
}

/// `y = x wᵀ + b`, as checkpoints store it.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[out, in]`
    pub weight: Vec<f32>,
    /// `[out]`
    pub bias: Vec<f32>,
}

/// Sizes that all layers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of the embedding tables; where it is not `hidden`, a layer widens it.
    pub embedding: usize,
    pub hidden: usize,
    pub heads: usize,
    /// Between the two layers of a feed-forward block.
    pub inner: usize,
    /// Of the feed-forward block.
    pub act: Act,
}

/// What a text's tokens become before the first layer.
#[derive(Debug, Clone)]
pub struct Embeddings {
    /// `[vocabulary, embedding]`; the largest table, shared where a network is packed twice.
    pub words: Arc<Vec<f32>>,
    /// `[positions, embedding]`; whatever else is the same for all texts already added.
    pub places: Vec<f32>,
    /// Position of a text's first token, see [`places`].
    pub first: usize,
    pub norm: LayerNorm,
    /// From `embedding` to `hidden`.
    pub widen: Option<Linear>,
}

/// The positions of a text's tokens: `first` and on. RoBERTa's begin behind that of its padding, which has the
/// padding's id; where that id stands in a text it has that position and counts nothing.
pub fn places(ids: &[u32], first: usize) -> impl Iterator<Item = usize> {
    let padding = first.checked_sub(1);
    let mut next = first;
    ids.iter().map(move |&id| {
        let place = padding.filter(|&p| p == id as usize).unwrap_or(next);
        next += usize::from(place == next);
        place
    })
}

/// One post-norm layer.
#[derive(Debug, Clone)]
pub struct LayerParts {
    /// Queries, keys and values side by side; queries already divided by √(hidden / heads).
    pub qkv: Linear,
    pub attention_out: Linear,
    pub attention_norm: LayerNorm,
    pub up: Linear,
    pub down: Linear,
    pub norm: LayerNorm,
}

/// A compiled encoder, to be shared between threads.
pub struct Transformer {
    sizes: Sizes,
    plan: Plan,
}

enum Plan {
    F32(Stack<F32>),
    Bf16(Stack<B16>),
    Int8(Stack<U8S8>),
}

struct Stack<N: Numbers> {
    words: Table,
    places: Vec<f32>,
    first: usize,
    norm: LayerNorm,
    widen: Option<Layer<N>>,
    blocks: Vec<Block<N>>,
    /// Which block comes when.
    order: Vec<usize>,
    arena: Arena,
    /// One for every pass that has run at the same time.
    free: Mutex<Vec<Scratch<N>>>,
}

macro_rules! each {
    ($plan:expr, $stack:ident => $e:expr) => {
        match $plan {
            Plan::F32($stack) => $e,
            Plan::Bf16($stack) => $e,
            Plan::Int8($stack) => $e,
        }
    };
}

mod kept; // behind the macro that it uses

impl Transformer {
    /// Packs `layers` for `arithmetic`; `order` says which of them a text goes through, one after the other. Layers are
    /// taken one at a time, so that only one is in memory twice.
    ///
    /// # Errors
    /// The first that a layer could not be had for.
    ///
    /// # Panics
    /// If a part's size is not what `sizes` say, or `order` names a layer that is not there.
    pub fn new<E>(
        arithmetic: Arithmetic,
        sizes: Sizes,
        embeddings: Embeddings,
        layers: impl ExactSizeIterator<Item = Result<LayerParts, E>>,
        order: Vec<usize>,
    ) -> Result<Self, E> {
        assert!(sizes.hidden.is_multiple_of(sizes.heads), "heads of one size");
        assert!(order.iter().all(|&i| i < layers.len()), "every layer of the order is there");
        let plan = match arithmetic {
            Arithmetic::F32 => Plan::F32(Stack::new(&sizes, embeddings, layers, order)?),
            Arithmetic::Bf16 => Plan::Bf16(Stack::new(&sizes, embeddings, layers, order)?),
            Arithmetic::Int8 => Plan::Int8(Stack::new(&sizes, embeddings, layers, order)?),
        };
        Ok(Self { sizes, plan })
    }

    pub fn arithmetic(&self) -> Arithmetic {
        match self.plan {
            Plan::F32(_) => Arithmetic::F32,
            Plan::Bf16(_) => Arithmetic::Bf16,
            Plan::Int8(_) => Arithmetic::Int8,
        }
    }

    /// Numbers of a vector.
    pub fn dim(&self) -> usize {
        self.sizes.hidden
    }

    /// One vector per text, not normalised, one behind the other.
    ///
    /// # Panics
    /// If a text has no token, more than there are positions, or one that is not in the vocabulary.
    pub fn encode(&self, isa: Isa, pool: &Pool, texts: &[&[u32]], pooling: Pooling) -> Vec<f32> {
        each!(&self.plan, stack => stack.encode(isa, pool, &self.sizes, texts, pooling))
    }
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let layers = each!(&self.plan, stack => stack.order.len());
        write!(f, "Transformer of {layers} layers, {:?} in {:?}", self.sizes, self.arithmetic())
    }
}

impl<N: Numbers> Stack<N> {
    fn new<E>(
        sizes: &Sizes,
        embeddings: Embeddings,
        layers: impl ExactSizeIterator<Item = Result<LayerParts, E>>,
        order: Vec<usize>,
    ) -> Result<Self, E> {
        let Sizes { embedding, hidden, .. } = *sizes;
        let Embeddings { words, places, first, norm, widen } = embeddings;
        assert!(
            words.len().is_multiple_of(embedding) && places.len().is_multiple_of(embedding),
            "whole rows"
        );
        assert!(
            norm.dim() == embedding && (widen.is_some() || embedding == hidden),
            "a way to the first layer"
        );
        let widening = if widen.is_some() { Layer::<N>::bytes(hidden, embedding) } else { 0 };
        let mut arena = Arena::new(widening + layers.len() * Block::<N>::bytes(sizes));
        let widen = widen.map(|l| Layer::new(&mut arena, &l, hidden, embedding, ZERO));
        let blocks =
            layers.map(|parts| Ok(Block::new(&mut arena, sizes, parts?))).collect::<Result<_, E>>()?;
        let words = Table::Own(words);
        Ok(Self { words, places, first, norm, widen, blocks, order, arena, free: Mutex::default() })
    }
}
