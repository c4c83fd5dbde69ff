//! Weights as the kernel reads them: `[panel of 32 columns][tap][step][32 columns · 4 bytes]`, each panel one stream.

use std::marker::PhantomData;

use super::PANEL;
use crate::buffer::Buffer;
use crate::kept::{Panels, Piece};
use crate::number::Number;

/// Bytes of a step of a panel.
pub(super) const STEP_BYTES: usize = PANEL * 4;

/// The packed weights of all layers, one behind the other in their order of use, so that what is fetched ahead at a
/// layer's end is the next layer's beginning.
#[derive(Debug)]
pub struct Arena {
    bytes: Panels,
    used: usize,
}

/// Where a layer's weights lie in their [`Arena`]. A matrix has one tap; a convolution one per kernel row, of
/// `kernel · channels` inputs that lie side by side.
#[derive(Debug, Clone, Copy)]
pub struct Packed<N> {
    at: usize,
    columns: usize,
    taps: usize,
    per_tap: usize,
    number: PhantomData<N>,
}

/// A layer's weights.
#[derive(Debug)]
pub struct Weights<'a, N> {
    bytes: &'a [u8],
    columns: usize,
    packed: &'a Packed<N>,
    /// What is read after these, and the bytes of a panel of it.
    next: Option<(&'a [u8], usize)>,
}

impl<N> Clone for Weights<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<N> Copy for Weights<'_, N> {}

impl<N: Number> Packed<N> {
    /// What [`Arena::pack`] takes of the arena for this layer.
    pub fn bytes(columns: usize, taps: usize, per_tap: usize) -> usize {
        columns.div_ceil(PANEL) * taps * per_tap.div_ceil(N::STEP) * STEP_BYTES
    }

    /// Outputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Inputs.
    pub fn inputs(&self) -> usize {
        self.taps * self.per_tap
    }
}

impl Arena {
    pub fn new(bytes: usize) -> Self {
        Self { bytes: Panels::Own(Buffer::new(bytes)), used: 0 }
    }

    /// What an arena held before: layers are placed in it in the order in which they were packed.
    pub fn kept(panels: Piece) -> Self {
        Self { bytes: Panels::Lent(panels), used: 0 }
    }

    /// All panels packed or placed so far.
    pub fn panels(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Where the next layer lies in a kept arena; `None` beyond its end.
    ///
    /// # Panics
    /// If a size is 0.
    pub fn place<N: Number>(&mut self, columns: usize, taps: usize, per_tap: usize) -> Option<Packed<N>> {
        assert!(columns > 0 && taps > 0 && per_tap > 0, "a layer without weights");
        let (at, bytes) = (self.used, Packed::<N>::bytes(columns, taps, per_tap));
        self.used = at.checked_add(bytes).filter(|&end| end <= self.bytes.len())?;
        Some(Packed { at, columns, taps, per_tap, number: PhantomData })
    }

    /// Whether layers fill it.
    pub fn is_full(&self) -> bool {
        self.used == self.bytes.len()
    }

    /// Packs `columns` columns of `taps · per_tap` weights, `weight(column, input)`.
    ///
    /// # Panics
    /// If the arena is too small ([`Packed::bytes`]) or a kept one, or a size is 0.
    pub fn pack<N: Number>(
        &mut self,
        columns: usize,
        taps: usize,
        per_tap: usize,
        weight: impl Fn(usize, usize) -> f32,
    ) -> Packed<N> {
        let packed = self.place::<N>(columns, taps, per_tap).expect("the arena is as large as its layers");
        let Panels::Own(own) = &mut self.bytes else { panic!("a kept arena is packed already") };
        let to = &mut own[packed.at..self.used];
        let (steps, size) = (per_tap.div_ceil(N::STEP), 4 / N::STEP);
        for (i, panel) in to.chunks_exact_mut(taps * steps * STEP_BYTES).enumerate() {
            let inside = PANEL.min(columns - i * PANEL);
            for tap in 0..taps {
                for k in 0..per_tap {
                    let step = &mut panel[(tap * steps + k / N::STEP) * STEP_BYTES..][..STEP_BYTES];
                    for column in 0..inside {
                        let w = weight(i * PANEL + column, tap * per_tap + k);
                        N::encode(w, &mut step[column * 4 + k % N::STEP * size..][..size]);
                    }
                }
            }
        }
        packed
    }

    /// # Panics
    /// If `packed` is not of this arena.
    pub fn weights<'a, N: Number>(&'a self, packed: &'a Packed<N>) -> Weights<'a, N> {
        let bytes = Packed::<N>::bytes(packed.columns, packed.taps, packed.per_tap);
        Weights {
            bytes: &self.bytes[packed.at..self.used][..bytes],
            columns: packed.columns,
            packed,
            next: None,
        }
    }
}

impl<'a, N: Number> Weights<'a, N> {
    pub fn columns(&self) -> usize {
        self.columns
    }
    /// Those from the panel on that `column` is of, and the first column of that.
    pub(crate) fn from(self, column: usize) -> (Self, usize) {
        let panel = column / PANEL;
        let (bytes, first) = (&self.bytes[panel * self.panel_bytes()..], panel * PANEL);
        (Self { bytes, columns: self.columns - first, ..self }, first)
    }
    /// These, after which others are read: where threads read a stream each, the others' beginnings are fetched at the end.
    pub(crate) fn before<M: Number>(self, next: Weights<'a, M>) -> Self {
        Self { next: Some((next.bytes, next.panel_bytes())), ..self }
    }
    /// What is read after these by the `i`th of some threads, all from its first panel on.
    pub(crate) fn next(&self, i: usize, threads: usize) -> Option<&'a [u8]> {
        self.next.map(|(bytes, panel)| &bytes[i * (bytes.len() / panel) / threads * panel..])
    }
    pub(crate) fn taps(&self) -> usize {
        self.packed.taps
    }
    /// Of one tap.
    pub(crate) fn steps(&self) -> usize {
        self.packed.per_tap.div_ceil(N::STEP)
    }
    pub(crate) fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL)
    }
    pub(crate) fn panel_bytes(&self) -> usize {
        self.taps() * self.steps() * STEP_BYTES
    }
    pub(crate) fn panel(&self, i: usize) -> &'a [u8] {
        &self.bytes[i * self.panel_bytes()..][..self.panel_bytes()]
    }
}
