//! Layers become steps: weights are folded and packed, maps laid out.

use std::sync::Mutex;

use super::conv::Geometry;
use super::map::Map;
use super::net::Net;
use super::numbers::MapNumber;
use super::plan::{Builder, Layer, Node, Normalise};
use super::quantise::{self, Range};
use super::step::{ConvPanels, ConvWeights, Step, Work};
use super::winograd::{Form, Winograd};
use crate::Pool;
use crate::matrix::{Arena, Packed};

impl Builder {
    /// Lays out the maps and packs the weights, which `load` gives for every layer in the order they were told:
    /// `[to, from, kernel, kernel]` and the bias. The network's output is the mean of the last map's pixels.
    /// `ranges`: the largest number of every map, as [`Net::ranges`] finds them; only looked at for int8.
    ///
    /// # Errors
    /// Whatever `load` says.
    ///
    /// # Panics
    /// If there is no layer, weights have another size, or int8 is wanted without ranges.
    pub fn finish<N: MapNumber, E>(
        &self,
        normalise: Normalise,
        ranges: &[f32],
        mut load: impl FnMut(&Layer) -> Result<(Vec<f32>, Vec<f32>), E>,
    ) -> Result<Net<N>, E> {
        let maps = self.lay_out::<N>();
        let known = self.known::<N>(ranges);
        let mut arena = Arena::new(self.nodes.iter().map(|n| self.weight_bytes::<N>(n)).sum());
        let mut convs = Vec::new();
        for node in &self.nodes {
            let Node::Conv { layer, from, to, add, .. } = *node else { continue };
            let (weight, bias) = load(&layer)?;
            let Layer { from: c, to: n, kernel, .. } = layer;
            assert_eq!((weight.len(), bias.len()), (n * c * kernel * kernel, n), "weights of {layer:?}");
            convs.push(match self.winograd::<N>(node) {
                Some(form) => {
                    let at = |to: usize, y: usize, x: usize, from: usize| {
                        weight[((to * c + from) * 3 + y) * 3 + x]
                    };
                    let panels = ConvPanels::Winograd(Winograd::pack(&mut arena, form, (c, n), at));
                    ConvWeights { panels, bias, scale: Vec::new(), residual_scale: 1.0 }
                }
                None => {
                    let folded = quantise::fold::<N>(
                        &layer,
                        weight,
                        bias,
                        (from == 0).then_some(&normalise),
                        [known[from], known[to], add.map_or(Range::PLAIN, |a| known[a])],
                    );
                    let (row, parts) = (kernel * c, parts::<N>(from));
                    let packed = arena.pack::<N>(n, kernel * parts, row, |to, i| {
                        let (tap, x, from) = (i / row, i % row / c, i % c);
                        let weight = folded.weight[((to * c + from) * kernel + tap / parts) * kernel + x];
                        if tap % parts == 0 { weight } else { N::rest(weight).unwrap_or(0.0) }
                    });
                    ConvWeights {
                        panels: ConvPanels::Direct(packed),
                        bias: folded.bias,
                        scale: folded.scale,
                        residual_scale: folded.residual_scale,
                    }
                }
            });
        }
        Ok(self.assemble(normalise, maps, ranges, arena, convs))
    }

    /// A network of weights that are packed, one for every convolution.
    pub(super) fn assemble<N: MapNumber>(
        &self,
        normalise: Normalise,
        maps: Vec<Map>,
        ranges: &[f32],
        arena: Arena,
        convs: Vec<ConvWeights<N>>,
    ) -> Net<N> {
        let (mut steps, mut rooms, mut convs) = (Vec::new(), (0, 0), convs.into_iter());
        for node in &self.nodes {
            steps.push(match *node {
                Node::MaxPool { from, to } => Step { from, to, add: None, work: Work::MaxPool },
                Node::Conv { layer: Layer { kernel, stride, .. }, from, to, add, relu } => {
                    let conv = convs.next().expect("weights for every convolution");
                    let ConvWeights { panels, bias, scale, residual_scale } = conv;
                    let work = match panels {
                        ConvPanels::Winograd(layer) => {
                            let (inputs, sums) = layer.rooms(&maps[from], &maps[to]);
                            rooms = (rooms.0.max(inputs), rooms.1.max(sums));
                            Work::Winograd { layer, bias, relu }
                        }
                        ConvPanels::Direct(packed) => {
                            let size = size_of::<N::Input>();
                            let mut geometry = Geometry::new(&maps[from], &maps[to], kernel, stride, size);
                            geometry.repeat(parts::<N>(from));
                            let reads = geometry.reads(arena.weights(&packed).steps(), size);
                            // A buffer has a readable tail for the last, partial step.
                            assert!(reads <= maps[from].len() * size + 64, "a layer reads its map only");
                            let relu = relu && !N::QUANTISED;
                            Work::Conv { packed, geometry, bias, scale, residual_scale, relu }
                        }
                    };
                    Step { from, to, add, work }
                }
            });
        }
        let last = self.maps.len() - 1;
        Net {
            mean_scale: self.known::<N>(ranges)[last].scale,
            ranges: if N::QUANTISED { ranges.to_vec() } else { Vec::new() },
            border: normalise.mean.map(|m| 255.0 * m),
            slots: self.slots(&maps),
            maps,
            steps,
            arena,
            rooms,
            spare: Mutex::new(Vec::new()),
            alone: Pool::new(1),
        }
    }

    /// What numbers of each map mean.
    fn known<N: MapNumber>(&self, ranges: &[f32]) -> Vec<Range> {
        if !N::QUANTISED {
            return vec![Range::PLAIN; self.maps.len()];
        }
        assert_eq!(ranges.len(), self.maps.len(), "int8 wants the range of every map");
        self.ranges(ranges)
    }

    /// How a convolution goes by Winograd, if it does.
    pub(super) fn winograd<N: MapNumber>(&self, node: &Node) -> Option<Form> {
        match *node {
            Node::Conv { layer, to, add: None, .. } => N::winograd(&layer, self.maps[to].1),
            _ => None,
        }
    }

    fn weight_bytes<N: MapNumber>(&self, node: &Node) -> usize {
        match *node {
            Node::MaxPool { .. } => 0,
            Node::Conv { layer, from, .. } => match self.winograd::<N>(node) {
                Some(form) => form.bytes(layer.from, layer.to),
                None => {
                    Packed::<N>::bytes(layer.to, layer.kernel * parts::<N>(from), layer.kernel * layer.from)
                }
            },
        }
    }

    /// Scales and zero points from the largest numbers.
    fn ranges(&self, most: &[f32]) -> Vec<Range> {
        let mut ranges: Vec<Range> = most.iter().map(|&m| Range::unsigned(m)).collect();
        ranges[0] = Range::PLAIN;
        for node in &self.nodes {
            match *node {
                Node::Conv { to, relu: false, .. } => ranges[to] = Range::signed(most[to]),
                Node::Conv { .. } => {}
                Node::MaxPool { from, to } => ranges[to] = ranges[from],
            }
        }
        ranges
    }
}

/// How many numbers each weight of a layer is packed as, whose sum it is.
pub(super) fn parts<N: MapNumber>(from: usize) -> usize {
    if from == 0 && N::rest(0.0).is_some() { 2 } else { 1 }
}
