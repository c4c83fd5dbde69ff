//! Attention of one head over the tokens of one text, in f32 or bf16.
//!
//! Keys are transposed into panels once; then some query rows at a time go through scores, softmax and the product with
//! the values, so that the scores of a tile stay in the first cache. A row's numbers are summed in one order, wherever
//! it stands: a text's result does not depend on the texts beside it.

use crate::Isa;
use crate::matrix::kernel::{Call, MOST_ROWS};
use crate::matrix::{PANEL, Sums};
use crate::number::{Element, Number};
use crate::simd::{LANES, Simd, Task};
use crate::softmax::exponentials;

/// Tokens and numbers per token of one head, and how far rows lie apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub tokens: usize,
    pub dim: usize,
    /// From a row of queries (or keys, or values) to the next, in elements.
    pub stride: usize,
    /// From a row of the result to the next.
    pub out_stride: usize,
}

/// What [`attend`] needs beside it; as large as the longest text so far.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    keys: Vec<u32>,
    values: Vec<u32>,
    scores: Vec<f32>,
    /// Exponentials in steps of 4 bytes; unused in f32, where they take the scores' place.
    weights: Vec<u32>,
}

/// Softmax of (queries · keysᵀ) · values. Queries come divided by √dim.
///
/// # Safety
/// `q`, `k` and `v` must be readable for `shape.tokens` rows of `shape.dim` elements (queries up to the next whole
/// step, finite there) and `out` writable, by nobody else, and not overlap them.
pub(crate) unsafe fn attend<N: Number<Sum = f32>, O: Element>(
    isa: Isa,
    shape: Shape,
    [q, k, v]: [*const N::Input; 3],
    out: *mut O,
    scratch: &mut Scratch,
) {
    let Shape { tokens, dim, stride, out_stride } = shape;
    let (across, steps, token_steps) =
        (tokens.next_multiple_of(PANEL), dim.div_ceil(N::STEP), tokens.div_ceil(N::STEP));
    let in_place = N::STEP == 1 && dim.is_multiple_of(PANEL);
    let Scratch { keys, values, scores, weights } = scratch;
    let room = |v: &mut Vec<u32>, n: usize| v.resize(n.max(v.len()), 0);
    room(keys, across * steps);
    room(values, if in_place { 0 } else { token_steps * dim.next_multiple_of(PANEL) });
    room(weights, if N::STEP == 1 { 0 } else { MOST_ROWS * token_steps });
    scores.resize(scores.len().max(MOST_ROWS * across), 0.0);
    // SAFETY: the caller's; the panels have room as computed above.
    unsafe {
        pack_keys::<N>(shape, k, &mut keys[..across * steps]);
        if !in_place {
            pack_values::<N>(shape, v, values);
        }
    }
    let (v_panel, v_step) = match in_place {
        true => (PANEL * 4, stride * 4),
        false => (token_steps * PANEL * 4, PANEL * 4),
    };
    let v = if in_place { v.cast::<u8>() } else { values.as_ptr().cast() };
    let p_row = if N::STEP == 1 { across } else { token_steps * N::STEP };
    let (size, product) = (size_of::<N::Input>(), N::kernel(isa));
    let mut sums = Sums::new();
    let tiles = tokens.div_ceil(MOST_ROWS);
    for tile in 0..tiles {
        let from = tile * tokens / tiles;
        let rows = (tile + 1) * tokens / tiles - from;
        let call =
            Call { a: q.cast(), row: 0, taps: &[0], steps, b: v, b_step: PANEL * 4, ahead: v, ahead_step: 0 };
        for (p, panel) in keys[..across * steps].chunks_exact(PANEL * steps).enumerate() {
            // SAFETY: rows `from` to `from + rows` of the queries and a whole panel of keys.
            unsafe {
                let a = q.add(from * stride).cast();
                product(&Call { a, row: stride * size, b: panel.as_ptr().cast(), ..call }, rows, &mut sums);
            }
            for (i, row) in sums.0.chunks_exact(PANEL).take(rows).enumerate() {
                scores[i * across + p * PANEL..][..PANEL].copy_from_slice(row);
            }
        }
        let mut shares = [0.0; MOST_ROWS];
        let x = scores.as_mut_ptr();
        let to = if N::STEP == 1 { x.cast::<N::Input>() } else { weights.as_mut_ptr().cast() };
        isa.run(Soften { x, across, tokens, to, p_row, shares: &mut shares[..rows] });
        for (p, column) in (0..dim).step_by(PANEL).enumerate() {
            // SAFETY: rows of weights just written, a panel of values in place or packed, and this tile's rows of the
            // result.
            unsafe {
                let (a, row, b) = (to.cast_const().cast(), p_row * size, v.add(p * v_panel));
                product(&Call { a, row, steps: token_steps, b, b_step: v_step, ..call }, rows, &mut sums);
                let to = out.add(from * out_stride + column);
                let columns = (dim - column).min(PANEL);
                isa.run(Store { sums: &sums, shares: &shares[..rows], to, out_stride, columns });
            }
        }
    }
}

/// Keys `[tokens, dim]` → `[panel of 32 tokens][step][token]`, 0 behind the last token and the last number.
///
/// # Safety
/// As in [`attend`]; `to` must have room.
unsafe fn pack_keys<N: Number>(shape: Shape, k: *const N::Input, to: &mut [u32]) {
    let Shape { tokens, dim, stride, .. } = shape;
    let (whole, rest) = (dim / N::STEP, dim % N::STEP);
    let steps = whole + usize::from(rest > 0);
    for (p, panel) in to.chunks_exact_mut(PANEL * steps).enumerate() {
        let columns = (tokens - p * PANEL).min(PANEL);
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
unsafe fn pack_values<N: Number>(shape: Shape, v: *const N::Input, to: &mut [u32]) {
    let Shape { tokens, dim, stride, .. } = shape;
    let steps = tokens.div_ceil(N::STEP);
    for (p, panel) in to.chunks_exact_mut(PANEL * steps).take(dim.div_ceil(PANEL)).enumerate() {
        let columns = (dim - p * PANEL).min(PANEL);
        for (step, to) in panel.chunks_exact_mut(PANEL).enumerate() {
            to[columns..].fill(0);
            let size = size_of::<N::Input>();
            for i in 0..N::STEP.min(tokens - step * N::STEP) {
                let token = step * N::STEP + i;
                // The first of a step comes first in memory.
                let shift = 8 * size * if cfg!(target_endian = "big") { N::STEP - 1 - i } else { i };
                // SAFETY: `columns` numbers of a row of the values.
                let row = unsafe { v.add(token * stride + p * PANEL) };
                for (column, to) in to[..columns].iter_mut().enumerate() {
                    // SAFETY: as above; a number has 4 / N::STEP bytes, and any bytes are a u16 or u32.
                    let x = unsafe {
                        if size == 4 {
                            row.add(column).cast::<u32>().read()
                        } else {
                            u32::from(row.add(column).cast::<u16>().read())
                        }
                    };
                    *to = x << shift | if i == 0 { 0 } else { *to };
                }
            }
        }
    }
}

/// Rows of scores → exponentials, and what to multiply by in the end.
struct Soften<'a, O> {
    x: *const f32,
    across: usize,
    tokens: usize,
    to: *mut O,
    p_row: usize,
    shares: &'a mut [f32],
}

impl<O: Element> Task for Soften<'_, O> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for (i, share) in self.shares.iter_mut().enumerate() {
            // SAFETY: the caller's: row i of both.
            unsafe {
                let to = self.to.add(i * self.p_row);
                *share = 1.0 / exponentials::<S, O>(self.x.add(i * self.across), self.tokens, to);
                for behind in self.tokens..self.p_row.min(self.tokens + LANES) {
                    to.add(behind).write(O::default());
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
mod tests {
    use super::*;
    use crate::number::{B16, Bf16, F32};
    use crate::testing::numbers;

    /// Plain loops in f64: `[tokens, dim]` from rows of q|k|v.
    fn exact(shape: Shape, x: &[f32]) -> Vec<f64> {
        let Shape { tokens, dim, stride, .. } = shape;
        let part = |p: usize, i: usize| x[i * stride + p * dim..][..dim].iter().map(|&v| f64::from(v));
        let mut out = Vec::new();
        for i in 0..tokens {
            let e: Vec<f64> = (0..tokens)
                .map(|j| part(0, i).zip(part(1, j)).map(|(a, b)| a * b).sum::<f64>().exp())
                .collect();
            let sum: f64 = e.iter().sum();
            let column = |c: usize| (0..tokens).map(|j| e[j] / sum * part(2, j).nth(c).unwrap()).sum::<f64>();
            out.extend((0..dim).map(column));
        }
        out
    }

    fn ours<N: Number<Sum = f32>>(isa: Isa, shape: Shape, x: &[N::Input], scratch: &mut Scratch) -> Vec<f32> {
        let mut out = vec![9.0; shape.tokens * shape.out_stride];
        let parts = [0, 1, 2].map(|i| x[i * shape.dim..].as_ptr());
        // SAFETY: rows of three parts fit the stride, and the result its own.
        unsafe { attend::<N, f32>(isa, shape, parts, out.as_mut_ptr(), scratch) };
        out
    }

    #[test]
    fn every_level_is_exact_for_every_shape() {
        for isa in Isa::available() {
            // One scratch for all, so that what an earlier text left is seen to do no harm.
            let (mut scratch, mut short) = (Scratch::default(), Scratch::default());
            for tokens in (1..=48).rev().chain([65, 130, 512]) {
                for dim in [1, 8, 24, 31, 32, 64, 80] {
                    if tokens > 48 && dim != 31 && dim != 64 {
                        continue;
                    }
                    let shape = Shape { tokens, dim, stride: 3 * dim, out_stride: dim + 3 };
                    let x: Vec<f32> = numbers(tokens * 3 * dim + 3, 11).iter().map(|v| v * 1.5).collect();
                    let rounded: Vec<Bf16> = x.iter().map(|&v| Bf16::new(v)).collect();
                    let same: Vec<f32> = rounded.iter().map(|v| v.get()).collect();
                    let full = (ours::<F32>(isa, shape, &x, &mut scratch), exact(shape, &x), 1e-5);
                    let half = (ours::<B16>(isa, shape, &rounded, &mut short), exact(shape, &same), 6e-3);
                    for (got, want, most) in [full, half] {
                        for (i, want) in want.iter().enumerate() {
                            let got = got[i / dim * (dim + 3) + i % dim];
                            let error = (f64::from(got) - want).abs();
                            assert!(error <= most, "{isa} {tokens}x{dim} at {i}: {got} for {want}");
                        }
                        assert!(
                            got.chunks(dim + 3).all(|row| row[dim..] == [9.0; 3]),
                            "{isa} {tokens}x{dim}"
                        );
                    }
                }
            }
        }
    }
}
