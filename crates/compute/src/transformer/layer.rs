//! Layers with their weights packed.

use super::numbers::Numbers;
use super::{LayerParts, Linear, Sizes};
use crate::matrix::{Act, Arena, Finish, Packed, Rows, RowsMut, matmul};
use crate::norm::LayerNorm;
use crate::number::{B16, Element};
use crate::quantise::ZERO;
use crate::{Isa, Pool};

/// A linear layer.
pub(super) struct Layer<N> {
    pub packed: Packed<N>,
    pub bias: Vec<f32>,
    /// Of each output's weights, where they are whole numbers.
    pub scales: Vec<f32>,
    /// What a zero that is stored as 128 adds to each output.
    pub less: Vec<i32>,
}

/// Rows ready for a product.
pub(super) struct Ready<'a, N: Numbers> {
    pub rows: Rows<'a, N::Input>,
    /// One per row, where inputs are whole numbers.
    pub scales: &'a [f32],
}

impl<N: Numbers> Layer<N> {
    /// What it takes of the arena.
    pub fn bytes(out: usize, from: usize) -> usize {
        Packed::<N>::bytes(out, 1, from)
    }

    pub fn new(arena: &mut Arena, linear: &Linear, out: usize, from: usize) -> Self {
        let Linear { weight, bias } = linear;
        assert!(weight.len() == out * from && bias.len() == out, "a layer from {from} to {out}");
        let (mut scales, mut less) = (Vec::new(), Vec::new());
        if let Some(range) = N::WEIGHT_RANGE {
            for row in weight.chunks_exact(from) {
                let scale = row.iter().fold(1e-30f32, |most, w| most.max(w.abs())) / range;
                scales.push(scale);
                less.push(row.iter().map(|w| i32::from(ZERO) * (w / scale).round() as i32).sum());
            }
        }
        let packed = arena.pack::<N>(out, 1, from, |column, k| {
            let w = weight[column * from + k];
            scales.get(column).map_or(w, |scale| w / scale)
        });
        Self { packed, bias: bias.clone(), scales, less }
    }

    /// `act(x wᵀ + b + residual)`
    pub fn apply<O: Element>(
        &self,
        (isa, pool, arena): (Isa, &Pool, &Arena),
        x: Ready<'_, N>,
        residual: Option<&[O]>,
        act: Act,
        out: RowsMut<'_, O>,
    ) {
        let scale = N::scale(&self.less, &self.scales, x.scales);
        let finish = Finish { scale, bias: Some(&self.bias), residual, residual_scale: 1.0, act };
        matmul(isa, pool, arena.weights(&self.packed), x.rows, out, &finish);
    }
}

/// One post-norm layer.
pub(super) struct Block<N> {
    /// Queries, keys, and values unless those have a layer of their own.
    pub qkv: Layer<N>,
    pub values: Option<Layer<B16>>,
    pub attention_out: Layer<N>,
    pub attention_norm: LayerNorm,
    pub up: Layer<N>,
    pub down: Layer<N>,
    pub norm: LayerNorm,
}

impl<N: Numbers> Block<N> {
    pub fn bytes(sizes: &Sizes) -> usize {
        let Sizes { hidden, inner, .. } = *sizes;
        let layers = [(hidden, hidden), (inner, hidden), (hidden, inner)];
        let qkv = match N::VALUES_IN_BF16 {
            true => Layer::<N>::bytes(2 * hidden, hidden) + Layer::<B16>::bytes(hidden, hidden),
            false => Layer::<N>::bytes(3 * hidden, hidden),
        };
        qkv + layers.map(|(out, from)| Layer::<N>::bytes(out, from)).iter().sum::<usize>()
    }

    pub fn new(arena: &mut Arena, sizes: &Sizes, mut parts: LayerParts) -> Self {
        let Sizes { hidden, inner, .. } = *sizes;
        assert_eq!(parts.qkv.bias.len(), 3 * hidden, "queries, keys and values");
        let values = N::VALUES_IN_BF16.then(|| Linear {
            weight: parts.qkv.weight.split_off(2 * hidden * hidden),
            bias: parts.qkv.bias.split_off(2 * hidden),
        });
        let qkv = parts.qkv.bias.len();
        assert!(parts.attention_norm.dim() == hidden && parts.norm.dim() == hidden, "norms of {hidden}");
        Self {
            qkv: Layer::new(arena, &parts.qkv, qkv, hidden),
            values: values.map(|linear| Layer::new(arena, &linear, hidden, hidden)),
            attention_out: Layer::new(arena, &parts.attention_out, hidden, hidden),
            attention_norm: parts.attention_norm,
            up: Layer::new(arena, &parts.up, inner, hidden),
            down: Layer::new(arena, &parts.down, hidden, inner),
            norm: parts.norm,
        }
    }
}
