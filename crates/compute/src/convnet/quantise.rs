//! Weights and biases as a layer multiplies them: as they are, or as whole numbers with everything else in one
//! multiply-add per output.

use super::calibrate::{Inputs, Reach};
use super::numbers::By;
use super::plan::{Layer, Normalise};
use super::rounding::{self, Spread};

/// Photos have numbers that samples had not: the fewer were seen, the more room is left above the largest of a channel, by
/// its own size times the root of this over how many were.
const ROOM: f32 = 10_600.0;
/// The least room left: a channel reaches so far times what was seen.
const LEAST_ROOM: f32 = 1.3;
/// No channel reaches further than this times the largest number of its map.
const MOST: f32 = 2.0;
/// A fine map's channels reach so many times further.
const FINE_ROOM: f32 = 1.5;
/// Every channel reaches so far of that, however small it was in the samples.
const FLOOR: f32 = 0.5;

/// What a stored number of a map means, channel by channel: `(stored - zero) · scale`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    pub scale: Vec<f32>,
    pub zero: Vec<f32>,
}

impl Range {
    /// Numbers stored as they are.
    pub fn plain(channels: usize) -> Self {
        Self { scale: vec![1.0; channels], zero: vec![0.0; channels] }
    }

    /// After a ReLU: 0 stands for itself.
    pub fn unsigned(reach: &Reach) -> Self {
        let scale = scales(&reach.most, reach.seen);
        Self { zero: vec![0.0; scale.len()], scale }
    }

    /// As eighths make steps small, with more room.
    pub fn fine(reach: &Reach) -> Self {
        let mut range = Self::unsigned(reach);
        range.scale.iter_mut().for_each(|scale| *scale *= FINE_ROOM);
        range
    }

    pub fn signed(reach: &Reach) -> Self {
        let width: Vec<f32> = reach.least.iter().zip(&reach.most).map(|(l, m)| m - l).collect();
        let scale = scales(&width, reach.seen);
        let middle = reach.least.iter().zip(&reach.most).map(|(l, m)| (l + m) / 2.0);
        let zero = middle.zip(&scale).map(|(middle, scale)| (127.5 - middle / scale).round()).collect();
        Self { scale, zero }
    }
}

/// What a step of 255 is worth in every channel.
fn scales(widths: &[f32], seen: usize) -> Vec<f32> {
    let widest = widths.iter().fold(1e-20f32, |m, &w| m.max(w));
    let room = LEAST_ROOM.max(1.0 + (ROOM / seen.max(1) as f32).sqrt());
    widths.iter().map(|w| (w * room).clamp(FLOOR * widest, MOST * widest) / 255.0).collect()
}

/// A layer ready to be packed.
pub(super) struct Folded {
    /// Row by row as kernels read them: `[to, kernel, kernel, from]`.
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    /// Per column; empty unless quantised.
    pub scale: Vec<f32>,
    /// Of what is added, per column; empty unless quantised and something is.
    pub residual_scale: Vec<f32>,
}

/// What a layer reads and writes in whole numbers.
pub(super) struct Whole<'a> {
    pub by: By<'a>,
    pub inputs: &'a Inputs,
    /// The layer reads a photo.
    pub first: bool,
    pub from: &'a Range,
    pub to: &'a Range,
    pub add: Option<&'a Range>,
}

/// `weight`: `[to, from, kernel, kernel]`. `pixels`: the layer reads bytes of a photo, whose normalisation goes into weights
/// and bias. `whole`: for int8.
pub(super) fn fold(
    layer: &Layer,
    weight: &[f32],
    mut bias: Vec<f32>,
    pixels: Option<&Normalise>,
    whole: Option<Whole<'_>>,
) -> Folded {
    let (place, count) = (layer.kernel * layer.kernel, layer.from * layer.kernel * layer.kernel);
    let mut rows = Vec::with_capacity(weight.len());
    for row in weight.chunks_exact(count) {
        rows.extend((0..count).map(|i| row[i % layer.from * place + i / layer.from]));
    }
    if let Some(n) = pixels {
        for (row, bias) in rows.chunks_exact_mut(count).zip(&mut bias) {
            for (i, w) in row.iter_mut().enumerate() {
                *w /= 255.0 * n.std[i % layer.from];
                *bias -= *w * 255.0 * n.mean[i % layer.from];
            }
        }
    }
    match whole {
        Some(whole) => whole.fold(layer, rows, bias),
        None => Folded { weight: rows, bias, scale: Vec::new(), residual_scale: Vec::new() },
    }
}

impl Whole<'_> {
    fn fold(self, layer: &Layer, mut rows: Vec<f32>, mut bias: Vec<f32>) -> Folded {
        let Self { by, inputs, first, from, to, add } = self;
        let count = rows.len() / bias.len();
        let mut steps = Vec::with_capacity(bias.len());
        for row in rows.chunks_exact_mut(count) {
            row.iter_mut().enumerate().for_each(|(i, w)| *w *= from.scale[i % from.scale.len()]);
            let step = row.iter().fold(1e-20f32, |m, w| m.max(w.abs())) / 127.0;
            row.iter_mut().for_each(|w| *w /= step);
            steps.push(step);
        }
        let exact = rows.clone();
        let spread = Spread::new(inputs, layer, &from.scale, first);
        rounding::round(by, &mut rows, &spread);

        let mut scale = Vec::with_capacity(bias.len());
        let all = rows.chunks_exact(count).zip(exact.chunks_exact(count)).zip(&steps);
        for (o, ((row, exact), step)) in all.enumerate() {
            let column = step / to.scale[o];
            // What rounding takes off or adds on average, and what stored numbers are above their meaning.
            let lost: f32 = row.iter().zip(exact).zip(&spread.mean).map(|((r, e), m)| (e - r) * m).sum();
            let above: f32 = row.iter().enumerate().map(|(i, w)| w * from.zero[i % from.zero.len()]).sum();
            bias[o] = bias[o] / to.scale[o] + (lost - above) * column + to.zero[o];
            if let Some(add) = add {
                bias[o] -= add.zero[o] * add.scale[o] / to.scale[o];
            }
            scale.push(column);
        }
        let ratio = |add: &Range| add.scale.iter().zip(&to.scale).map(|(a, t)| a / t).collect();
        Folded { weight: rows, bias, scale, residual_scale: add.map_or_else(Vec::new, ratio) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(least: &[f32], most: &[f32]) -> Reach {
        Reach { least: least.to_vec(), most: most.to_vec(), seen: 1 << 20 }
    }

    #[test]
    fn a_channel_fills_its_bytes_with_room_above_and_none_is_left_without() {
        let range = Range::unsigned(&reach(&[0.0; 3], &[10.0, 5.0, 0.0]));
        let tops: Vec<f32> = range.scale.iter().map(|s| (s * 255.0 * 10.0).round() / 10.0).collect();
        assert_eq!((tops, range.zero), (vec![13.0, 6.5, 5.0], vec![0.0; 3]));
        let range = Range::signed(&reach(&[-1.0, -10.0], &[3.0, 0.0]));
        for (c, (least, most)) in [(-1.0, 3.0), (-10.0, 0.0)].into_iter().enumerate() {
            let stored = |v: f32| v / range.scale[c] + range.zero[c];
            assert!(stored(least) >= 0.0 && stored(most) <= 255.0 && range.zero[c].fract() == 0.0);
        }
    }

    #[test]
    fn the_fewer_numbers_were_seen_the_more_room_is_left() {
        let scale = |seen| scales(&[10.0, 5.0], seen)[1];
        assert!(scale(1176) > 1.3 * scale(18_816) && scale(18_816) > scale(1 << 20));
    }
}
