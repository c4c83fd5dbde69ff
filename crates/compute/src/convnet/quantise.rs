//! Weights and biases as a layer multiplies them: as they are, or as whole numbers with everything else in one
//! multiply-add per output.

use super::numbers::MapNumber;
use super::plan::{Layer, Normalise};

/// What a stored number of a map means: `(stored - zero) · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub scale: f32,
    pub zero: f32,
}

impl Range {
    /// Numbers stored as they are.
    pub const PLAIN: Self = Self { scale: 1.0, zero: 0.0 };

    /// 0 to `most`, after a ReLU.
    pub fn unsigned(most: f32) -> Self {
        Self { scale: most.max(1e-20) / 255.0, zero: 0.0 }
    }

    pub fn signed(most: f32) -> Self {
        Self { scale: most.max(1e-20) / 127.0, zero: 128.0 }
    }
}

/// A layer ready to be packed.
pub(super) struct Folded {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    /// Per column; empty unless quantised.
    pub scale: Vec<f32>,
    pub residual_scale: f32,
}

/// `pixels`: the layer reads bytes of a photo, whose normalisation goes into weights and bias.
/// `ranges`: of the input, the output, and what is added.
pub(super) fn fold<N: MapNumber>(
    layer: &Layer,
    mut weight: Vec<f32>,
    mut bias: Vec<f32>,
    pixels: Option<&Normalise>,
    [from, to, add]: [Range; 3],
) -> Folded {
    let place = layer.kernel * layer.kernel;
    if let Some(n) = pixels {
        for (row, bias) in weight.chunks_exact_mut(layer.from * place).zip(&mut bias) {
            for (c, w) in row.chunks_exact_mut(place).enumerate() {
                w.iter_mut().for_each(|w| *w /= 255.0 * n.std[c]);
                *bias -= w.iter().sum::<f32>() * 255.0 * n.mean[c];
            }
        }
    }
    if !N::QUANTISED {
        return Folded { weight, bias, scale: Vec::new(), residual_scale: 1.0 };
    }
    let mut scale = Vec::with_capacity(bias.len());
    for (row, bias) in weight.chunks_exact_mut(layer.from * place).zip(&mut bias) {
        let step = row.iter().fold(1e-20f32, |m, w| m.max(w.abs())) / 127.0;
        row.iter_mut().for_each(|w| *w = (*w / step).round());
        let column = from.scale * step / to.scale;
        *bias = *bias / to.scale + to.zero
            - from.zero * row.iter().sum::<f32>() * column
            - add.zero * add.scale / to.scale;
        scale.push(column);
    }
    Folded { weight, bias, scale, residual_scale: add.scale / to.scale }
}
