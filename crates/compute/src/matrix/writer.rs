//! What is done with a finished tile: scale, bias, residual, activation, store.

use super::beside::Beside;
use super::finish::{Act, Lanes, Scale, columns_of};
use super::split::Tile;
use super::{PANEL, Sums};
use crate::buffer::{LINE, Shared};
use crate::math;
use crate::number::Element;
use crate::simd::{LANES, Simd};

/// Takes finished tiles.
pub(crate) trait Sink<T>: Sync {
    /// `tile.rows` rows of 32 sums, whose first is column `column`.
    ///
    /// # Safety
    /// The sink's own pointers must hold for this tile; instructions as in [`Simd`].
    unsafe fn take<S: Simd>(&self, sums: &Sums<T>, tile: &Tile, column: usize);

    /// Before the sums are computed: fetches what [`Sink::take`] will read and write.
    ///
    /// # Safety
    /// The same.
    #[inline(always)]
    unsafe fn fetch<S: Simd>(&self, _tile: &Tile, _column: usize) {}
}

/// [`Finish`] with the place to write to. A tile's row `i` begins at element `tile.output + i · stride`, in the
/// residual and in what is written beside too, which may be of other types.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a, D, O, R, B> {
    pub out: Shared<O>,
    pub beside: B,
    pub stride: usize,
    pub columns: usize,
    pub scale: D,
    pub bias: Option<&'a [f32]>,
    pub residual: Option<Shared<R>>,
    pub residual_scale: Option<&'a [f32]>,
    pub act: Act,
}

impl<T: Copy + Sync, D: Scale<T>, O: Element, R: Element, B: Beside> Sink<T> for Writer<'_, D, O, R, B> {
    #[inline(always)]
    unsafe fn take<S: Simd>(&self, sums: &Sums<T>, tile: &Tile, column: usize) {
        let columns = PANEL.min(self.columns - column);
        // SAFETY: the caller's.
        unsafe {
            match self.act {
                Act::None => self.finish::<S, T, Keep>(sums, tile, column, columns),
                Act::Relu => self.finish::<S, T, Positive>(sums, tile, column, columns),
                Act::Gelu => self.finish::<S, T, Erf>(sums, tile, column, columns),
                Act::GeluTanh => self.finish::<S, T, Tanh>(sums, tile, column, columns),
            }
        }
    }

    /// Rows lie far apart, so that no processor guesses which come next.
    #[inline(always)]
    unsafe fn fetch<S: Simd>(&self, tile: &Tile, column: usize) {
        let at = tile.output + column;
        let out = self.out.0.wrapping_add(at);
        // SAFETY: the caller's.
        unsafe {
            fetch::<S, O>(out, self.stride, tile.rows);
            if let Some(residual) = self.residual.map(|residual| residual.0.wrapping_add(at))
                && residual.addr() != out.addr()
            {
                fetch::<S, R>(residual, self.stride, tile.rows);
            }
            self.beside.fetch::<S>(at, self.stride, tile.rows);
        }
    }
}

/// Has a panel's columns of some rows brought near.
///
/// # Safety
/// That of [`Simd`]; any address will do.
#[inline(always)]
pub(super) unsafe fn fetch<S: Simd, T>(start: *const T, stride: usize, rows: usize) {
    let bytes = PANEL * size_of::<T>();
    // The panel before brought the whole line.
    if bytes < LINE && !start.addr().is_multiple_of(LINE) {
        return;
    }
    let mut row = start.cast::<u8>();
    for _ in 0..rows {
        for at in (0..bytes).step_by(LINE) {
            // SAFETY: the caller's; nothing is read.
            unsafe { S::fetch(row.wrapping_add(at)) };
        }
        row = row.wrapping_add(stride * size_of::<T>());
    }
}

/// What is left to choose once per tile, so that the loop over its rows has no branch.
trait Activation {
    /// # Safety
    /// That of [`Simd`]. `O` is what the result is stored as.
    unsafe fn apply<S: Simd, O: Element, const N: usize>(x: [S::F; N]) -> [S::F; N];
}
struct Keep;
struct Positive;
struct Erf;
struct Tanh;

impl Activation for Keep {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element, const N: usize>(x: [S::F; N]) -> [S::F; N] {
        x
    }
}
impl Activation for Positive {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element, const N: usize>(mut x: [S::F; N]) -> [S::F; N] {
        for x in &mut x {
            // SAFETY: the caller's.
            *x = unsafe { S::max(*x, S::splat(0.0)) };
        }
        x
    }
}
impl Activation for Erf {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element, const N: usize>(x: [S::F; N]) -> [S::F; N] {
        // SAFETY: the caller's.
        unsafe { if O::SHORT { math::gelu_short::<S, N>(x) } else { math::gelu::<S, N>(x) } }
    }
}
impl Activation for Tanh {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element, const N: usize>(x: [S::F; N]) -> [S::F; N] {
        // SAFETY: the caller's.
        unsafe { math::gelu_tanh::<S, N>(x) }
    }
}

/// What is added to a tile's numbers: chosen once per tile too.
trait More<S: Simd>: Copy {
    /// Adds what lies at element `at` to lanes of a panel's first or second half.
    ///
    /// # Safety
    /// There must be as many elements; that of [`Simd`].
    unsafe fn onto(self, x: S::F, at: usize, half: usize) -> S::F;
}

impl<S: Simd> More<S> for () {
    #[inline(always)]
    unsafe fn onto(self, x: S::F, _: usize, _: usize) -> S::F {
        x
    }
}

impl<S: Simd, R: Element> More<S> for Shared<R> {
    #[inline(always)]
    unsafe fn onto(self, x: S::F, at: usize, _: usize) -> S::F {
        // SAFETY: the caller's.
        unsafe { S::add(R::load::<S>(self.at(at)), x) }
    }
}

/// With a factor per column.
impl<S: Simd, R: Element> More<S> for (Shared<R>, [S::F; 2]) {
    #[inline(always)]
    unsafe fn onto(self, x: S::F, at: usize, half: usize) -> S::F {
        // SAFETY: the caller's.
        unsafe { S::fma(R::load::<S>(self.0.at(at)), self.1[half], x) }
    }
}

impl<D: Copy, O: Element, R: Element, B: Beside> Writer<'_, D, O, R, B> {
    /// The first `columns` (at most [`PANEL`]) of the tile.
    ///
    /// # Safety
    /// As [`Sink::take`]; the columns must be the output's.
    #[inline(always)]
    unsafe fn finish<S: Simd, T: Copy + Sync, A: Activation>(
        &self,
        sums: &Sums<T>,
        tile: &Tile,
        column: usize,
        columns: usize,
    ) where
        D: Scale<T>,
    {
        // SAFETY: the caller's; a panel's columns all exist.
        unsafe {
            if !S::WIDE || columns < PANEL {
                for j in (0..columns).step_by(LANES) {
                    self.strip::<S, T, A>(sums, tile, column + j, j, LANES.min(columns - j));
                }
                return;
            }
            match (self.residual, self.residual_scale) {
                (None, _) => self.panel::<S, T, A, _>(sums, tile, column, ()),
                (Some(residual), None) => self.panel::<S, T, A, _>(sums, tile, column, residual),
                (Some(residual), Some(scale)) => {
                    let scale = [0, LANES].map(|j| columns_of::<S>(scale, column + j, LANES));
                    self.panel::<S, T, A, _>(sums, tile, column, (residual, scale));
                }
            }
        }
    }

    /// The biases of `n` columns from `column` on, 0 without.
    ///
    /// # Safety
    /// They must be the output's.
    #[inline(always)]
    unsafe fn bias_of<S: Simd>(&self, column: usize, n: usize) -> S::F {
        // SAFETY: the caller's.
        unsafe { self.bias.map_or(S::splat(0.0), |bias| columns_of::<S>(bias, column, n)) }
    }

    /// `n` columns of all rows, one vector after the other.
    ///
    /// # Safety
    /// As [`Sink::take`].
    #[inline(always)]
    unsafe fn strip<S: Simd, T: Copy + Sync, A: Activation>(
        &self,
        sums: &Sums<T>,
        tile: &Tile,
        column: usize,
        j: usize,
        n: usize,
    ) where
        D: Scale<T>,
    {
        // SAFETY: the caller's: these columns exist in bias and scales, these rows in output and residual.
        unsafe {
            let (lanes, bias) = (self.scale.lanes::<S>(column, n), self.bias_of::<S>(column, n));
            let factor = |scale: &[f32]| columns_of::<S>(scale, column, n);
            let more = self.residual.map(|residual| (residual, self.residual_scale.map(factor)));
            for i in 0..tile.rows {
                let at = tile.output + i * self.stride + column;
                let sums = sums.0.as_ptr().add(i * PANEL + j);
                let mut x = self.scale.apply::<S>(lanes, sums, bias, tile.row + i);
                if let Some((residual, factor)) = more {
                    let p = residual.at(at).cast_const();
                    let r = if n == LANES { R::load::<S>(p) } else { R::load_part::<S>(p, n) };
                    x = factor.map_or_else(|| S::add(r, x), |factor| S::fma(r, factor, x));
                }
                let [x] = A::apply::<S, O, 1>([x]);
                self.beside.store::<S>(at, x, n);
                let to = self.out.at(at);
                if n == LANES { O::store::<S>(to, x) } else { O::store_part::<S>(to, x, n) }
            }
        }
    }

    /// A whole panel, several rows at a time: as many as leave registers for what the activation needs.
    ///
    /// # Safety
    /// As [`Sink::take`].
    #[inline(always)]
    unsafe fn panel<S: Simd, T: Copy + Sync, A: Activation, M: More<S>>(
        &self,
        sums: &Sums<T>,
        tile: &Tile,
        column: usize,
        more: M,
    ) where
        D: Scale<T>,
    {
        // SAFETY: the caller's; rows are the tile's.
        unsafe {
            let lanes = [0, LANES].map(|j| self.scale.lanes::<S>(column + j, LANES));
            let bias = [0, LANES].map(|j| self.bias_of::<S>(column + j, LANES));
            let part = Part { lanes, bias, more, row: tile.row, at: tile.output + column };
            let mut i = 0;
            while i + 4 <= tile.rows && O::SHORT {
                self.rows::<S, T, A, M, 8>(sums, &part, i);
                i += 4;
            }
            while i + 2 <= tile.rows {
                self.rows::<S, T, A, M, 4>(sums, &part, i);
                i += 2;
            }
            if i < tile.rows {
                self.rows::<S, T, A, M, 2>(sums, &part, i);
            }
        }
    }

    /// `N / 2` rows of a panel from the tile's row `i` on.
    ///
    /// # Safety
    /// As [`Sink::take`]; the rows must be the tile's.
    #[inline(always)]
    unsafe fn rows<S: Simd, T: Copy + Sync, A: Activation, M: More<S>, const N: usize>(
        &self,
        sums: &Sums<T>,
        part: &Part<S, M>,
        i: usize,
    ) where
        D: Scale<T>,
    {
        let at = |v: usize| part.at + (i + v / 2) * self.stride;
        // SAFETY: the caller's: a panel's columns exist in bias and scales, these rows in output and residual.
        unsafe {
            let mut x = [S::splat(0.0); N];
            for (v, x) in x.iter_mut().enumerate() {
                let (row, half) = (i + v / 2, v % 2);
                let sums = sums.0.as_ptr().add(row * PANEL + half * LANES);
                *x = self.scale.apply::<S>(part.lanes[half], sums, part.bias[half], part.row + row);
                *x = part.more.onto(*x, at(v) + half * LANES, half);
            }
            let x = A::apply::<S, O, N>(x);
            let pair = |v: usize| [x[v], x[v + 1]];
            for v in (0..N).step_by(2) {
                self.beside.store_pair::<S>(at(v), pair(v));
            }
            if N == 2 {
                return O::store_pair::<S>(self.out.at(at(0)), pair(0));
            }
            for v in (0..N).step_by(4) {
                let to = [self.out.at(at(v)), self.out.at(at(v + 2))];
                O::store_pairs::<S>(to, [pair(v), pair(v + 2)]);
            }
        }
    }
}

/// What all rows of a panel have in common.
struct Part<S: Simd, M> {
    lanes: [Lanes<S>; 2],
    bias: [S::F; 2],
    more: M,
    /// The tile's first row.
    row: usize,
    /// Where that begins in the output, at the panel's first column.
    at: usize,
}
