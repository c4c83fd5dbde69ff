//! One step of a network: its weights, and how it is run.

use super::conv::{Geometry, Other};
use super::map::{Map, Store};
use super::max_pool;
use super::net::{Net, Workspace};
use super::numbers::{By, MapNumber};
use super::winograd::{self, Winograd};
use crate::buffer::Shared;
use crate::matrix::split::{self, Input, Tiles};
use crate::matrix::{Act, Beside, Packed, Writer};
use crate::number::{Element, Number};

/// A convolution's weights, packed, and the numbers beside them.
pub(super) struct ConvWeights<N: Number> {
    pub panels: ConvPanels<N>,
    pub bias: Vec<f32>,
    /// Per column, int8 only.
    pub scale: Vec<f32>,
    /// Of what is added, per column, int8 only.
    pub residual_scale: Vec<f32>,
}

pub(super) enum ConvPanels<N: Number> {
    Direct(Packed<N>),
    Winograd(Winograd),
}

#[derive(Debug)]
pub(super) struct Step<N: Number> {
    pub from: usize,
    pub to: usize,
    pub add: Option<usize>,
    pub work: Work<N>,
}

#[derive(Debug)]
pub(super) enum Work<N: Number> {
    Conv(Conv<N>),
    /// A convolution and the pool that reads its map, which is `between`.
    Pooled {
        conv: Conv<N>,
        between: usize,
    },
    Winograd {
        layer: Winograd,
        bias: Vec<f32>,
        relu: bool,
    },
    MaxPool,
}

/// A convolution without transforms.
#[derive(Debug)]
pub(super) struct Conv<N: Number> {
    pub packed: Packed<N>,
    pub geometry: Geometry,
    pub bias: Vec<f32>,
    /// Per column, int8 only.
    pub scale: Vec<f32>,
    /// Of what is added, per column, int8 only.
    pub residual_scale: Vec<f32>,
    pub relu: bool,
}

impl<N: MapNumber> Net<N> {
    /// As `56 x 56 x 64 -> 56 x 56 x 256 direct 1`.
    pub(super) fn name(&self, step: &Step<N>) -> String {
        let [from, to] = [step.from, step.to]
            .map(|m| &self.maps[m])
            .map(|m| format!("{} x {} x {}", m.height, m.width, m.channels));
        let how = match &step.work {
            Work::Conv(Conv { geometry, .. }) => format!("direct {}", geometry.taps.len()),
            Work::Winograd { layer, .. } => layer.to_string(),
            Work::Pooled { conv, .. } => format!("direct {}, max", conv.geometry.taps.len()),
            Work::MaxPool => "max".to_owned(),
        };
        let other = match &step.work {
            Work::Conv(Conv { geometry: Geometry { other: Some(other), .. }, .. }) => {
                let Map { height, width, channels, .. } = self.maps[other.map];
                format!(" with {height} x {width} x {channels}")
            }
            _ => String::new(),
        };
        format!("{from} -> {to} {how}{other}{}", if step.add.is_some() { " add" } else { "" })
    }

    pub(super) fn step(&self, By { isa, pool }: By<'_>, space: &mut Workspace<N>, step: &Step<N>) {
        let mut at = |map: usize| space.slots[self.slots[map]].share();
        let (from, to) = (at(step.from), at(step.to));
        let (from_map, to_map) = (&self.maps[step.from], &self.maps[step.to]);
        match &step.work {
            Work::Conv(conv) => {
                let add = step.add.map(|map| (at(map), &self.maps[map]));
                let other = conv.geometry.other.map(|other| at(other.map));
                // SAFETY: `Geometry` was made for these maps and what it reads was checked against the buffers in
                // `assemble`; the map to add has the output's geometry (`lay_out`), and all are of the types that
                // the maps say; none shares memory with what is written (`slots`: a map's slot is free only after
                // its last use), but what is added, which is read where and before the sum is written; tiles do
                // not overlap.
                unsafe { self.stored(By { isa, pool }, conv, (from, other), (to, to_map), add) }
            }
            Work::Winograd { layer, bias, relu } => {
                let (inputs, sums) = (space.inputs.share(), space.sums.share());
                let (from, to) = ((from, from_map), (to, to_map));
                let job = winograd::Job { from, to, bias, relu: *relu, inputs, sums };
                // SAFETY: the rooms are the largest that any layer needs, the map has border and tail (`lay_out`);
                // the workspace is ours alone.
                unsafe { layer.run(isa, pool, &self.arena, job) }
            }
            Work::Pooled { conv, between } => {
                let (rows, map) = (at(*between), &self.maps[*between]);
                let by = By { isa, pool };
                // SAFETY: `lay_out` gave the map between bands of rows with a border, all three are of the types that the maps
                // say, and no two share memory.
                unsafe {
                    match map.store {
                        Store::Fine => self.pooled::<N::Fine>(by, conv, from, (rows, map), (to, to_map)),
                        _ => self.pooled::<N::Input>(by, conv, from, (rows, map), (to, to_map)),
                    }
                }
            }
            Work::MaxPool => pool.run(to_map.height, |y| {
                let rows = [0, 1, 2].map(|i| from_map.at(2 * y + i, 0, 1));
                // SAFETY: `lay_out` gave the input a border; every task has a row of its own; both maps are of the type that
                // they say.
                unsafe {
                    match to_map.store {
                        Store::Fine => {
                            let [from, to] = [from, to].map(|map| Shared(map.0.cast::<N::Fine>()));
                            max_pool::Row { from: (from, from_map), rows, to: (to, to_map), y }.run(isa);
                        }
                        _ => max_pool::Row { from: (from, from_map), rows, to: (to, to_map), y }.run(isa),
                    }
                }
            }),
        }
    }

    /// A convolution between maps that are stored as they say.
    ///
    /// # Safety
    /// Maps must be as `conv` was made for, and lie behind their pointers; `add` has the geometry of `to`, may even
    /// be the same map; no others may share memory.
    unsafe fn stored(
        &self,
        by: By<'_>,
        conv: &Conv<N>,
        from: (Shared<N::Input>, Option<Shared<N::Input>>),
        to: (Shared<N::Input>, &Map),
        add: Option<(Shared<N::Input>, &Map)>,
    ) {
        let tiles = &conv.geometry.tiles;
        let plain = add.filter(|(_, map)| map.store == Store::Plain).map(|(add, _)| add);
        // SAFETY: the caller's; a map has room for its wide part.
        unsafe {
            let wide = |(at, map): (Shared<N::Input>, &Map)| Shared(at.at(map.wide()).cast::<N::Wide>());
            let add = add.filter(|(_, map)| map.store != Store::Plain).map(wide);
            match (to.1.store, add) {
                (Store::Plain, None) => {
                    self.convolve::<N::Input, N::Input, _>(by, conv, tiles, from, to, (), plain)
                }
                (Store::Plain, add) => {
                    self.convolve::<N::Input, N::Wide, _>(by, conv, tiles, from, to, (), add)
                }
                (Store::Both, None) => {
                    self.convolve::<N::Input, N::Input, _>(by, conv, tiles, from, to, wide(to), plain)
                }
                (Store::Both, add) => {
                    self.convolve::<N::Input, N::Wide, _>(by, conv, tiles, from, to, wide(to), add)
                }
                (Store::Wide, None) => {
                    self.convolve::<N::Wide, N::Input, _>(by, conv, tiles, from, to, (), plain)
                }
                (Store::Wide, add) => {
                    self.convolve::<N::Wide, N::Wide, _>(by, conv, tiles, from, to, (), add)
                }
                // Nothing is added where the photo is read.
                (Store::Fine, _) => {
                    self.convolve::<N::Fine, N::Input, _>(by, conv, tiles, from, to, (), None)
                }
            }
        }
    }

    /// # Safety
    /// Maps must be as `conv` was made for, `to` of `O` and with room for these tiles, `add` and what is written beside of
    /// its geometry; no two may share memory, but `add` and what is written as it is stored.
    #[allow(clippy::too_many_arguments)] // what a convolution is made of
    pub(super) unsafe fn convolve<O: Element, R: Element, B: Beside>(
        &self,
        By { isa, pool }: By<'_>,
        conv: &Conv<N>,
        tiles: &impl Tiles,
        (from, other): (Shared<N::Input>, Option<Shared<N::Input>>),
        (to, map): (Shared<N::Input>, &Map),
        beside: B,
        add: Option<Shared<R>>,
    ) {
        let Conv { packed, geometry, bias, scale, residual_scale, relu } = conv;
        let sink = Writer {
            out: Shared(to.0.cast::<O>()),
            beside,
            stride: map.pixel,
            columns: map.channels,
            scale: N::scale(scale),
            bias: Some(bias),
            residual: add,
            residual_scale: N::QUANTISED.then_some(residual_scale),
            act: if *relu { Act::Relu } else { Act::None },
        };
        let Geometry { stride, steps, ref taps, .. } = *geometry;
        let input = Input { at: Shared(from.0.cast()), stride, taps, steps };
        let other = other.zip(geometry.other).map(|(from, Other { stride, steps, .. })| Input {
            at: Shared(from.0.cast()),
            stride,
            taps: &[0],
            steps,
        });
        // SAFETY: the caller's.
        unsafe { split::multiply(isa, pool, self.arena.weights(packed), (input, other), tiles, &sink) }
    }
}
