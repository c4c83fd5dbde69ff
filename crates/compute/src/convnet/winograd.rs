//! 3×3 with stride 1 by Winograd: F(4×4) needs a quarter of the multiplications, F(2×2) four ninths.
//!
//! Tiles of the input are transformed (T = M + 2 on a side), T·T plain products of all tiles follow, and sums are
//! transformed back. F(4×4) has larger intermediate numbers: f32 keeps about 1e-6 of the largest, bf16 is not enough.

use super::map::Map;
use crate::buffer::Shared;
use crate::matrix::split::{self, Even};
use crate::matrix::{Act, Arena, PANEL, Packed, Plain, Weights, Writer};
use crate::number::{Element, Number};
use crate::simd::{LANES, Simd, Task};
use crate::{Isa, Pool};

/// Tiles that a task takes through all three parts: inputs and sums stay in the L2 cache.
const STRIP: usize = 28;

/// A layer's transformed weights.
#[derive(Debug)]
pub(crate) struct Winograd<N> {
    places: Vec<Packed<N>>,
    /// M
    side: usize,
}

/// A layer's maps and the room for what is transformed.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a, N: Number> {
    pub from: (Shared<N::Input>, &'a Map),
    pub to: (Shared<N::Input>, &'a Map),
    pub bias: &'a [f32],
    pub relu: bool,
    /// At least [`inputs`] and [`sums`].
    pub inputs: Shared<N::Input>,
    pub sums: Shared<f32>,
}

/// Bytes that a layer's weights take.
pub(crate) fn bytes<N: Number>(side: usize, from: usize, to: usize) -> usize {
    (side + 2) * (side + 2) * Packed::<N>::bytes(to, 1, from)
}

fn tiles(side: usize, to: &Map) -> usize {
    to.height.div_ceil(side) * to.width.div_ceil(side)
}

/// Elements of a layer's transformed inputs.
pub(crate) fn inputs(side: usize, from: &Map, to: &Map) -> usize {
    (side + 2) * (side + 2) * tiles(side, to) * from.channels
}

/// Elements of a layer's sums.
pub(crate) fn sums(side: usize, to: &Map) -> usize {
    (side + 2) * (side + 2) * tiles(side, to) * to.channels
}

impl<N: Number> Winograd<N> {
    /// Where they lie in a kept arena; `None` beyond its end.
    pub fn place(arena: &mut Arena, side: usize, (from, to): (usize, usize)) -> Option<Self> {
        let places = (0..(side + 2) * (side + 2)).map(|_| arena.place::<N>(to, 1, from));
        Some(Self { places: places.collect::<Option<_>>()?, side })
    }

    /// M
    pub fn side(&self) -> usize {
        self.side
    }
}

impl<N: Number<Sum = f32>> Winograd<N> {
    /// `weight(to, ky, kx, from)`; `side` is 2 or 4.
    pub fn pack(
        arena: &mut Arena,
        side: usize,
        (from, to): (usize, usize),
        weight: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Self {
        let places = side + 2;
        let all = transform_weights(side, (from, to), weight);
        let part = from * to;
        let pack = |i: usize| {
            let place = &all[i * part..(i + 1) * part];
            arena.pack::<N>(to, 1, from, |n, k| place[n * from + k])
        };
        Self { places: (0..places * places).map(pack).collect(), side }
    }

    /// # Safety
    /// Maps and rooms must lie behind their pointers, the input with a border of 1 and a tail up to whole tiles, and
    /// nobody else may use them meanwhile.
    pub unsafe fn run(&self, isa: Isa, pool: &Pool, arena: &Arena, job: Job<'_, N>) {
        // SAFETY: the caller's.
        unsafe {
            match self.side {
                4 => self.run_by::<6, 4>(isa, pool, arena, job),
                _ => self.run_by::<4, 2>(isa, pool, arena, job),
            }
        }
    }

    unsafe fn run_by<const T: usize, const M: usize>(
        &self,
        isa: Isa,
        pool: &Pool,
        arena: &Arena,
        job: Job<'_, N>,
    ) {
        let (count, panels) = (tiles(M, job.to.1), job.to.1.channels.div_ceil(PANEL));
        let weights = |place: usize| arena.weights(&self.places[place]);
        // SAFETY: the caller's; every part below has tiles, or places and panels, of its own.
        let into = |tiles: (usize, usize)| isa.run(Into::<N, T, M> { job, tiles });
        let product = |place: usize, panel: usize, tiles: (usize, usize)| {
            // SAFETY: as above.
            unsafe { multiply::<N>(isa, weights(place), &job, (place, count), panel, tiles) }
        };
        let back = |tiles: (usize, usize)| isa.run(Back::<N, T, M> { job, tiles });
        let threads = pool.threads();
        if count >= 12 * threads {
            let strips = count.div_ceil(STRIP).next_multiple_of(threads);
            pool.run(strips, |i| {
                let strip = (i * count / strips, (i + 1) * count / strips);
                into(strip);
                for place in 0..T * T {
                    (0..panels).for_each(|panel| product(place, panel, strip));
                }
                back(strip);
            });
        } else {
            // Few tiles and many weights: each weight is read by one core.
            pool.run(count, |i| into((i, i + 1)));
            pool.run(T * T * panels, |i| product(i / panels, i % panels, (0, count)));
            pool.run(count, |i| back((i, i + 1)));
        }
    }
}

/// One place, one panel, tiles `from` to `to`.
unsafe fn multiply<N: Number<Sum = f32>>(
    isa: Isa,
    weights: Weights<'_, N>,
    job: &Job<'_, N>,
    (place, all): (usize, usize),
    panel: usize,
    (first, end): (usize, usize),
) {
    let (from, to) = (job.from.1.channels, job.to.1.channels);
    // SAFETY: the place's part of both rooms, from the first tile on.
    unsafe {
        let a = Shared(job.inputs.at((place * all + first) * from).cast::<u8>());
        let out = Shared(job.sums.at((place * all + first) * to));
        let sink = Writer {
            out,
            stride: to,
            columns: to,
            scale: Plain,
            bias: None,
            residual: None,
            residual_scale: 0.0,
            act: Act::None,
        };
        split::panel(isa, weights, a, from, &Even::new(end - first, from, to), panel, &sink);
    }
}

/// G g Gᵀ of every filter: `[place][to][from]`.
fn transform_weights(
    side: usize,
    (from, to): (usize, usize),
    weight: impl Fn(usize, usize, usize, usize) -> f32,
) -> Vec<f32> {
    let (a, b, d) = (1.0 / 6.0, 1.0 / 24.0, 1.0 / 12.0);
    let four = [[0.25, 0.0, 0.0], [-a, -a, -a], [-a, a, -a], [b, d, a], [b, -d, a], [0.0, 0.0, 1.0]];
    let two = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    let g: &[[f64; 3]] = if side == 4 { &four } else { &two };
    let (t, part) = (g.len(), from * to);
    let mut out = vec![0.0; t * t * part];
    for n in 0..to {
        for k in 0..from {
            let w: [[f64; 3]; 3] =
                std::array::from_fn(|y| std::array::from_fn(|x| f64::from(weight(n, y, x, k))));
            let half: Vec<[f64; 3]> = (g.iter())
                .map(|g| std::array::from_fn(|x| g[0] * w[0][x] + g[1] * w[1][x] + g[2] * w[2][x]))
                .collect();
            for (i, h) in half.iter().enumerate() {
                for (j, g) in g.iter().enumerate() {
                    out[(i * t + j) * part + n * from + k] = (h[0] * g[0] + h[1] * g[1] + h[2] * g[2]) as f32;
                }
            }
        }
    }
    out
}

/// Transforms tiles of the input.
struct Into<'a, N: Number, const T: usize, const M: usize> {
    job: Job<'a, N>,
    tiles: (usize, usize),
}

impl<N: Number, const T: usize, const M: usize> Task for Into<'_, N, T, M> {
    type Output = ();
    #[allow(clippy::needless_range_loop)] // j is a column of d
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ((from, f), (_, t)) = (self.job.from, self.job.to);
        let (across, c) = (t.width.div_ceil(M), f.channels);
        let part = across * t.height.div_ceil(M) * c;
        for tile in self.tiles.0..self.tiles.1 {
            for k in (0..c).step_by(LANES) {
                // SAFETY: `Winograd::run`'s contract: the tile's T rows of T pixels lie within the map and its tail;
                // channels are a multiple of 16.
                unsafe {
                    let p = from.at(f.at(tile / across * M, tile % across * M, 1) + k).cast_const();
                    let mut d = [[S::splat(0.0); T]; T];
                    for j in 0..T {
                        let mut column = [S::splat(0.0); T];
                        for (i, v) in column.iter_mut().enumerate() {
                            *v = N::Input::load::<S>(p.add(i * f.row() + j * f.pixel));
                        }
                        let column = bt::<S, T>(column);
                        for i in 0..T {
                            d[i][j] = column[i];
                        }
                    }
                    for (i, row) in d.into_iter().enumerate() {
                        for (j, v) in bt::<S, T>(row).into_iter().enumerate() {
                            N::Input::store::<S>(self.job.inputs.at((i * T + j) * part + tile * c + k), v);
                        }
                    }
                }
            }
        }
    }
}

/// Transforms tiles of sums back; bias, ReLU.
struct Back<'a, N: Number, const T: usize, const M: usize> {
    job: Job<'a, N>,
    tiles: (usize, usize),
}

impl<N: Number, const T: usize, const M: usize> Task for Back<'_, N, T, M> {
    type Output = ();
    #[allow(clippy::needless_range_loop)] // j is a column of d
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (to, t) = self.job.to;
        let (across, c) = (t.width.div_ceil(M), t.channels);
        let part = across * t.height.div_ceil(M) * c;
        let low = if self.job.relu { 0.0 } else { f32::MIN };
        for tile in self.tiles.0..self.tiles.1 {
            let (y, x) = (tile / across * M, tile % across * M);
            let (rows, columns) = (M.min(t.height - y), M.min(t.width - x));
            for k in (0..c).step_by(LANES) {
                // SAFETY: as above; only pixels within the output are written.
                unsafe {
                    let p = self.job.sums.at(tile * c + k).cast_const();
                    let (bias, low) = (S::load(self.job.bias.as_ptr().add(k)), S::splat(low));
                    let mut d = [[S::splat(0.0); T]; M];
                    for j in 0..T {
                        let mut column = [S::splat(0.0); T];
                        for (i, v) in column.iter_mut().enumerate() {
                            *v = S::load(p.add((i * T + j) * part));
                        }
                        let column = at::<S, T, M>(column);
                        for i in 0..M {
                            d[i][j] = column[i];
                        }
                    }
                    for (i, row) in d.into_iter().enumerate().take(rows) {
                        for (j, v) in at::<S, T, M>(row).into_iter().enumerate().take(columns) {
                            N::Input::store::<S>(
                                to.at(t.at(y + i, x + j, 0) + k),
                                S::max(S::add(v, bias), low),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// Bᵀ d
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn bt<S: Simd, const T: usize>(d: [S::F; T]) -> [S::F; T] {
    // SAFETY: the caller's.
    unsafe {
        let plus = |a, k, b| S::fma(S::splat(k), b, a);
        let mut y = d;
        if T == 6 {
            let (a, b) = (plus(d[4], -4.0, d[2]), plus(d[3], -4.0, d[1]));
            let (c, e) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
            y[0] = plus(plus(d[4], -5.0, d[2]), 4.0, d[0]);
            (y[1], y[2]) = (S::add(a, b), S::sub(a, b));
            (y[3], y[4]) = (plus(c, 2.0, e), plus(c, -2.0, e));
            y[5] = plus(plus(d[5], -5.0, d[3]), 4.0, d[1]);
        } else {
            y[0] = S::sub(d[0], d[2]);
            (y[1], y[2]) = (S::add(d[1], d[2]), S::sub(d[2], d[1]));
            y[3] = S::sub(d[1], d[3]);
        }
        y
    }
}

/// Aᵀ m
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn at<S: Simd, const T: usize, const M: usize>(m: [S::F; T]) -> [S::F; M] {
    // SAFETY: the caller's.
    unsafe {
        let plus = |a, k, b| S::fma(S::splat(k), b, a);
        let mut y = [m[0]; M];
        let (p, q) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        if T == 6 {
            let (r, s) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            y[0] = S::add(m[0], S::add(p, r));
            (y[1], y[2]) = (plus(q, 2.0, s), plus(p, 4.0, r));
            y[3] = plus(S::add(q, m[5]), 8.0, s);
        } else {
            y[0] = S::add(m[0], p);
            y[1] = S::sub(q, m[3]);
        }
        y
    }
}
