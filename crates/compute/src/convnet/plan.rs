//! Layers become steps over maps in reused memory.

use std::sync::Mutex;

use super::conv::Geometry;
use super::map::Map;
use super::max_pool;
use super::mean::Mean;
use super::quantise::{self, Range};
use super::winograd::{self, Winograd};
use crate::buffer::Shared;
use crate::matrix::{Act, Arena, Packed, PerColumn, Plain, Scale, Writer, split};
use crate::number::{B16, Bf16, Element, F32, Number, U8S8};
use crate::{Buffer, Isa, Pool};

/// Colours of a pixel.
const COLOURS: usize = 3;

/// A square convolution, padded so that only the stride makes the map smaller, with a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    pub from: usize,
    pub to: usize,
    /// Odd.
    pub kernel: usize,
    pub stride: usize,
}

/// A map of the network that is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapId(usize);

#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Conv { layer: Layer, from: usize, to: usize, add: Option<usize>, relu: bool },
    MaxPool { from: usize, to: usize },
}

/// Number types that maps can be of.
#[allow(private_interfaces)]
pub trait MapNumber: Number {
    #[doc(hidden)]
    type Scale<'a>: Scale<Self::Sum>;
    #[doc(hidden)]
    fn scale(columns: &[f32]) -> Self::Scale<'_>;
    /// Whether inputs are bytes as they come, and values have a range that must be known.
    #[doc(hidden)]
    const QUANTISED: bool;
    #[doc(hidden)]
    fn input(byte: u8, value: f32) -> Self::Input;
    /// The M of F(M×M) for a layer and the width it gives; `None`: directly.
    #[doc(hidden)]
    fn winograd(layer: &Layer, width: usize) -> Option<usize>;
    #[doc(hidden)]
    fn pack_winograd(arena: &mut Arena, side: usize, layer: &Layer, weight: &[f32]) -> Winograd<Self>;
    #[doc(hidden)]
    unsafe fn run_winograd(
        layer: &Winograd<Self>,
        isa: Isa,
        pool: &Pool,
        arena: &Arena,
        job: winograd::Job<'_, Self>,
    );
}

macro_rules! float_maps {
    ($number:ty, $input:expr, $winograd:expr) => {
        #[allow(private_interfaces)]
        impl MapNumber for $number {
            type Scale<'a> = Plain;
            fn scale(_: &[f32]) -> Plain {
                Plain
            }
            const QUANTISED: bool = false;
            fn input(_: u8, value: f32) -> Self::Input {
                $input(value)
            }
            fn winograd(layer: &Layer, width: usize) -> Option<usize> {
                let lanes = layer.from.is_multiple_of(16) && layer.to.is_multiple_of(16);
                let worth = layer.from.min(layer.to) >= 32;
                let fits = lanes && worth && layer.kernel == 3 && layer.stride == 1;
                if fits { $winograd(width) } else { None }
            }
            fn pack_winograd(
                arena: &mut Arena,
                side: usize,
                layer: &Layer,
                weight: &[f32],
            ) -> Winograd<Self> {
                let at = |to: usize, y: usize, x: usize, from: usize| {
                    weight[((to * layer.from + from) * 3 + y) * 3 + x]
                };
                Winograd::pack(arena, side, (layer.from, layer.to), at)
            }
            unsafe fn run_winograd(
                layer: &Winograd<Self>,
                isa: Isa,
                pool: &Pool,
                arena: &Arena,
                job: winograd::Job<'_, Self>,
            ) {
                // SAFETY: the caller's.
                unsafe { layer.run(isa, pool, arena, job) }
            }
        }
    };
}
// F(4×4) on 7 × 7 pixels would have 4 tiles and stream four times the weights.
float_maps!(F32, |v| v, |width| Some(if width >= 12 { 4 } else { 2 }));
float_maps!(B16, Bf16::new, |_| None);

#[allow(private_interfaces)]
impl MapNumber for U8S8 {
    type Scale<'a> = PerColumn<'a>;
    fn scale(columns: &[f32]) -> PerColumn<'_> {
        PerColumn(columns)
    }
    const QUANTISED: bool = true;
    fn input(byte: u8, _: f32) -> u8 {
        byte
    }
    fn winograd(_: &Layer, _: usize) -> Option<usize> {
        None
    }
    fn pack_winograd(_: &mut Arena, _: usize, _: &Layer, _: &[f32]) -> Winograd<Self> {
        unreachable!("whole numbers are multiplied directly")
    }
    unsafe fn run_winograd(_: &Winograd<Self>, _: Isa, _: &Pool, _: &Arena, _: winograd::Job<'_, Self>) {
        unreachable!("whole numbers are multiplied directly")
    }
}

/// A network as it is told, layer by layer.
#[derive(Debug)]
pub struct Builder {
    /// Height, width, channels.
    maps: Vec<(usize, usize, usize)>,
    nodes: Vec<Node>,
}

/// Bytes of a pixel become `(byte / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalise {
    pub mean: [f32; COLOURS],
    pub std: [f32; COLOURS],
}

impl Normalise {
    pub(super) fn value(&self, colour: usize, byte: u8) -> f32 {
        (f32::from(byte) / 255.0 - self.mean[colour]) / self.std[colour]
    }
}

impl Builder {
    /// Photos of `height × width` pixels.
    pub fn new(height: usize, width: usize) -> Self {
        Self { maps: vec![(height, width, COLOURS)], nodes: Vec::new() }
    }

    pub fn input(&self) -> MapId {
        MapId(0)
    }

    /// A convolution; `add` before the ReLU.
    ///
    /// # Panics
    /// If channels do not fit, or the map to add has another size.
    pub fn conv(&mut self, from: MapId, layer: Layer, add: Option<MapId>, relu: bool) -> MapId {
        let (h, w, c) = self.maps[from.0];
        assert_eq!(c, layer.from, "a layer reads all channels of its map");
        assert!(layer.kernel % 2 == 1 && layer.stride > 0, "an odd kernel");
        let size = (h.div_ceil(layer.stride), w.div_ceil(layer.stride), layer.to);
        assert!(add.is_none_or(|m| self.maps[m.0] == size), "maps of one size are added");
        let to = self.map(size);
        self.nodes.push(Node::Conv { layer, from: from.0, to: to.0, add: add.map(|m| m.0), relu });
        to
    }

    /// The largest of 3×3, every second pixel; of a map after a ReLU.
    pub fn max_pool(&mut self, from: MapId) -> MapId {
        let (h, w, c) = self.maps[from.0];
        let to = self.map((h.div_ceil(2), w.div_ceil(2), c));
        self.nodes.push(Node::MaxPool { from: from.0, to: to.0 });
        to
    }

    fn map(&mut self, size: (usize, usize, usize)) -> MapId {
        self.maps.push(size);
        MapId(self.maps.len() - 1)
    }

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
                Some(side) => {
                    let panels = ConvPanels::Winograd(N::pack_winograd(&mut arena, side, &layer, &weight));
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
                    let row = kernel * c;
                    let packed = arena.pack::<N>(n, kernel, row, |to, i| {
                        let (y, x, from) = (i / row, i % row / c, i % c);
                        folded.weight[((to * c + from) * kernel + y) * kernel + x]
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
                            let side = layer.side();
                            rooms.0 = rooms.0.max(winograd::inputs(side, &maps[from], &maps[to]));
                            rooms.1 = rooms.1.max(winograd::sums(side, &maps[to]));
                            Work::Winograd { layer, bias, relu }
                        }
                        ConvPanels::Direct(packed) => {
                            let size = size_of::<N::Input>();
                            let geometry = Geometry::new(&maps[from], &maps[to], kernel, stride, size);
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
        let tables = std::array::from_fn(|colour| {
            std::array::from_fn(|byte| N::input(byte as u8, normalise.value(colour, byte as u8)))
        });
        Net {
            mean_scale: self.known::<N>(ranges)[last].scale,
            ranges: if N::QUANTISED { ranges.to_vec() } else { Vec::new() },
            tables,
            border: normalise.mean.map(|m| N::input((255.0 * m).round() as u8, 0.0)),
            slots: self.slots(&maps),
            maps,
            steps,
            arena,
            rooms,
            spare: Mutex::new(Vec::new()),
            alone: Pool::new(1),
        }
    }

    /// The convolutions in their order.
    pub(super) fn convs(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| matches!(node, Node::Conv { .. }))
    }

    pub(super) fn map_count(&self) -> usize {
        self.maps.len()
    }

    /// What numbers of each map mean.
    fn known<N: MapNumber>(&self, ranges: &[f32]) -> Vec<Range> {
        if !N::QUANTISED {
            return vec![Range::PLAIN; self.maps.len()];
        }
        assert_eq!(ranges.len(), self.maps.len(), "int8 wants the range of every map");
        self.ranges(ranges)
    }

    /// The M of F(M×M) for a convolution that goes by Winograd.
    pub(super) fn winograd<N: MapNumber>(&self, node: &Node) -> Option<usize> {
        match *node {
            Node::Conv { layer, to, add: None, .. } => N::winograd(&layer, self.maps[to].1),
            _ => None,
        }
    }

    fn weight_bytes<N: MapNumber>(&self, node: &Node) -> usize {
        match *node {
            Node::MaxPool { .. } => 0,
            Node::Conv { layer, .. } => match self.winograd::<N>(node) {
                Some(side) => winograd::bytes::<N>(side, layer.from, layer.to),
                None => Packed::<N>::bytes(layer.to, layer.kernel, layer.kernel * layer.from),
            },
        }
    }

    /// A border wherever a kernel looks past the edge; maps that are added have the geometry of the sum.
    pub(super) fn lay_out<N: MapNumber>(&self) -> Vec<Map> {
        let mut borders = vec![0; self.maps.len()];
        let mut tails = vec![0; self.maps.len()];
        for node in &self.nodes {
            match *node {
                Node::MaxPool { from, .. } => borders[from] = borders[from].max(1),
                Node::Conv { layer, from, to, .. } => {
                    borders[from] = borders[from].max(layer.kernel / 2);
                    if let Some(side) = self.winograd::<N>(node) {
                        let (h, w, _) = self.maps[to];
                        let past = |n: usize| n.next_multiple_of(side) - n;
                        tails[from] = tails[from].max(past(h)).max(past(w));
                    }
                }
            }
        }
        loop {
            let before = (borders.clone(), tails.clone());
            for node in &self.nodes {
                if let Node::Conv { to, add: Some(add), .. } = *node {
                    let (border, tail) = (borders[to].max(borders[add]), tails[to].max(tails[add]));
                    (borders[to], borders[add], tails[to], tails[add]) = (border, border, tail, tail);
                }
            }
            if before == (borders.clone(), tails.clone()) {
                break;
            }
        }
        let map = |(i, &(h, w, c)): (usize, &(usize, usize, usize))| {
            Map::new::<N::Input>(h, w, c, borders[i], tails[i])
        };
        self.maps.iter().enumerate().map(map).collect()
    }

    /// Which piece of memory each map lies in. Only maps of one geometry share one, so that borders stay zero.
    fn slots(&self, maps: &[Map]) -> Vec<usize> {
        let mut last_use = vec![usize::MAX; maps.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            match *node {
                Node::MaxPool { from, .. } => last_use[from] = i,
                Node::Conv { from, add, .. } => {
                    last_use[from] = i;
                    if let Some(add) = add {
                        last_use[add] = i;
                    }
                }
            }
        }
        let mut slots = vec![0; maps.len()];
        let mut free: Vec<usize> = Vec::new();
        let mut owners = vec![maps[0]];
        for (i, node) in self.nodes.iter().enumerate() {
            let (Node::MaxPool { to, .. } | Node::Conv { to, .. }) = *node;
            let found = free.iter().position(|&slot| owners[slot] == maps[to]);
            slots[to] = match found {
                Some(at) => free.swap_remove(at),
                None => {
                    owners.push(maps[to]);
                    owners.len() - 1
                }
            };
            // The input's slot stays its own: its border need not be zero.
            free.extend((1..maps.len()).filter(|&m| last_use[m] == i).map(|m| slots[m]));
        }
        slots
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

/// A convolution's weights, packed, and the numbers beside them.
pub(super) struct ConvWeights<N: Number> {
    pub panels: ConvPanels<N>,
    pub bias: Vec<f32>,
    /// Per column, int8 only.
    pub scale: Vec<f32>,
    pub residual_scale: f32,
}

pub(super) enum ConvPanels<N: Number> {
    Direct(Packed<N>),
    Winograd(Winograd<N>),
}

#[derive(Debug)]
pub(super) struct Step<N: Number> {
    from: usize,
    to: usize,
    add: Option<usize>,
    pub(super) work: Work<N>,
}

#[derive(Debug)]
pub(super) enum Work<N: Number> {
    Conv {
        packed: Packed<N>,
        geometry: Geometry,
        bias: Vec<f32>,
        /// Per column, int8 only.
        scale: Vec<f32>,
        residual_scale: f32,
        relu: bool,
    },
    Winograd {
        layer: Winograd<N>,
        bias: Vec<f32>,
        relu: bool,
    },
    MaxPool,
}

/// A compiled network: pixels of one size to one vector.
pub struct Net<N: MapNumber> {
    maps: Vec<Map>,
    /// Of every map.
    slots: Vec<usize>,
    pub(super) steps: Vec<Step<N>>,
    pub(super) arena: Arena,
    /// Elements of transformed inputs and sums.
    rooms: (usize, usize),
    /// Per colour and byte.
    tables: [[N::Input; 256]; COLOURS],
    /// Around the photo, where not zero.
    border: [N::Input; COLOURS],
    mean_scale: f32,
    /// The largest number of every map, int8 only.
    pub(super) ranges: Vec<f32>,
    spare: Mutex<Vec<Workspace<N>>>,
    alone: Pool,
}

/// Memory for one photo under way.
struct Workspace<N: Number> {
    slots: Vec<Buffer<N::Input>>,
    inputs: Buffer<N::Input>,
    sums: Buffer<f32>,
}

impl<N: MapNumber> Net<N> {
    /// Numbers in a vector.
    pub fn dim(&self) -> usize {
        self.maps.last().expect("a network has maps").channels
    }

    /// Pixels in bytes, row by row, colour by colour.
    pub fn pixels(&self) -> usize {
        self.maps[0].height * self.maps[0].width * COLOURS
    }

    /// One vector per photo, not normalised. A single photo is computed by all threads, several by one thread each;
    /// numbers do not depend on which.
    ///
    /// # Panics
    /// If a photo has another size.
    pub fn run(&self, isa: Isa, pool: &Pool, photos: &[&[u8]]) -> Vec<Vec<f32>> {
        assert!(photos.iter().all(|p| p.len() == self.pixels()), "photos of the network's size");
        let mut out = vec![vec![0.0; self.dim()]; photos.len()];
        // What does not fill all threads goes by all of them.
        let apart = if pool.threads() > 1 { photos.len() / pool.threads() * pool.threads() } else { 0 };
        let apart = if photos.len() > 1 { apart } else { 0 };
        let rows: Vec<Mutex<&mut Vec<f32>>> = out.iter_mut().map(Mutex::new).collect();
        let one = |i: usize, pool: &Pool| {
            let mut space = self.workspace();
            let mut row = rows[i].lock().expect("a photo has one task");
            self.compute(isa, pool, &mut space, photos[i], |_, _| {});
            self.mean(isa, &space, &mut row);
            self.spare.lock().expect("nothing panics here").push(space);
        };
        pool.run(apart, |i| one(i, &self.alone));
        (apart..photos.len()).for_each(|i| one(i, pool));
        drop(rows);
        out
    }

    /// Raises `most` (one per map, beginning with the input) to the largest absolute number of every map for this
    /// photo: what int8 is calibrated with.
    ///
    /// # Panics
    /// If the photo has another size or `most` another length than [`Net::map_count`].
    pub fn ranges(&self, isa: Isa, pool: &Pool, photo: &[u8], most: &mut [f32]) {
        assert_eq!((photo.len(), most.len()), (self.pixels(), self.maps.len()), "a photo, a number per map");
        let mut space = self.workspace();
        self.compute(isa, pool, &mut space, photo, |map, values| {
            let (geometry, mut largest) = (&self.maps[map], most[map]);
            for y in 0..geometry.height {
                let row = &values[geometry.at(y, 0, 0)..][..geometry.width * geometry.pixel];
                for &v in row {
                    // SAFETY: lanes as an array run everywhere; one element is read.
                    let v = unsafe { N::Input::load_part::<crate::simd::Portable<false>>(&v, 1) }[0];
                    largest = largest.max(v.abs());
                }
            }
            most[map] = largest;
        });
        self.spare.lock().expect("nothing panics here").push(space);
    }

    /// Maps, the input among them.
    pub fn map_count(&self) -> usize {
        self.maps.len()
    }

    fn workspace(&self) -> Workspace<N> {
        if let Some(space) = self.spare.lock().expect("nothing panics here").pop() {
            return space;
        }
        let count = self.slots.iter().max().map_or(0, |m| m + 1);
        let of = |slot| self.slots.iter().position(|&s| s == slot).expect("every slot has a map");
        let mut slots: Vec<_> = (0..count).map(|slot| Buffer::new(self.maps[of(slot)].len())).collect();
        if N::QUANTISED {
            slots[0].as_chunks_mut().0.fill(self.border);
        }
        Workspace { slots, inputs: Buffer::new(self.rooms.0), sums: Buffer::new(self.rooms.1) }
    }

    /// Runs all steps; `seen` gets every map when it is done.
    fn compute(
        &self,
        isa: Isa,
        pool: &Pool,
        space: &mut Workspace<N>,
        photo: &[u8],
        mut seen: impl FnMut(usize, &[N::Input]),
    ) {
        self.write_input(space, photo);
        for step in &self.steps {
            self.step(isa, pool, space, step);
            seen(step.to, &space.slots[self.slots[step.to]]);
        }
    }

    fn write_input(&self, space: &mut Workspace<N>, photo: &[u8]) {
        let (map, [r, g, b]) = (&self.maps[0], &self.tables);
        for (y, row) in photo.chunks_exact(map.width * COLOURS).enumerate() {
            let to = &mut space.slots[0][map.at(y, 0, 0)..];
            for (to, from) in to.as_chunks_mut::<COLOURS>().0.iter_mut().zip(row.as_chunks::<COLOURS>().0) {
                *to = [r[usize::from(from[0])], g[usize::from(from[1])], b[usize::from(from[2])]];
            }
        }
    }

    fn step(&self, isa: Isa, pool: &Pool, space: &mut Workspace<N>, step: &Step<N>) {
        let mut at = |map: usize| space.slots[self.slots[map]].share();
        let (from, to) = (at(step.from), at(step.to));
        let add = step.add.map(&mut at);
        let (from_map, to_map) = (&self.maps[step.from], &self.maps[step.to]);
        match &step.work {
            Work::Conv { packed, geometry, bias, scale, residual_scale, relu } => {
                let sink = Writer {
                    out: to,
                    stride: to_map.pixel,
                    columns: to_map.channels,
                    scale: N::scale(scale),
                    bias: Some(bias),
                    residual: add,
                    residual_scale: *residual_scale,
                    act: if *relu { Act::Relu } else { Act::None },
                };
                let a = Shared(from.0.cast::<u8>());
                let weights = self.arena.weights(packed);
                // SAFETY: `Geometry` was made for these two maps and what it reads was checked against the buffer in
                // `finish`; the map to add has the output's geometry (`lay_out`); no two of the three share memory
                // (`slots`: a map's slot is free only after its last use); tiles do not overlap.
                unsafe {
                    split::multiply(
                        isa,
                        pool,
                        weights,
                        a,
                        geometry.stride,
                        &geometry.taps,
                        &geometry.tiles,
                        &sink,
                    );
                }
            }
            Work::Winograd { layer, bias, relu } => {
                let (inputs, sums) = (space.inputs.share(), space.sums.share());
                let job = winograd::Job {
                    from: (from, from_map),
                    to: (to, to_map),
                    bias,
                    relu: *relu,
                    inputs,
                    sums,
                };
                // SAFETY: the rooms are the largest that any layer needs, the map has border and tail (`lay_out`);
                // the workspace is ours alone.
                unsafe { N::run_winograd(layer, isa, pool, &self.arena, job) }
            }
            Work::MaxPool => pool.run(to_map.height, |y| {
                // SAFETY: `lay_out` gave the input a border; every task has a row of its own.
                unsafe { max_pool::Row { from: (from, from_map), to: (to, to_map), y }.run(isa) }
            }),
        }
    }

    fn mean(&self, isa: Isa, space: &Workspace<N>, out: &mut [f32]) {
        let last = self.maps.len() - 1;
        let values = &space.slots[self.slots[last]][..];
        isa.run(Mean { map: &self.maps[last], values, scale: self.mean_scale, out });
    }
}

impl<N: MapNumber> std::fmt::Debug for Net<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Net of {} steps in {}", self.steps.len(), N::NAME)
    }
}
