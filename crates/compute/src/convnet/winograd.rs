//! 3×3 with stride 1 by Winograd: F(4×4) needs a quarter of the multiplications, F(2×2) four ninths.
//!
//! Tiles of the input are transformed (T = M + 2 on a side), T·T plain products of all tiles follow, and sums are
//! transformed back. F(4×4) has larger intermediate numbers: f32 keeps about 1e-6 of the largest, bf16 is not enough.

mod transform;

use std::sync::atomic::{AtomicU64, Ordering::*};

use super::map::Map;
use crate::buffer::{LINE, Shared};
use crate::matrix::kernel::{Call, MOST_ROWS};
use crate::matrix::{Arena, PANEL, Packed, Sums};
use crate::number::{B16, Element, F32, Number};
use crate::{Isa, Pool};
use transform::{Back, Into};

/// Tiles at most that a task takes through all three parts: inputs and sums stay in the L2 cache.
const STRIP: usize = 2 * MOST_ROWS;
/// Numbers of a block of sums, which the kernel writes.
const BLOCK: usize = MOST_ROWS * PANEL;

/// How a layer goes by Winograd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// M, 2 or 4.
    pub side: usize,
    pub rooms: Rooms,
}

/// What transformed inputs and weights are kept in, whatever the maps are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rooms {
    Single,
    Brain,
}

impl Form {
    fn places(self) -> usize {
        (self.side + 2) * (self.side + 2)
    }

    /// Bytes that a layer's weights take.
    pub fn bytes(self, from: usize, to: usize) -> usize {
        let place = match self.rooms {
            Rooms::Single => Packed::<F32>::bytes(to, 1, from),
            Rooms::Brain => Packed::<B16>::bytes(to, 1, from),
        };
        self.places() * place
    }
}

/// A layer's transformed weights.
#[derive(Debug)]
pub(crate) struct Winograd {
    form: Form,
    places: Places,
}

#[derive(Debug)]
enum Places {
    Single(Vec<Packed<F32>>),
    Brain(Vec<Packed<B16>>),
}

/// A layer's maps and the room for what is transformed, as large as [`Winograd::rooms`] says.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a, E> {
    pub from: (Shared<E>, &'a Map),
    pub to: (Shared<E>, &'a Map),
    pub bias: &'a [f32],
    pub relu: bool,
    pub inputs: Shared<u8>,
    pub sums: Shared<f32>,
}

impl Winograd {
    /// `weight(to, ky, kx, from)`
    pub fn pack(
        arena: &mut Arena,
        form: Form,
        (from, to): (usize, usize),
        weight: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Self {
        let all = transform::weights(form.side, (from, to), weight);
        let place = |i: usize| &all[i * from * to..][..from * to];
        let of = |i: usize| move |n: usize, k: usize| place(i)[n * from + k];
        let places = 0..form.places();
        let places = match form.rooms {
            Rooms::Single => Places::Single(places.map(|i| arena.pack(to, 1, from, of(i))).collect()),
            Rooms::Brain => Places::Brain(places.map(|i| arena.pack(to, 1, from, of(i))).collect()),
        };
        Self { form, places }
    }

    /// Where they lie in a kept arena; `None` beyond its end.
    pub fn place(arena: &mut Arena, form: Form, (from, to): (usize, usize)) -> Option<Self> {
        let mut places = 0..form.places();
        let places = match form.rooms {
            Rooms::Single => {
                Places::Single(places.by_ref().map(|_| arena.place(to, 1, from)).collect::<Option<_>>()?)
            }
            Rooms::Brain => Places::Brain(places.map(|_| arena.place(to, 1, from)).collect::<Option<_>>()?),
        };
        Some(Self { form, places })
    }

    /// Bytes of transformed inputs and numbers of sums between two maps.
    pub fn rooms(&self, from: &Map, to: &Map) -> (usize, usize) {
        let side = self.form.side;
        let blocks = tiles(side, to).div_ceil(MOST_ROWS);
        let all = self.form.places() * blocks;
        let inputs = MOST_ROWS * from.channels * size_of::<f32>() + LINE;
        (all * inputs, all * (to.channels.div_ceil(PANEL) * BLOCK + LINE / size_of::<f32>()))
    }

    /// # Safety
    /// Maps and rooms must lie behind their pointers, the input with a border of 1 and a tail up to whole tiles, and
    /// nobody else may use them meanwhile.
    pub unsafe fn run<E: Element>(&self, isa: Isa, pool: &Pool, arena: &Arena, job: Job<'_, E>) {
        // SAFETY: the caller's.
        unsafe {
            match (&self.places, self.form.side) {
                (Places::Single(places), 4) => run::<E, F32, 6, 4>(isa, pool, arena, places, job),
                (Places::Single(places), _) => run::<E, F32, 4, 2>(isa, pool, arena, places, job),
                (Places::Brain(places), 4) => run::<E, B16, 6, 4>(isa, pool, arena, places, job),
                (Places::Brain(places), _) => run::<E, B16, 4, 2>(isa, pool, arena, places, job),
            }
        }
    }
}

impl std::fmt::Display for Winograd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "winograd {} {:?}", self.form.side, self.form.rooms)
    }
}

fn tiles(side: usize, to: &Map) -> usize {
    to.height.div_ceil(side) * to.width.div_ceil(side)
}

/// Tiles that go through all three parts in one room.
#[derive(Clone, Copy)]
struct Strip {
    first: usize,
    count: usize,
}

impl Strip {
    #[inline(always)]
    fn blocks(self) -> usize {
        self.count.div_ceil(MOST_ROWS)
    }

    /// Tiles of a block; the last may have fewer.
    #[inline(always)]
    fn rows(self) -> usize {
        self.count.div_ceil(self.blocks())
    }

    /// Inputs of a place: a line more than there are, so that places do not push each other out of the cache.
    #[inline(always)]
    fn inputs<T>(self, channels: usize) -> usize {
        self.count * channels + LINE / size_of::<T>()
    }

    /// Numbers of a place's sums, likewise.
    #[inline(always)]
    fn sums(self, channels: usize) -> usize {
        channels.div_ceil(PANEL) * self.blocks() * BLOCK + LINE / size_of::<f32>()
    }

    /// Where a tile's sums of a panel begin, within a place.
    #[inline(always)]
    fn sum(self, tile: usize, panel: usize) -> usize {
        (panel * self.blocks() + tile / self.rows()) * BLOCK + tile % self.rows() * PANEL
    }
}

unsafe fn run<E: Element, R: Number<Sum = f32>, const T: usize, const M: usize>(
    isa: Isa,
    pool: &Pool,
    arena: &Arena,
    places: &[Packed<R>],
    job: Job<'_, E>,
) {
    let (count, panels, threads) = (tiles(M, job.to.1), job.to.1.channels.div_ceil(PANEL), pool.threads());
    let part = |strip: Strip, room: usize, most: usize| {
        let most = Strip { first: 0, count: most };
        let inputs = T * T * room * most.inputs::<R::Input>(job.from.1.channels);
        let sums = T * T * room * most.sums(job.to.1.channels);
        // SAFETY: rooms lie within what `rooms` counts: all of them have no more blocks than all tiles.
        let (inputs, sums) =
            unsafe { (Shared(job.inputs.0.cast::<R::Input>().add(inputs)), Shared(job.sums.at(sums))) };
        Part::<E, R, T, M> { isa, arena, places, job, strip, inputs, sums }
    };
    // SAFETY (of all below): the caller's; every part has tiles, or places and panels, of its own, and every strip a
    // room.
    if threads <= 64 && count.div_ceil(MOST_ROWS) >= 2 * threads {
        let strips = count.div_ceil(STRIP).next_multiple_of(threads);
        let (most, taken) = (count.div_ceil(strips), AtomicU64::new(0));
        pool.run(strips, |i| {
            let first = i * count / strips;
            let strip = Strip { first, count: (i + 1) * count / strips - first };
            let claim = Claim::new(&taken);
            let part = part(strip, claim.0, most);
            // SAFETY: as above.
            unsafe {
                part.lay_in((0, strip.count));
                for place in 0..T * T {
                    (0..panels).for_each(|panel| part.multiply(place, panel));
                }
                part.lay_out((0, strip.count));
            }
        });
    } else {
        // Few tiles and many weights: each weight is read by one core.
        let part = part(Strip { first: 0, count }, 0, count);
        // SAFETY: as above.
        unsafe {
            pool.run(count, |i| part.lay_in((i, i + 1)));
            pool.run(T * T * panels, |i| part.multiply(i / panels, i % panels));
            pool.run(count, |i| part.lay_out((i, i + 1)));
        }
    }
}

/// One of 64 rooms, given back when dropped. There must be no more claims at a time.
struct Claim<'a>(usize, &'a AtomicU64);

impl<'a> Claim<'a> {
    fn new(taken: &'a AtomicU64) -> Self {
        loop {
            let now = taken.load(Relaxed);
            let room = now.trailing_ones() as usize;
            if room < 64 && taken.compare_exchange_weak(now, now | 1 << room, Acquire, Relaxed).is_ok() {
                return Self(room, taken);
            }
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.1.fetch_and(!(1 << self.0), Release);
    }
}

/// A strip of a layer.
struct Part<'a, E, R: Number<Sum = f32>, const T: usize, const M: usize> {
    isa: Isa,
    arena: &'a Arena,
    places: &'a [Packed<R>],
    job: Job<'a, E>,
    strip: Strip,
    inputs: Shared<R::Input>,
    sums: Shared<f32>,
}

/// # Safety
/// Of all: [`Winograd::run`]'s, for these tiles, this place and panel.
impl<E: Element, R: Number<Sum = f32>, const T: usize, const M: usize> Part<'_, E, R, T, M> {
    unsafe fn lay_in(&self, tiles: (usize, usize)) {
        let (from, to, strip) = (self.job.from, self.job.to.1, self.strip);
        self.isa.run(Into::<E, R::Input, T, M> { from, to, room: self.inputs, strip, tiles });
    }

    unsafe fn lay_out(&self, tiles: (usize, usize)) {
        let Job { to, bias, relu, .. } = self.job;
        self.isa.run(Back::<E, T, M> { to, room: self.sums, strip: self.strip, tiles, bias, relu });
    }

    unsafe fn multiply(&self, place: usize, panel: usize) {
        let (strip, c) = (self.strip, self.job.from.1.channels);
        let (weights, kernel) = (self.arena.weights(&self.places[place]), R::kernel(self.isa));
        let (steps, panel_bytes) = (weights.steps(), weights.panel_bytes());
        let (b, row) = (weights.panel(panel).as_ptr(), c * size_of::<R::Input>());
        for block in 0..strip.blocks() {
            let first = block * strip.rows();
            let fetched = block * steps * 64;
            // SAFETY: the caller's: the block's rows of the place, of c inputs each (whole steps: channels are a
            // multiple of 16), and its sums, aligned as the room is; nobody else uses them.
            unsafe {
                let a =
                    self.inputs.at(place * strip.inputs::<R::Input>(c) + first * c).cast_const().cast::<u8>();
                let at = place * strip.sums(self.job.to.1.channels) + strip.sum(first, panel);
                let sums = &mut *self.sums.at(at).cast::<Sums<f32>>();
                let ahead = b.wrapping_add(panel_bytes + fetched);
                let ahead_step = if fetched < panel_bytes { 64 } else { 0 };
                let call = Call { a, row, taps: &[0], steps, b, b_step: 128, more: false, ahead, ahead_step };
                kernel(&call, strip.rows().min(strip.count - first), sums);
            }
        }
    }
}
