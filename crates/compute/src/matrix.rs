//! One matrix product for three number types: `y = finish(x · wᵀ)`.
//!
//! Weights are packed once, at load, into panels of 32 columns ([`Arena::pack`]); activations are read in place, rows
//! at any stride. A tile of up to 14 rows by 32 columns keeps its sums in registers over all of k, and what follows a
//! product (scale, bias, residual, activation, rounding to the output's type) is done on the finished tile
//! ([`Finish`]).
//!
//! ```
//! use simile_compute::matrix::{Act, Arena, Finish, Packed, Rows, RowsMut, matmul};
//! use simile_compute::number::F32;
//! use simile_compute::{Isa, Pool};
//!
//! let (isa, pool) = (Isa::current(), Pool::new(2)); // once
//! let (n, k) = (3, 5); // a layer from 5 to 3
//! let w: Vec<f32> = (0..15).map(|i| i as f32).collect(); // [n, k] as in checkpoints
//! let mut arena = Arena::new(Packed::<F32>::bytes(n, 1, k)); // all layers' weights, in their order of use
//! let layer = arena.pack::<F32>(n, 1, k, |column, k_| w[column * k + k_]);
//!
//! let (x, mut y) = (vec![1.0f32; 2 * k], vec![0.0f32; 2 * n]); // two rows
//! let bias = [0.5, 0.5, 0.5];
//! let finish = Finish { bias: Some(&bias), act: Act::Relu, ..Finish::default() };
//! matmul(isa, &pool, arena.weights(&layer), Rows::new(&x, 2, k), RowsMut::new(&mut y, 2, n), &finish);
//! assert_eq!(y, [10.5, 35.5, 60.5, 10.5, 35.5, 60.5]);
//! ```
//!
//! - f32: [`F32`](crate::number::F32), inputs f32. bf16: [`B16`](crate::number::B16), inputs
//!   [`Bf16`](crate::number::Bf16). int8: [`U8S8`](crate::number::U8S8), inputs u8, weights whole numbers.
//! - The output's type is free: f32, `Bf16` or u8 (rounded, kept within 0 to 255), so that a layer writes what the
//!   next one reads. A residual is of the output's type.
//! - i32 sums become numbers by `Finish::scale`: [`PerColumn`] (static quantisation) or [`PerRow`] (one scale per row
//!   and column, and a whole number per column taken off: 128 · the column's weights where inputs are stored as
//!   q + 128).
//! - A row of inputs is read up to the next multiple of a step (2 for bf16, 4 for u8): those elements must exist, and
//!   must be finite in bf16; their weights are zero.
//! - Rows whose stride is a multiple of 2 KiB share one or two sets of the L1 cache: add [`skew`] to it.
//! - Inside the crate: `Number::kernel` with a `kernel::Call` for tiles over packed or strided panels (attention), `Sink` for other
//!   epilogues, `split::multiply` for tiles of any geometry (convolutions).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod beside;
mod chains;
mod finish;
pub(crate) mod kernel;
mod pack;
mod portable;
pub(crate) mod split;
#[cfg(test)]
mod tests;
mod writer;

pub use finish::{Act, Finish, PerColumn, PerRow, Plain, Scale};
pub use pack::{Arena, Packed, Weights};

pub(crate) use beside::Beside;
pub(crate) use chains::chains;
pub(crate) use kernel::{PANEL, Sums};
pub(crate) use writer::{Sink, Writer};

use crate::buffer::Shared;
use crate::number::{Element, Number};
use crate::{Isa, Pool};

/// Rows of a matrix that is read.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    /// Elements from one row to the next.
    pub stride: usize,
}

impl<'a, T> Rows<'a, T> {
    pub fn new(data: &'a [T], rows: usize, stride: usize) -> Self {
        Self { data, rows, stride }
    }
}

/// Rows of a matrix that is written.
#[derive(Debug)]
pub struct RowsMut<'a, T> {
    pub data: &'a mut [T],
    pub rows: usize,
    /// Elements from one row to the next.
    pub stride: usize,
}

impl<'a, T> RowsMut<'a, T> {
    pub fn new(data: &'a mut [T], rows: usize, stride: usize) -> Self {
        Self { data, rows, stride }
    }
}

/// Elements to add to rows of `len`, so that the rows of a tile do not push each other out of the cache: 64 bytes where
/// the row's bytes are a multiple of 2 KiB (64 sets of 64 bytes; measured 5 % on ResNet50 and BERT in f32).
pub fn skew<T>(len: usize) -> usize {
    let bytes = len * size_of::<T>();
    if bytes > 0 && bytes.is_multiple_of(2048) { 64 / size_of::<T>() } else { 0 }
}

/// `[rows, k] · [n, k]ᵀ → [rows, n]`, finished as `finish` says. Deterministic: no sum depends on the threads or on the
/// rows beside it.
///
/// # Panics
/// If weights have several taps, row counts differ, or a slice is too short for what is read or written.
pub fn matmul<N: Number, D: Scale<N::Sum>, O: Element>(
    isa: Isa,
    pool: &Pool,
    weights: Weights<'_, N>,
    input: Rows<'_, N::Input>,
    output: RowsMut<'_, O>,
    finish: &Finish<'_, D, O>,
) {
    let tiles = split::Even::new(input.rows, input.stride, output.stride);
    product(isa, pool, weights, input, output, finish, &tiles, false);
}

/// [`matmul`] of the chosen rows, whose results are added to what the output holds.
///
/// # Panics
/// As there.
pub(crate) fn add<N: Number, D: Scale<N::Sum>, O: Element>(
    isa: Isa,
    pool: &Pool,
    weights: Weights<'_, N>,
    input: Rows<'_, N::Input>,
    output: RowsMut<'_, O>,
    finish: &Finish<'_, D, O>,
    chosen: impl Fn(usize) -> bool,
) {
    let mut tiles: Vec<split::Tile> = Vec::new();
    for row in (0..input.rows).filter(|&row| chosen(row)) {
        match tiles.last_mut().filter(|t| t.row + t.rows == row && t.rows < kernel::MOST_ROWS) {
            Some(tile) => tile.rows += 1,
            None => {
                let (input, output) = (row * input.stride, row * output.stride);
                tiles.push(split::Tile { input, output, row, rows: 1, other: 0 });
            }
        }
    }
    if !tiles.is_empty() {
        product(isa, pool, weights, input, output, finish, &tiles, true);
    }
}

/// `tiles` are of rows of the input and the output.
#[allow(clippy::too_many_arguments)] // what a product is made of
fn product<N: Number, D: Scale<N::Sum>, O: Element>(
    isa: Isa,
    pool: &Pool,
    weights: Weights<'_, N>,
    input: Rows<'_, N::Input>,
    output: RowsMut<'_, O>,
    finish: &Finish<'_, D, O>,
    tiles: &impl split::Tiles,
    add: bool,
) {
    let rows = input.rows;
    assert_eq!(rows, output.rows, "as many rows come out as go in");
    if rows == 0 {
        return;
    }
    assert_eq!(weights.taps(), 1, "a matrix has one tap");
    let (reads, columns) = (weights.steps() * N::STEP, weights.columns());
    assert!(output.stride >= columns, "rows of the output do not overlap");
    let covers = |len: usize, stride: usize, row: usize| {
        (rows - 1).checked_mul(stride).and_then(|at| at.checked_add(row)).is_some_and(|want| want <= len)
    };
    assert!(covers(input.data.len(), input.stride, reads), "every row of the input is there");
    assert!(covers(output.data.len(), output.stride, columns), "every row of the output is there");
    finish.check(rows, columns, output.stride);
    let out = Shared(output.data.as_mut_ptr());
    let mut sink = finish.writer(out, output.stride, columns);
    if add {
        sink.residual = Some(out);
    }
    let at = Shared(input.data.as_ptr().cast_mut().cast::<u8>());
    let input = split::Input { at, stride: input.stride, taps: &[0], steps: weights.steps() };
    // SAFETY: all rows of the input and the output are within their slices, as asserted, and so are bias, residual and
    // scales (`check`); every task writes tiles of its own.
    unsafe { split::multiply(isa, pool, weights, (input, None), tiles, &sink) }
}
