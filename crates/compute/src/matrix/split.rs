//! Which tile of a product is computed where and when.

use super::kernel::{Call, Kernel, MOST_ROWS};
use super::pack::STEP_BYTES;
use super::{Sink, Sums, Weights};
use crate::buffer::Shared;
use crate::number::Number;
use crate::simd::{Simd, Task};
use crate::{Isa, Pool};

/// Inputs of a group of tiles that one task takes through all panels: they stay in the L2 cache.
const GROUP_BYTES: usize = 128 * 1024;

/// Up to [`MOST_ROWS`] rows of a product.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tile {
    /// Element of the input where its first row begins (its first tap).
    pub input: usize,
    /// The same of another input, where there is one.
    pub other: usize,
    /// Element of the output where its first row begins.
    pub output: usize,
    /// Its first row's number.
    pub row: usize,
    pub rows: usize,
}

/// The tiles of a product.
#[allow(clippy::len_without_is_empty)] // never empty
pub(crate) trait Tiles: Sync {
    fn len(&self) -> usize;
    fn tile(&self, i: usize) -> Tile;
}

impl Tiles for Vec<Tile> {
    fn len(&self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn tile(&self, i: usize) -> Tile {
        self[i]
    }
}

/// Rows at even strides, split evenly: 16 rows are 8 + 8, 128 are 8 · 13 + 2 · 12.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Even {
    rows: usize,
    count: usize,
    input: usize,
    output: usize,
}

impl Even {
    pub fn new(rows: usize, input: usize, output: usize) -> Self {
        Self { rows, count: rows.div_ceil(MOST_ROWS), input, output }
    }
}

impl Tiles for Even {
    fn len(&self) -> usize {
        self.count
    }
    #[inline(always)]
    fn tile(&self, i: usize) -> Tile {
        let (each, more) = (self.rows / self.count, self.rows % self.count);
        let row = i * each + i.min(more);
        let (input, output) = (row * self.input, row * self.output);
        Tile { input, output, row, rows: each + usize::from(i < more), other: 0 }
    }
}

/// Multiply-adds of a register that a task has at least, some 2 µs: less, and threads wait for each other's counting.
const TASK: usize = 16 * 1024;

/// Steps, some 100 ns, in which lines do not arrive that are fetched at the first.
const SOON: usize = 24;

/// Tiles up to which a product is as fast as its weights can be read.
const STREAM: usize = 2;

/// Where rows of inputs lie.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub at: Shared<u8>,
    /// Elements from one row to the next.
    pub stride: usize,
    /// Bytes from the first tap to each.
    pub taps: &'a [usize],
    /// Of a tap.
    pub steps: usize,
}

/// All tiles by all panels. Where the weights are the larger side (few rows, wide layers) tasks are runs of panels: each
/// weight is read by one core once, and the next panel is fetched ahead. Otherwise tasks are groups of tiles.
/// Sums are over the first input and then over the other, if there is one.
///
/// # Safety
/// For every tile, rows `stride` elements apart from `tile.input` on must be readable, at every tap for all steps; of the other
/// input the same from `tile.other` on. Both together have as many steps as the weights. `sink` must hold for every tile.
pub(crate) unsafe fn multiply<N: Number, K: Sink<N::Sum>>(
    isa: Isa,
    pool: &Pool,
    weights: Weights<'_, N>,
    (input, other): (Input<'_>, Option<Input<'_>>),
    tiles: &impl Tiles,
    sink: &K,
) {
    let (count, threads) = (tiles.len(), pool.threads());
    let rows = count * MOST_ROWS;
    let part = Part { kernel: N::kernel(isa), weights, input, other, tiles, sink };
    if rows <= weights.columns() + MOST_ROWS && weights.panels() >= 4 * threads {
        let panels = weights.panels();
        let work = 2 * rows * weights.taps() * weights.steps();
        // Few rows wait for the weights: each thread reads one stream, from its first panel to its last.
        let run = match count {
            0..=STREAM => panels.div_ceil(threads),
            _ => TASK.div_ceil(work).clamp(1, panels / threads),
        };
        let tasks = panels.div_ceil(run).next_multiple_of(threads);
        pool.run(tasks, |i| {
            let panels = |i: usize| i * panels / tasks;
            // This thread is likely to have every `threads`-th task. Behind these weights, likely, the next lie.
            let behind = weights.panel(0).as_ptr().wrapping_add(panels(i + threads) * weights.panel_bytes());
            let next = if count <= STREAM { weights.next(i % threads, threads) } else { None };
            let then = Some(next.map_or(behind, <[u8]>::as_ptr));
            isa.run(Panels { part, panels: (panels(i), panels(i + 1)), tiles: (0, count), then });
        });
    } else {
        let row_bytes = (weights.taps() * weights.steps() * 4).max(1);
        let group =
            (GROUP_BYTES / (row_bytes * MOST_ROWS)).clamp(1, 16).min(count.div_ceil(4 * threads)).max(1);
        pool.run(count.div_ceil(group), |g| {
            let tiles = (g * group, count.min((g + 1) * group));
            isa.run(Panels { part, panels: (0, weights.panels()), tiles, then: None });
        });
    }
}

struct Part<'a, N: Number, L, K> {
    kernel: Kernel<N::Sum>,
    weights: Weights<'a, N>,
    input: Input<'a>,
    other: Option<Input<'a>>,
    tiles: &'a L,
    sink: &'a K,
}

impl<N: Number, L, K> Clone for Part<'_, N, L, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<N: Number, L, K> Copy for Part<'_, N, L, K> {}

/// Some tiles by some panels. If there is something to read `then`, the next panel is fetched meanwhile, and that after the
/// last: a line each step, for as many tiles as that takes.
pub(crate) struct Panels<'a, N: Number, L, K> {
    part: Part<'a, N, L, K>,
    panels: (usize, usize),
    tiles: (usize, usize),
    then: Option<*const u8>,
}

impl<N: Number, L: Tiles, K: Sink<N::Sum>> Task for Panels<'_, N, L, K> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { part, panels, tiles, then } = self;
        let (size, panel_bytes) = (size_of::<N::Input>(), part.weights.panel_bytes());
        let steps = panel_bytes / STEP_BYTES;
        let Input { at, stride, taps, steps: of_tap } = part.input;
        let mut sums = Sums::new();
        for panel in panels.0..panels.1 {
            let b = part.weights.panel(panel).as_ptr();
            let next = if panel + 1 < panels.1 { b.wrapping_add(panel_bytes) } else { then.unwrap_or(b) };
            // One tile alone fetches every other line; their neighbours come along.
            let line = if tiles.1 - tiles.0 == 1 { 128 } else { 64 };
            for i in tiles.0..tiles.1 {
                let tile = part.tiles.tile(i);
                let fetched = (i - tiles.0) * steps * line;
                // SAFETY: `multiply`'s contract: this tile's rows and taps are readable, and the sink takes it. The
                // panel holds all steps.
                unsafe {
                    let call = Call {
                        a: at.at(tile.input * size),
                        row: stride * size,
                        taps,
                        steps: of_tap,
                        b,
                        b_step: STEP_BYTES,
                        more: false,
                        ahead: next.wrapping_add(fetched),
                        ahead_step: if then.is_some() && fetched < panel_bytes { line } else { 0 },
                    };
                    // What these sums meet; where they are done too soon for that, what the next tile's meet.
                    if steps > SOON {
                        part.sink.fetch::<S>(&tile, panel * super::PANEL);
                    } else if i + 1 < tiles.1 {
                        part.sink.fetch::<S>(&part.tiles.tile(i + 1), panel * super::PANEL);
                    } else if panel + 1 < panels.1 {
                        part.sink.fetch::<S>(&part.tiles.tile(tiles.0), (panel + 1) * super::PANEL);
                    }
                    (part.kernel)(&call, tile.rows, &mut sums);
                    if let Some(Input { at, stride, taps, steps }) = part.other {
                        let done = call.taps.len() * call.steps;
                        let (a, row, b) = (at.at(tile.other * size), stride * size, b.add(done * STEP_BYTES));
                        let ahead = call.ahead.wrapping_add(done * call.ahead_step);
                        let rest = Call { a, row, taps, steps, b, more: true, ahead, ..call };
                        (part.kernel)(&rest, tile.rows, &mut sums);
                    }
                    part.sink.take::<S>(&sums, &tile, panel * super::PANEL);
                }
            }
        }
    }
}
