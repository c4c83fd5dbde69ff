//! What goes into the products and what comes back: Bᵀ d B, G g Gᵀ and Aᵀ m A.

use super::{Map, Strip};
use crate::buffer::Shared;
use crate::matrix::PANEL;
use crate::number::Element;
use crate::simd::{LANES, Simd, Task};

/// G g Gᵀ of every filter: `[place][to][from]`.
pub(super) fn weights(
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

/// Transforms tiles of the input; the room is `[place][tile][channel]`.
pub(super) struct Into<'a, E, R, const T: usize, const M: usize> {
    pub from: (Shared<E>, &'a Map),
    pub to: &'a Map,
    pub room: Shared<R>,
    pub strip: Strip,
    /// Of the strip.
    pub tiles: (usize, usize),
}

impl<E: Element, R: Element, const T: usize, const M: usize> Task for Into<'_, E, R, T, M> {
    type Output = ();
    #[allow(clippy::needless_range_loop)] // j is a column of d
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ((from, f), strip) = (self.from, self.strip);
        let (across, c) = (self.to.width.div_ceil(M), f.channels);
        let part = strip.inputs::<R>(c);
        for i in self.tiles.0..self.tiles.1 {
            let tile = strip.first + i;
            let (corner, row, pixel) = (f.at(tile / across * M, tile % across * M, 1), f.row(), f.pixel);
            for k in (0..c).step_by(LANES) {
                // SAFETY: `Winograd::run`'s contract: the tile's T rows of T pixels lie within the map and its tail,
                // the strip has a room; channels are a multiple of 16.
                unsafe {
                    let (p, to) = (from.at(corner + k).cast_const(), self.room.at(i * c + k));
                    let mut d = [[S::splat(0.0); T]; T];
                    for j in 0..T {
                        let mut column = [S::splat(0.0); T];
                        for (i, v) in column.iter_mut().enumerate() {
                            *v = E::load::<S>(p.add(i * row + j * pixel));
                        }
                        let column = bt::<S, T>(column);
                        for i in 0..T {
                            d[i][j] = column[i];
                        }
                    }
                    for (i, row) in d.into_iter().enumerate() {
                        for (j, v) in bt::<S, T>(row).into_iter().enumerate() {
                            R::store::<S>(to.add((i * T + j) * part), v);
                        }
                    }
                }
            }
        }
    }
}

/// Transforms tiles of sums back; bias, ReLU. The room is `[place][panel][block]` of the kernel's sums.
pub(super) struct Back<'a, E, const T: usize, const M: usize> {
    pub to: (Shared<E>, &'a Map),
    pub room: Shared<f32>,
    pub strip: Strip,
    /// Of the strip.
    pub tiles: (usize, usize),
    pub bias: &'a [f32],
    pub relu: bool,
}

impl<E: Element, const T: usize, const M: usize> Task for Back<'_, E, T, M> {
    type Output = ();
    #[allow(clippy::needless_range_loop)] // j is a column of d
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ((to, t), strip) = (self.to, self.strip);
        let (across, c) = (t.width.div_ceil(M), t.channels);
        let part = strip.sums(c);
        let low = if self.relu { 0.0 } else { f32::MIN };
        for i in self.tiles.0..self.tiles.1 {
            let tile = strip.first + i;
            let (y, x) = (tile / across * M, tile % across * M);
            let (rows, columns) = (M.min(t.height - y), M.min(t.width - x));
            for k in (0..c).step_by(LANES) {
                // SAFETY: as above; only pixels within the output are written.
                unsafe {
                    let p = self.room.at(strip.sum(i, k / PANEL) + k % PANEL).cast_const();
                    let (bias, low) = (S::load(self.bias.as_ptr().add(k)), S::splat(low));
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
                        let row = at::<S, T, M>(row);
                        for (j, v) in row.into_iter().enumerate().take(columns) {
                            let v = S::max(S::add(v, bias), low);
                            E::store::<S>(to.at(t.at(y + i, x + j, 0) + k), v);
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
