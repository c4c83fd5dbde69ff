//! Layers become steps: weights are folded and packed, maps laid out.

use std::collections::HashMap;
use std::sync::Mutex;

use super::calibrate::Calibration;
use super::conv::Geometry;
use super::joined::Told;
use super::map::{Map, Store};
use super::net::Net;
use super::numbers::MapNumber;
use super::plan::{Builder, Layer, Node, Normalise};
use super::quantise::{self, Range, Whole};
use super::step::{Conv, ConvPanels, ConvWeights, Step, Work};
use super::winograd::{Form, Winograd};
use crate::Pool;
use crate::matrix::{Arena, Packed};
use crate::number::Fine;

impl Builder {
    /// Lays out the maps and packs the weights, which `load` gives for every layer in the order they were told:
    /// `[to, from, kernel, kernel]` and the bias. The network's output is the mean of the last map's pixels.
    /// `calibration`: of this plan; only looked at for int8.
    ///
    /// # Errors
    /// Whatever `load` says.
    ///
    /// # Panics
    /// If there is no layer, weights have another size, or int8 is wanted without a calibration of this plan.
    pub fn finish<N: MapNumber, E>(
        &self,
        normalise: Normalise,
        calibration: Option<&Calibration<'_>>,
        mut load: impl FnMut(&Layer) -> Result<(Vec<f32>, Vec<f32>), E>,
    ) -> Result<Net<N>, E> {
        let maps = self.lay_out::<N>();
        let known = self.known::<N>(calibration);
        let mut arena = Arena::new(self.nodes.iter().map(|n| self.weight_bytes::<N>(n)).sum());
        let (mut convs, mut waiting) = (Vec::new(), HashMap::new());
        for (i, node) in self.convs().enumerate() {
            let Node::Conv { layer, to, .. } = *node else { continue };
            let (weight, bias) = load(&layer)?;
            let Layer { from: c, to: n, kernel, .. } = layer;
            assert_eq!((weight.len(), bias.len()), (n * c * kernel * kernel, n), "weights of {layer:?}");
            let told = Told { layer, weight, bias };
            if self.is_joined(to) {
                waiting.insert(to, (i, told));
                continue;
            }
            convs.push(match self.winograd::<N>(node) {
                Some(form) => {
                    let Told { weight, bias, .. } = told;
                    let at = |to: usize, y: usize, x: usize, from: usize| {
                        weight[((to * c + from) * 3 + y) * 3 + x]
                    };
                    let panels = ConvPanels::Winograd(Winograd::pack(&mut arena, form, (c, n), at));
                    ConvWeights { panels, bias, scale: Vec::new(), residual_scale: Vec::new() }
                }
                None => self.direct(&mut arena, &normalise, known.as_ref(), node, (i, told), &mut waiting),
            });
        }
        let mean_scale = known.map_or_else(Vec::new, |(_, mut ranges)| ranges.pop().expect("a map").scale);
        Ok(self.assemble(normalise, maps, mean_scale, arena, convs))
    }

    /// Packs the weights of convolution `i` and of the one that is computed with it, which is `waiting` by its map.
    fn direct<N: MapNumber>(
        &self,
        arena: &mut Arena,
        normalise: &Normalise,
        known: Option<&(&Calibration<'_>, Vec<Range>)>,
        node: &Node,
        (i, mut told): (usize, Told),
        waiting: &mut HashMap<usize, (usize, Told)>,
    ) -> ConvWeights<N> {
        let Node::Conv { layer: Layer { from: channels, kernel, .. }, from, to, add, .. } = *node else {
            // `finish` calls it for what `convs` gives.
            unreachable!("a pool has no weights")
        };
        let mut both = None;
        let other = add.and_then(|add| waiting.remove(&add)).zip(self.joined(node));
        if let Some(((j, second), (Layer { from: others, .. }, map))) = other {
            both = known.map(|(calibration, ranges)| {
                let inputs = calibration.inputs[i].with(channels, &calibration.inputs[j], others);
                (inputs, ranges[from].with(&ranges[map]))
            });
            told = told.with(second);
        }
        let whole = known.map(|(calibration, ranges)| {
            let alone = (&calibration.inputs[i], &ranges[from]);
            let (inputs, range) = both.as_ref().map_or(alone, |(inputs, range)| (inputs, range));
            let add = add.filter(|_| both.is_none()).map(|add| &ranges[add]);
            Whole { by: calibration.by, inputs, first: from == 0, from: range, to: &ranges[to], add }
        });
        let pixels = (from == 0).then_some(normalise);
        let folded = quantise::fold(&told.layer, &told.weight, told.bias, pixels, whole);
        let (tap, parts) = (self.tap::<N>(node), parts::<N>(from));
        let packed = arena.pack::<N>(told.layer.to, kernel * parts, tap.len(), |to, i| {
            let (y, i) = (i / tap.len(), i % tap.len());
            let Some((at, eighths)) = tap.number(i) else { return 0.0 };
            let weight = folded.weight[(to * kernel + y / parts) * tap.count() + at];
            match (eighths, y % parts) {
                (true, _) => Fine::eighth(weight),
                (false, 0) => weight,
                (false, _) => N::rest(weight).unwrap_or(0.0),
            }
        });
        ConvWeights {
            panels: ConvPanels::Direct(packed),
            bias: folded.bias,
            scale: folded.scale,
            residual_scale: folded.residual_scale,
        }
    }

    /// A network of weights that are packed, one for every convolution.
    pub(super) fn assemble<N: MapNumber>(
        &self,
        normalise: Normalise,
        maps: Vec<Map>,
        mean_scale: Vec<f32>,
        arena: Arena,
        convs: Vec<ConvWeights<N>>,
    ) -> Net<N> {
        let (mut steps, mut rooms, mut convs) = (Vec::new(), (0, 0), convs.into_iter());
        for node in &self.nodes {
            let step = match *node {
                Node::MaxPool { from, to } if self.is_pooled(from) => {
                    let Some(Step { from: first, work: Work::Conv(conv), .. }) = steps.pop() else {
                        unreachable!("a pool after its convolution")
                    };
                    Step { from: first, to, add: None, work: Work::Pooled { conv, between: from } }
                }
                Node::MaxPool { from, to } => Step { from, to, add: None, work: Work::MaxPool },
                Node::Conv { to, .. } if self.is_joined(to) => continue,
                Node::Conv { layer, from, to, add, relu } => {
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
                            let whole = Map { height: self.maps[to].0, ..maps[to] };
                            let (map, other) = (maps[from].read(), self.joined(node));
                            let second = other.map(|(layer, map)| (layer, map, maps[map].read()));
                            let second = second.as_ref().map(|(layer, map, read)| (layer, *map, read));
                            let steps = self.tap::<N>(node).steps();
                            let mut geometry = Geometry::new(&map, &whole, &layer, second, steps, size);
                            geometry.repeat(parts::<N>(from));
                            // A buffer has a readable tail for the last, partial step.
                            let room = |map: usize| maps[map].room() * size + 64;
                            assert!(geometry.reads(size) <= room(from), "a layer reads its map only");
                            let others = other.map_or(0, |(_, map)| room(map));
                            assert!(geometry.reads_other(size) <= others, "and the other's");
                            // Bytes are above 0 as it is.
                            let bytes = N::QUANTISED && matches!(maps[to].store, Store::Plain | Store::Fine);
                            let relu = relu && !bytes;
                            Work::Conv(Conv { packed, geometry, bias, scale, residual_scale, relu })
                        }
                    };
                    let add = if self.joined(node).is_some() { None } else { add };
                    Step { from, to, add, work }
                }
            };
            steps.push(step);
        }
        Net {
            mean_scale,
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

    /// What numbers of each map mean, in int8.
    fn known<'c, N: MapNumber>(
        &self,
        calibration: Option<&'c Calibration<'c>>,
    ) -> Option<(&'c Calibration<'c>, Vec<Range>)> {
        N::QUANTISED.then(|| {
            let calibration = calibration.expect("int8 wants a calibration");
            assert_eq!(calibration.reaches.len(), self.maps.len(), "a calibration of this plan");
            (calibration, self.ranges::<N>(calibration))
        })
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
            Node::Conv { to, .. } if self.is_joined(to) => 0,
            Node::Conv { layer, from, .. } => match self.winograd::<N>(node) {
                Some(form) => form.bytes(layer.from, layer.to),
                None => {
                    let taps = layer.kernel * parts::<N>(from);
                    Packed::<N>::bytes(layer.to, taps, self.tap::<N>(node).len())
                }
            },
        }
    }

    /// Scales and zero points from what was seen.
    fn ranges<N: MapNumber>(&self, calibration: &Calibration<'_>) -> Vec<Range> {
        let stores = self.stores::<N>();
        let mut ranges = vec![Range::plain(self.maps[0].2)];
        for node in &self.nodes {
            ranges.push(match *node {
                Node::Conv { to, layer, .. } if stores[to] == Store::Wide => Range::plain(layer.to),
                Node::Conv { to, .. } if stores[to] == Store::Fine => Range::fine(&calibration.reaches[to]),
                Node::Conv { to, relu: false, .. } => Range::signed(&calibration.reaches[to]),
                Node::Conv { to, .. } => Range::unsigned(&calibration.reaches[to]),
                Node::MaxPool { from, .. } => ranges[from].clone(),
            });
        }
        ranges
    }
}

/// How many numbers each weight of a layer is packed as, whose sum it is.
pub(super) fn parts<N: MapNumber>(from: usize) -> usize {
    if from == 0 && N::rest(0.0).is_some() { 2 } else { 1 }
}
