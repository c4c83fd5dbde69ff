//! One step of a network: its weights, and how it is run.

use super::conv::Geometry;
use super::max_pool;
use super::net::{Net, Workspace};
use super::numbers::{By, MapNumber};
use super::winograd::{self, Winograd};
use crate::buffer::Shared;
use crate::matrix::{Act, Packed, Writer, split};
use crate::number::Number;

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
    Conv {
        packed: Packed<N>,
        geometry: Geometry,
        bias: Vec<f32>,
        /// Per column, int8 only.
        scale: Vec<f32>,
        /// Of what is added, per column, int8 only.
        residual_scale: Vec<f32>,
        relu: bool,
    },
    Winograd {
        layer: Winograd,
        bias: Vec<f32>,
        relu: bool,
    },
    MaxPool,
}

impl<N: MapNumber> Net<N> {
    /// As `56 x 56 x 64 -> 56 x 56 x 256 direct 1`.
    pub(super) fn name(&self, step: &Step<N>) -> String {
        let [from, to] = [step.from, step.to]
            .map(|m| &self.maps[m])
            .map(|m| format!("{} x {} x {}", m.height, m.width, m.channels));
        let how = match &step.work {
            Work::Conv { geometry, .. } => format!("direct {}", geometry.taps.len()),
            Work::Winograd { layer, .. } => layer.to_string(),
            Work::MaxPool => "max".to_owned(),
        };
        format!("{from} -> {to} {how}{}", if step.add.is_some() { " add" } else { "" })
    }

    pub(super) fn step(&self, By { isa, pool }: By<'_>, space: &mut Workspace<N>, step: &Step<N>) {
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
                    residual_scale: N::QUANTISED.then_some(residual_scale),
                    act: if *relu { Act::Relu } else { Act::None },
                };
                let a = Shared(from.0.cast::<u8>());
                let weights = self.arena.weights(packed);
                let (stride, taps) = (geometry.stride, &geometry.taps);
                // SAFETY: `Geometry` was made for these two maps and what it reads was checked against the buffer in
                // `assemble`; the map to add has the output's geometry (`lay_out`); no two of the three share memory
                // (`slots`: a map's slot is free only after its last use); tiles do not overlap.
                unsafe { split::multiply(isa, pool, weights, a, stride, taps, &geometry.tiles, &sink) }
            }
            Work::Winograd { layer, bias, relu } => {
                let (inputs, sums) = (space.inputs.share(), space.sums.share());
                let (from, to) = ((from, from_map), (to, to_map));
                let job = winograd::Job { from, to, bias, relu: *relu, inputs, sums };
                // SAFETY: the rooms are the largest that any layer needs, the map has border and tail (`lay_out`);
                // the workspace is ours alone.
                unsafe { layer.run(isa, pool, &self.arena, job) }
            }
            Work::MaxPool => pool.run(to_map.height, |y| {
                // SAFETY: `lay_out` gave the input a border; every task has a row of its own.
                unsafe { max_pool::Row { from: (from, from_map), to: (to, to_map), y }.run(isa) }
            }),
        }
    }
}
