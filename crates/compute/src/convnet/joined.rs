//! A 1×1 convolution that is only added to another one's sums, as a block's shortcut is: both are one product, over the
//! inputs of the one and then those of the other, and its map is never written.

use super::calibrate::Inputs;
use super::numbers::MapNumber;
use super::plan::{Builder, Layer, Node};
use super::quantise::Range;
use crate::matrix::kernel::MOST_ROWS;

/// A layer's weights, `[to, from, kernel, kernel]`, and biases.
pub(super) struct Told {
    pub layer: Layer,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Builder {
    /// The convolution that is computed with this one, and the map that it reads.
    pub(super) fn joined(&self, node: &Node) -> Option<(Layer, usize)> {
        let Node::Conv { layer, from, to, add: Some(add), .. } = *node else { return None };
        let (other, other_from) = self.convs().find_map(|node| match *node {
            Node::Conv { layer, from, to, add: None, relu: false } if to == add => Some((layer, from)),
            _ => None,
        })?;
        let pixels = layer.kernel == 1 && layer.stride == 1 && other.kernel == 1;
        // Tiles of a layer with a stride end with a row of the map.
        let full = other.stride == 1 || self.maps[to].1 >= MOST_ROWS;
        let photo = from == 0 || other_from == 0;
        (pixels && full && !photo && self.users(add) == 1).then_some((other, other_from))
    }

    /// Whether the map is never written.
    pub(super) fn is_joined(&self, map: usize) -> bool {
        let adds = |node: &&Node| matches!(**node, Node::Conv { add: Some(add), .. } if add == map);
        self.convs().find(adds).is_some_and(|node| self.joined(node).is_some())
    }

    /// What a product of this convolution reads at one tap.
    pub(super) fn tap<N: MapNumber>(&self, node: &Node) -> Tap {
        // Called for what `convs` gives, or where a node was found to be a convolution.
        let Node::Conv { layer, from, .. } = *node else { unreachable!("a pool is no product") };
        let stores = self.stores::<N>();
        let of = |count: usize, map: usize| Part { count, each: stores[map].each() };
        let other = self.joined(node).map(|(other, from)| of(other.from, from));
        Tap { first: of(layer.kernel * layer.from, from), other, step: N::STEP }
    }
}

/// What a product reads at one tap: numbers of one map and, from a step's beginning on, those of another.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    first: Part,
    other: Option<Part>,
    step: usize,
}

#[derive(Clone, Copy)]
struct Part {
    /// Numbers.
    count: usize,
    /// Inputs of a product for each.
    each: usize,
}

impl Tap {
    /// Inputs.
    pub fn len(&self) -> usize {
        self.other.map_or(self.first.len(), |other| self.steps()[0] * self.step + other.len())
    }

    /// Numbers.
    pub fn count(&self) -> usize {
        self.first.count + self.other.map_or(0, |other| other.count)
    }

    /// Of each map.
    pub fn steps(&self) -> [usize; 2] {
        [Some(self.first), self.other].map(|part| part.map_or(0, |part| part.len().div_ceil(self.step)))
    }

    /// Which number the input is of, if of any, and whether of its eighths.
    pub fn number(&self, input: usize) -> Option<(usize, bool)> {
        let before = self.steps()[0] * self.step;
        match self.other {
            Some(other) if input >= before => {
                other.number(input - before).map(|(i, eighths)| (self.first.count + i, eighths))
            }
            _ => self.first.number(input),
        }
    }
}

impl Part {
    fn len(&self) -> usize {
        self.count * self.each
    }

    fn number(&self, input: usize) -> Option<(usize, bool)> {
        (input < self.len()).then_some((input / self.each, input % self.each + 1 < self.each))
    }
}

impl Told {
    /// Both as one layer.
    pub fn with(self, other: Self) -> Self {
        let rows = self.weight.chunks_exact(self.layer.from).zip(other.weight.chunks_exact(other.layer.from));
        let weight = rows.flat_map(|(row, other)| [row, other].concat()).collect();
        let bias = self.bias.iter().zip(&other.bias).map(|(bias, other)| bias + other).collect();
        Self { layer: Layer { from: self.layer.from + other.layer.from, ..self.layer }, weight, bias }
    }
}

impl Range {
    /// Of the channels of one map and then those of another.
    pub fn with(&self, other: &Self) -> Self {
        let [scale, zero] = [(&self.scale, &other.scale), (&self.zero, &other.zero)]
            .map(|(numbers, others)| [&numbers[..], &others[..]].concat());
        Self { scale, zero }
    }
}

impl Inputs {
    /// At the same pixels, of `count` numbers and then of `others`.
    pub fn with(&self, count: usize, other: &Self, others: usize) -> Self {
        let pixels = self.0.chunks_exact(count).zip(other.0.chunks_exact(others));
        Self(pixels.flat_map(|(numbers, others)| [numbers, others].concat()).collect())
    }
}
