//! Attention of one head over the tokens of one text, in f32 or bf16.
//!
//! Keys are transposed into panels once; then some query rows at a time go through scores, softmax and the product with
//! the values, so that the scores of a tile stay in the first cache. A row's numbers are summed in one order, wherever
//! it stands: a text's result does not depend on the texts beside it.

use crate::Isa;
use crate::math::powers;
use crate::matrix::kernel::{Call, Kernel, MOST_ROWS};
use crate::matrix::{PANEL, Sums};
use crate::number::{Element, Number};
use crate::simd::{LANES, Simd, Task};
use crate::softmax::exponentials as over_largest;

/// Tokens and numbers per token of one head, and how far rows lie apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub tokens: usize,
    /// Those whose queries are answered, `(from, until)`.
    pub queries: (usize, usize),
    pub dim: usize,
    /// From a row of queries (or keys, or values) to the next, in elements.
    pub stride: usize,
    /// From a row of the result to the next.
    pub out_stride: usize,
}

/// Exponentials of scores are taken as they are, without looking for the largest first. Where a row's total is not from
/// [`LEAST`] to [`MOST`], what is much smaller than the largest of them may be lost, or the largest too great for a number:
/// then they are taken over the largest.
const LEAST: f32 = 1e-18;
const MOST: f32 = 1e18;

/// What [`attend`] needs beside it; as large as the longest text so far.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    keys: Vec<u32>,
    values: Vec<u32>,
    /// Of one row, where they are needed again.
    scores: Vec<f32>,
    /// Exponentials of a tile's scores, in steps of 4 bytes.
    weights: Vec<u32>,
}

/// Softmax of (queries · keysᵀ) · values. Queries come divided by √dim.
///
/// # Safety
/// `q`, `k` and `v` must be readable for `shape.tokens` rows of `shape.dim` elements (queries up to the next whole
/// step, finite there) and `out` writable for the rows of the queries, by nobody else, and not overlap them.
pub(crate) unsafe fn attend<N: Number<Sum = f32>, O: Element>(
    isa: Isa,
    shape: Shape,
    [q, k, v]: [*const N::Input; 3],
    out: *mut O,
    scratch: &mut Scratch,
) {
    isa.run(Attend::<N, O> { product: N::kernel(isa), shape, q, k, v, out, scratch });
}

struct Attend<'a, N: Number, O> {
    product: Kernel<f32>,
    shape: Shape,
    q: *const N::Input,
    k: *const N::Input,
    v: *const N::Input,
    out: *mut O,
    scratch: &'a mut Scratch,
}

impl<N: Number<Sum = f32>, O: Element> Task for Attend<'_, N, O> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { product, shape, q, k, v, out, scratch } = self;
        let Shape { tokens, queries: (first, last), dim, stride, out_stride } = shape;
        let (across, steps, token_steps) =
            (tokens.next_multiple_of(PANEL), dim.div_ceil(N::STEP), tokens.div_ceil(N::STEP));
        let in_place = N::STEP == 1 && dim.is_multiple_of(PANEL);
        let Scratch { keys, values, scores, weights } = scratch;
        let room = |v: &mut Vec<u32>, n: usize| v.resize(n.max(v.len()), 0);
        room(keys, across * steps);
        room(values, if in_place { 0 } else { token_steps * dim.next_multiple_of(PANEL) });
        room(weights, MOST_ROWS * across / N::STEP);
        scores.resize(scores.len().max(across), 0.0);
        // SAFETY: the caller's; the panels have room as computed above.
        unsafe {
            pack_keys::<N, S>(shape, k, &mut keys[..across * steps]);
            if !in_place {
                pack_values::<N>(shape, v, values);
            }
        }
        let (v_panel, v_step) = match in_place {
            true => (PANEL * 4, stride * 4),
            false => (token_steps * PANEL * 4, PANEL * 4),
        };
        let v_rows = v;
        let v = if in_place { v.cast::<u8>() } else { values.as_ptr().cast() };
        let size = size_of::<N::Input>();
        let to = weights.as_mut_ptr().cast::<N::Input>();
        let mut sums = Sums::new();
        let tiles = (last - first).div_ceil(MOST_ROWS);
        for tile in 0..tiles {
            let from = first + tile * (last - first) / tiles;
            let rows = first + (tile + 1) * (last - first) / tiles - from;
            // Keys and values of the next head, likely the next to be packed, and its queries: far from one another.
            for token in tile * tokens / tiles..(tile + 1) * tokens / tiles {
                for part in [q, k, v_rows] {
                    // SAFETY: nothing is read.
                    unsafe { S::fetch(part.wrapping_add(token * stride + dim).cast()) };
                }
            }
            let a = q.wrapping_add(from * stride).cast();
            let call = Call {
                a,
                row: stride * size,
                taps: &[0],
                steps,
                b: v,
                b_step: PANEL * 4,
                more: false,
                ahead: v,
                ahead_step: 0,
            };
            // SAFETY: the instruction set is the caller's.
            let mut totals = unsafe { [S::splat(0.0); MOST_ROWS] };
            for (p, panel) in keys[..across * steps].chunks_exact(PANEL * steps).enumerate() {
                // SAFETY: rows `from` to `from + rows` of the queries and a whole panel of keys; 14 rows of weights, each
                // of as many panels.
                unsafe {
                    product(&Call { b: panel.as_ptr().cast(), ..call }, rows, &mut sums);
                    let to = to.add(p * PANEL);
                    exponentials::<S, N::Input>(&sums, &mut totals[..rows], tokens - p * PANEL, to, across);
                }
            }
            let mut shares = [0.0; MOST_ROWS];
            for (i, share) in shares[..rows].iter_mut().enumerate() {
                // SAFETY: row i of the queries and of the weights; a row of scores, of whole panels.
                unsafe {
                    let mut total = S::sum(totals[i]);
                    if !(LEAST..MOST).contains(&total) {
                        for (p, panel) in keys[..across * steps].chunks_exact(PANEL * steps).enumerate() {
                            let a = call.a.wrapping_add(i * call.row);
                            product(&Call { a, b: panel.as_ptr().cast(), ..call }, 1, &mut sums);
                            scores[p * PANEL..][..PANEL].copy_from_slice(&sums.0[..PANEL]);
                        }
                        total =
                            over_largest::<S, N::Input, true>(scores.as_ptr(), tokens, to.add(i * across));
                    }
                    *share = 1.0 / total;
                }
            }
            for (p, column) in (0..dim).step_by(PANEL).enumerate() {
                // SAFETY: rows of weights just written, a panel of values in place or packed, and this tile's rows of
                // the result.
                unsafe {
                    let (a, row, b) = (to.cast_const().cast(), across * size, v.add(p * v_panel));
                    product(&Call { a, row, steps: token_steps, b, b_step: v_step, ..call }, rows, &mut sums);
                    let to = out.add((from - first) * out_stride + column);
                    let columns = (dim - column).min(PANEL);
                    Store { sums: &sums, shares: &shares[..rows], to, out_stride, columns }.run::<S>();
                }
            }
        }
    }
}

/// Scores of a tile by a panel of keys, of which the first `n` are there (or all, if there are more) → their exponentials,
/// as rows `across` elements apart; added to the rows' totals.
///
/// # Safety
/// There must be as many rows of sums and at `to` as of totals; instructions as in [`Simd`].
#[inline(always)]
unsafe fn exponentials<S: Simd, O: Element>(
    sums: &Sums<f32>,
    totals: &mut [S::F],
    n: usize,
    to: *mut O,
    across: usize,
) {
    let (rows, sums) = (totals.len(), sums.0.as_ptr());
    let mut i = 0;
    // SAFETY: the caller's.
    unsafe {
        if S::WIDE && n >= PANEL {
            while i + 4 <= rows {
                let totals = totals[i..].as_mut_ptr();
                group::<S, O, 8>(sums.add(i * PANEL), totals, to.add(i * across), across);
                i += 4;
            }
        }
        while i < rows {
            let (sums, to) = (sums.add(i * PANEL), to.add(i * across));
            if n >= PANEL {
                group::<S, O, 2>(sums, totals[i..].as_mut_ptr(), to, across);
            } else {
                for at in (0..n).step_by(LANES) {
                    // What stands for nothing adds nothing.
                    let x = S::load_part(sums.add(at), (n - at).min(LANES), -1e4);
                    let [e] = power::<S, O, 1>([x]);
                    totals[i] = S::add(totals[i], e);
                    O::store::<S>(to.add(at), e);
                }
            }
            i += 1;
        }
    }
}

/// [`exponentials`] of whole rows, two vectors of each, `N` side by side.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn group<S: Simd, O: Element, const N: usize>(
    sums: *const f32,
    totals: *mut S::F,
    to: *mut O,
    across: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut x = [S::splat(0.0); N];
        for (i, x) in x.iter_mut().enumerate() {
            *x = S::load(sums.add(i * LANES));
        }
        let x = power::<S, O, N>(x);
        for i in 0..N / 2 {
            let [a, b] = [x[2 * i], x[2 * i + 1]];
            *totals.add(i) = S::add(*totals.add(i), S::add(a, b));
            O::store_pair::<S>(to.add(i * across), [a, b]);
        }
    }
}

/// As exact as `O` can tell.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn power<S: Simd, O: Element, const N: usize>(x: [S::F; N]) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe { if O::SHORT { powers::<S, true, N>(x) } else { powers::<S, false, N>(x) } }
}

/// Keys `[tokens, dim]` → `[panel of 32 tokens][step][token]`, 0 behind the last token and the last number.
///
/// # Safety
/// As in [`attend`]; `to` must have room; instructions as in [`Simd`].
#[inline(always)]
unsafe fn pack_keys<N: Number, S: Simd>(shape: Shape, k: *const N::Input, to: &mut [u32]) {
    let Shape { tokens, dim, stride, .. } = shape;
    let (whole, rest) = (dim / N::STEP, dim % N::STEP);
    let steps = whole + usize::from(rest > 0);
    let in_blocks = dim.is_multiple_of(LANES * N::STEP);
    for (p, panel) in to.chunks_exact_mut(PANEL * steps).enumerate() {
        let columns = (tokens - p * PANEL).min(PANEL);
        let to = panel.as_mut_ptr();
        // 16 tokens by 16 steps at a time.
        for half in (0..PANEL).step_by(LANES).filter(|_| in_blocks) {
            for block in (0..steps).step_by(LANES) {
                // SAFETY: 16 steps of each row that there is; 16 columns of as many rows of the panel.
                unsafe {
                    let mut rows = [S::splat(0.0); LANES];
                    for (i, row) in rows[..columns.saturating_sub(half).min(LANES)].iter_mut().enumerate() {
                        let token = k.add((p * PANEL + half + i) * stride);
                        *row = S::load(token.cast::<f32>().add(block));
                    }
                    for (i, steps) in S::transpose(rows).into_iter().enumerate() {
                        S::store(to.add((block + i) * PANEL + half).cast(), steps);
                    }
                }
            }
        }
        if in_blocks {
            continue;
        }
        if columns < PANEL {
            panel.chunks_exact_mut(PANEL).for_each(|step| step[columns..].fill(0));
        }
        let to = panel.as_mut_ptr();
        for column in 0..columns {
            // SAFETY: a row of the keys, and its column of the panel, which has `steps` rows of 32.
            unsafe {
                let row = k.add((p * PANEL + column) * stride);
                for step in 0..whole {
                    to.add(step * PANEL + column).write(row.cast::<u32>().add(step).read_unaligned());
                }
                if rest > 0 {
                    let mut last = 0u32;
                    std::ptr::copy_nonoverlapping(row.add(whole * N::STEP), (&raw mut last).cast(), rest);
                    to.add(whole * PANEL + column).write(last);
                }
            }
        }
    }
}

/// Values `[tokens, dim]` → `[panel of 32 numbers][step][number][token of the step]`, 0 behind the last of both.
///
/// # Safety
/// As in [`attend`]; `to` must have room.
#[inline(always)]
unsafe fn pack_values<N: Number>(shape: Shape, v: *const N::Input, to: &mut [u32]) {
    let Shape { tokens, dim, stride, .. } = shape;
    let (steps, size) = (tokens.div_ceil(N::STEP), size_of::<N::Input>());
    // The first of a step comes first in memory.
    let shift = |i: usize| 8 * size * if cfg!(target_endian = "big") { N::STEP - 1 - i } else { i };
    for (p, panel) in to.chunks_exact_mut(PANEL * steps).take(dim.div_ceil(PANEL)).enumerate() {
        let columns = (dim - p * PANEL).min(PANEL);
        for (step, to) in panel.chunks_exact_mut(PANEL).enumerate() {
            // SAFETY: rows of the values.
            let row = |i: usize| unsafe { v.add((step * N::STEP + i) * stride + p * PANEL) };
            if N::STEP == 2 && columns == PANEL && step * 2 + 1 < tokens {
                let (a, b) = (row(0).cast::<u16>(), row(1).cast::<u16>());
                for (column, to) in to.iter_mut().enumerate() {
                    // SAFETY: 32 numbers of two rows; any bytes are a u16.
                    let [a, b] = unsafe { [a.add(column).read(), b.add(column).read()] };
                    *to = u32::from(a) << shift(0) | u32::from(b) << shift(1);
                }
                continue;
            }
            to[columns..].fill(0);
            for i in 0..N::STEP.min(tokens - step * N::STEP) {
                for (column, to) in to[..columns].iter_mut().enumerate() {
                    // SAFETY: `columns` numbers of a row; a number has 4 / N::STEP bytes, and any bytes are a u16 or u32.
                    let x = unsafe {
                        if size == 4 {
                            row(i).add(column).cast::<u32>().read()
                        } else {
                            u32::from(row(i).add(column).cast::<u16>().read())
                        }
                    };
                    *to = x << shift(i) | if i == 0 { 0 } else { *to };
                }
            }
        }
    }
}

/// Sums times their row's share → the result.
struct Store<'a, O> {
    sums: &'a Sums<f32>,
    shares: &'a [f32],
    to: *mut O,
    out_stride: usize,
    columns: usize,
}

impl<O: Element> Task for Store<'_, O> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for ((i, row), &share) in self.sums.0.chunks_exact(PANEL).enumerate().zip(self.shares) {
            for at in (0..self.columns).step_by(LANES) {
                // SAFETY: the caller's: `columns` elements of row i.
                unsafe {
                    let (to, x) = (self.to.add(i * self.out_stride + at), S::load(row.as_ptr().add(at)));
                    let x = S::mul(x, S::splat(share));
                    match self.columns - at {
                        LANES.. => O::store::<S>(to, x),
                        n => O::store_part::<S>(to, x, n),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
