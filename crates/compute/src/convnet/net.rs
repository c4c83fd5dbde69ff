//! A compiled network and its run.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::map::{Map, Store};
use super::mean::Mean;
use super::numbers::{By, MapNumber, Seen};
use super::photo::Photo;
use super::plan::COLOURS;
use super::step::Step;
use crate::matrix::Arena;
use crate::number::{Element, Number};
use crate::simd::{LANES, Portable};
use crate::{Buffer, Isa, Pool};

/// A compiled network: pixels of one size to one vector.
pub struct Net<N: MapNumber> {
    pub(super) maps: Vec<Map>,
    /// Of every map.
    pub(super) slots: Vec<usize>,
    pub(super) steps: Vec<Step<N>>,
    pub(super) arena: Arena,
    /// Bytes of transformed inputs and numbers of sums.
    pub(super) rooms: (usize, usize),
    /// Around the photo: the byte that stands for 0.
    pub(super) border: [f32; COLOURS],
    /// Of every channel of the last map, int8 only.
    pub(super) mean_scale: Vec<f32>,
    pub(super) spare: Mutex<Vec<Workspace<N>>>,
    pub(super) alone: Pool,
}

/// Memory for one photo under way.
pub(super) struct Workspace<N: Number> {
    pub slots: Vec<Buffer<N::Input>>,
    pub inputs: Buffer<u8>,
    pub sums: Buffer<f32>,
    pub mean: Vec<f32>,
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

    /// What every step is and the least time it took in several passes: where a network's time goes.
    ///
    /// # Panics
    /// If the photo has another size.
    pub fn profile(&self, isa: Isa, pool: &Pool, photo: &[u8], passes: usize) -> Vec<(String, Duration)> {
        assert_eq!(photo.len(), self.pixels(), "a photo of the network's size");
        let mut all: Vec<_> = self.steps.iter().map(|s| (self.name(s), Duration::MAX)).collect();
        let mut space = self.workspace();
        for _ in 0..passes {
            let (mut since, mut steps) = (Instant::now(), all.iter_mut());
            N::run_from(self, By { isa, pool }, &mut space, photo, 0, &mut |map, _| {
                // The photo's time counts to the first step.
                if map > 0 {
                    let (_, least) = steps.next().expect("a step for every map");
                    *least = since.elapsed().min(*least);
                    since = Instant::now();
                }
                true
            });
        }
        self.spare.lock().expect("nothing panics here").push(space);
        all
    }

    pub(super) fn workspace(&self) -> Workspace<N> {
        if let Some(space) = self.spare.lock().expect("nothing panics here").pop() {
            return space;
        }
        let count = self.slots.iter().max().map_or(0, |m| m + 1);
        let of = |slot| self.slots.iter().position(|&s| s == slot).expect("every slot has a map");
        let mut slots: Vec<_> = (0..count).map(|slot| Buffer::new(self.maps[of(slot)].room())).collect();
        let mut border = [N::Input::default(); COLOURS];
        for (to, &value) in border.iter_mut().zip(&self.border) {
            // SAFETY: lanes as an array run everywhere; one element is written.
            unsafe { N::Input::store_part::<Portable<false>>(to, [value; LANES], 1) };
        }
        slots[0].as_chunks_mut().0.fill(border);
        let (inputs, sums) = (Buffer::new(self.rooms.0), Buffer::new(self.rooms.1));
        Workspace { slots, inputs, sums, mean: vec![0.0; self.dim()] }
    }

    /// Runs the steps of a photo of which so many are done, until `seen` says no; gives how many are done then.
    pub(super) fn run_from(
        &self,
        by: By<'_>,
        room: &mut Workspace<N>,
        photo: &[u8],
        done: usize,
        seen: Seen<'_, N>,
    ) -> usize {
        if done == 0 {
            by.isa.run(Photo { map: &self.maps[0], values: &mut room.slots[0], photo });
            if !seen(0, &room.slots[0]) {
                return 0;
            }
        }
        for (i, step) in self.steps.iter().enumerate().skip(done) {
            self.step(by, room, step);
            if !seen(step.to, &room.slots[self.slots[step.to]]) && i + 1 < self.steps.len() {
                return i + 1;
            }
        }
        self.mean(by, room);
        self.steps.len()
    }

    fn mean(&self, by: By<'_>, room: &mut Workspace<N>) {
        let (map, scale, out) = (&self.maps[self.maps.len() - 1], &self.mean_scale, &mut room.mean);
        let values = &room.slots[self.slots[self.maps.len() - 1]][..];
        match map.store {
            Store::Wide => {
                let room = size_of_val(values) / size_of::<N::Wide>();
                // SAFETY: `lay_out` and `workspace` gave a wide map so many elements, aligned as a buffer is, and all bits
                // are values.
                let values = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<N::Wide>(), room) };
                by.isa.run(Mean { map, values, scale, out });
            }
            Store::Plain | Store::Fine | Store::Both => by.isa.run(Mean { map, values, scale, out }),
        }
    }
}

impl<N: MapNumber> std::fmt::Debug for Net<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Net of {} steps in {}", self.steps.len(), N::NAME)
    }
}
