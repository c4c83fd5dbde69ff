//! Layers with their weights packed.

use super::numbers::Numbers;
use super::{LayerParts, Linear, Sizes};
use crate::matrix::{Act, Arena, Finish, Packed, Rows, RowsMut, add, matmul};
use crate::norm::LayerNorm;
use crate::number::Element;
use crate::quantise::ZERO;
use crate::{Isa, Pool};

/// A linear layer.
pub(super) struct Layer<N> {
    pub packed: Packed<N>,
    pub bias: Vec<f32>,
    /// Of each output's weights, where they are whole numbers.
    pub scales: Vec<f32>,
    /// What zeros that are stored as more than 0 add to each output.
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

    /// `zero` is what a 0 of its inputs is stored as, where they are whole numbers.
    pub fn new(arena: &mut Arena, linear: &Linear, out: usize, from: usize, zero: u8) -> Self {
        let Linear { weight, bias } = linear;
        assert!(weight.len() == out * from && bias.len() == out, "a layer from {from} to {out}");
        let (mut scales, mut less) = (Vec::new(), Vec::new());
        if let Some(range) = N::WEIGHT_RANGE {
            for row in weight.chunks_exact(from) {
                let scale = row.iter().fold(1e-30f32, |most, w| most.max(w.abs())) / range;
                scales.push(scale);
                less.push(row.iter().map(|w| i32::from(zero) * (w / scale).round() as i32).sum());
            }
        }
        let packed = arena.pack::<N>(out, 1, from, |column, k| {
            let w = weight[column * from + k];
            scales.get(column).map_or(w, |scale| w / scale)
        });
        Self { packed, bias: bias.clone(), scales, less }
    }

    /// `act(x wᵀ + b + residual)`; then `next` is to be read.
    pub fn apply<O: Element>(
        &self,
        (isa, pool, arena): (Isa, &Pool, &Arena),
        x: Ready<'_, N>,
        residual: Option<&[O]>,
        act: Act,
        out: RowsMut<'_, O>,
        next: Option<&Self>,
    ) {
        let scale = N::scale(&self.less, &self.scales, x.scales);
        let finish = Finish { scale, bias: Some(&self.bias), residual, residual_scale: None, act };
        let mut weights = arena.weights(&self.packed);
        if let Some(next) = next {
            weights = weights.before(arena.weights(&next.packed));
        }
        matmul(isa, pool, weights, x.rows, out, &finish);
    }
}

impl<N: Numbers> Layer<N> {
    /// Adds `x wᵀ` to the outputs from the panel on that `column` is of, in rows whose scale is not 0.
    pub fn add<O: Element>(
        &self,
        (isa, pool, arena): (Isa, &Pool, &Arena),
        x: Ready<'_, N>,
        column: usize,
        out: RowsMut<'_, O>,
    ) {
        let (weights, columns) = arena.weights(&self.packed).from(column);
        let part = |of: usize| columns.min(of)..of;
        let (less, scales) = (&self.less[part(self.less.len())], &self.scales[part(self.scales.len())]);
        let scale = N::scale(less, scales, x.scales);
        let finish = Finish { scale, bias: None, residual: None, residual_scale: None, act: Act::None };
        let out = RowsMut::new(&mut out.data[columns..], out.rows, out.stride);
        add(isa, pool, weights, x.rows, out, &finish, |row| x.scales[row] != 0.0);
    }
}

/// One post-norm layer.
pub(super) struct Block<N> {
    /// Queries, keys and values.
    pub qkv: Layer<N>,
    pub attention_out: Layer<N>,
    pub attention_norm: LayerNorm,
    pub up: Layer<N>,
    pub down: Layer<N>,
    pub norm: LayerNorm,
}

impl<N: Numbers> Block<N> {
    pub fn bytes(sizes: &Sizes) -> usize {
        let Sizes { hidden, inner, .. } = *sizes;
        let layers = [(3 * hidden, hidden), (hidden, hidden), (inner, hidden), (hidden, inner)];
        layers.map(|(out, from)| Layer::<N>::bytes(out, from)).iter().sum()
    }

    pub fn new(arena: &mut Arena, sizes: &Sizes, parts: LayerParts) -> Self {
        let Sizes { hidden, inner, .. } = *sizes;
        assert_eq!(parts.qkv.bias.len(), 3 * hidden, "queries, keys and values");
        assert!(parts.attention_norm.dim() == hidden && parts.norm.dim() == hidden, "norms of {hidden}");
        Self {
            qkv: Layer::new(arena, &parts.qkv, 3 * hidden, hidden, ZERO),
            attention_out: Layer::new(arena, &parts.attention_out, hidden, hidden, ZERO),
            attention_norm: parts.attention_norm,
            up: Layer::new(arena, &parts.up, inner, hidden, ZERO),
            down: Layer::new(arena, &parts.down, hidden, inner, N::INNER_ZERO),
            norm: parts.norm,
        }
    }
}
