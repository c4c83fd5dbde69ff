//! A compiled network and its run.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::map::Map;
use super::mean::Mean;
use super::numbers::MapNumber;
use super::plan::COLOURS;
use super::step::Step;
use crate::matrix::Arena;
use crate::number::{Element, Number};
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
    /// Per colour and byte.
    pub(super) tables: [[N::Input; 256]; COLOURS],
    /// Around the photo.
    pub(super) border: [N::Input; COLOURS],
    pub(super) mean_scale: f32,
    /// The largest number of every map, int8 only.
    pub(super) ranges: Vec<f32>,
    pub(super) spare: Mutex<Vec<Workspace<N>>>,
    pub(super) alone: Pool,
}

/// Memory for one photo under way.
pub(super) struct Workspace<N: Number> {
    pub slots: Vec<Buffer<N::Input>>,
    pub inputs: Buffer<u8>,
    pub sums: Buffer<f32>,
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

    /// What every step is and the least time it took in several passes: where a network's time goes.
    ///
    /// # Panics
    /// If the photo has another size.
    pub fn profile(&self, isa: Isa, pool: &Pool, photo: &[u8], passes: usize) -> Vec<(String, Duration)> {
        assert_eq!(photo.len(), self.pixels(), "a photo of the network's size");
        let mut all: Vec<_> = self.steps.iter().map(|s| (self.name(s), Duration::MAX)).collect();
        let mut space = self.workspace();
        for _ in 0..passes {
            let (mut i, mut since) = (0, Instant::now());
            self.compute(isa, pool, &mut space, photo, |_, _| {
                // The photo's own time counts to the first step.
                all[i].1 = all[i].1.min(since.elapsed());
                (i, since) = (i + 1, Instant::now());
            });
        }
        self.spare.lock().expect("nothing panics here").push(space);
        all
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
        if N::BYTES {
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
