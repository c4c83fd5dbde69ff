//! What is done with a finished tile: scale, bias, residual, activation, store.

use super::{PANEL, Sums};
use crate::buffer::Shared;
use crate::math;
use crate::matrix::split::Tile;
use crate::number::Element;
use crate::simd::{LANES, Simd};

/// An activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Act {
    #[default]
    None,
    Relu,
    /// x/2 · (1 + erf(x/√2))
    Gelu,
    /// GELU by tanh.
    GeluTanh,
}

/// What becomes of the sums: `act(scale(sum) + bias + residual · residual_scale)`.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a, D, O> {
    pub scale: D,
    /// One per column.
    pub bias: Option<&'a [f32]>,
    /// As many rows, at the output's stride.
    pub residual: Option<&'a [O]>,
    pub residual_scale: f32,
    pub act: Act,
}

impl<D: Default, O> Default for Finish<'_, D, O> {
    fn default() -> Self {
        Self { scale: D::default(), bias: None, residual: None, residual_scale: 1.0, act: Act::None }
    }
}

/// How sums become numbers.
pub trait Scale<T>: Copy + Sync {
    #[doc(hidden)]
    fn check(&self, rows: usize, columns: usize);
    /// 16 sums of one row, of which the first `n` count, with the bias.
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    unsafe fn apply<S: Simd>(&self, sums: *const T, bias: S::F, row: usize, column: usize, n: usize) -> S::F;
}

/// f32 sums are numbers already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

/// `sum · scale[column]`
#[derive(Debug, Clone, Copy)]
pub struct PerColumn<'a>(pub &'a [f32]);

/// `(sum - less[column]) · scale[column] · rows[row]`
#[derive(Debug, Clone, Copy)]
pub struct PerRow<'a> {
    pub less: &'a [i32],
    pub scale: &'a [f32],
    pub rows: &'a [f32],
}

#[allow(private_bounds, private_interfaces)]
impl Scale<f32> for Plain {
    fn check(&self, _: usize, _: usize) {}
    #[inline(always)]
    unsafe fn apply<S: Simd>(&self, sums: *const f32, bias: S::F, _: usize, _: usize, _: usize) -> S::F {
        // SAFETY: the caller's: 16 sums.
        unsafe { S::add(S::load(sums), bias) }
    }
}

#[allow(private_bounds, private_interfaces)]
impl Scale<i32> for PerColumn<'_> {
    fn check(&self, _: usize, columns: usize) {
        assert!(self.0.len() >= columns, "a scale per column");
    }
    #[inline(always)]
    unsafe fn apply<S: Simd>(&self, sums: *const i32, bias: S::F, _: usize, column: usize, n: usize) -> S::F {
        // SAFETY: the caller's: 16 sums, and `n` columns from `column` on, which `check` found scales for.
        unsafe { S::fma(S::load_i32(sums), columns_of::<S>(self.0, column, n), bias) }
    }
}

#[allow(private_bounds, private_interfaces)]
impl Scale<i32> for PerRow<'_> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(self.scale.len() >= columns && self.less.len() >= columns, "a scale per column");
        assert!(self.rows.len() >= rows, "a scale per row");
    }
    #[inline(always)]
    unsafe fn apply<S: Simd>(
        &self,
        sums: *const i32,
        bias: S::F,
        row: usize,
        column: usize,
        n: usize,
    ) -> S::F {
        // SAFETY: as above; the caller's row is one that `check` found a scale for.
        unsafe {
            let scale =
                S::mul(columns_of::<S>(self.scale, column, n), S::splat(*self.rows.get_unchecked(row)));
            if n == LANES {
                return S::fma(S::load_i32_less(sums, self.less.as_ptr().add(column)), scale, bias);
            }
            let mut less = [0i32; LANES];
            less[..n].copy_from_slice(&self.less[column..column + n]);
            S::fma(S::load_i32_less(sums, less.as_ptr()), scale, bias)
        }
    }
}

/// `n` values from `column` on.
///
/// # Safety
/// They must exist.
#[inline(always)]
unsafe fn columns_of<S: Simd>(values: &[f32], column: usize, n: usize) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        let p = values.as_ptr().add(column);
        if n == LANES { S::load(p) } else { S::load_part(p, n, 0.0) }
    }
}

impl<'a, D: Copy, O: Element> Finish<'a, D, O> {
    /// # Panics
    /// If a part is too short for `rows` rows of `columns`.
    pub(crate) fn check<T>(&self, rows: usize, columns: usize, stride: usize)
    where
        D: Scale<T>,
    {
        self.scale.check(rows, columns);
        assert!(self.bias.is_none_or(|b| b.len() >= columns), "a bias per column");
        let enough = |r: &[O]| r.len() >= (rows - 1) * stride + columns;
        assert!(self.residual.is_none_or(enough), "a residual for every row");
    }

    pub(crate) fn writer(&self, out: Shared<O>, stride: usize, columns: usize) -> Writer<'a, D, O> {
        let residual = self.residual.map(|r| Shared(r.as_ptr().cast_mut()));
        Writer {
            out,
            stride,
            columns,
            scale: self.scale,
            bias: self.bias,
            residual,
            residual_scale: self.residual_scale,
            act: self.act,
        }
    }
}

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
/// residual too.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a, D, O> {
    pub out: Shared<O>,
    pub stride: usize,
    pub columns: usize,
    pub scale: D,
    pub bias: Option<&'a [f32]>,
    pub residual: Option<Shared<O>>,
    pub residual_scale: f32,
    pub act: Act,
}

impl<T: Copy + Sync, D: Scale<T>, O: Element> Sink<T> for Writer<'_, D, O> {
    #[inline(always)]
    unsafe fn take<S: Simd>(&self, sums: &Sums<T>, tile: &Tile, column: usize) {
        for j in (0..PANEL.min(self.columns - column)).step_by(LANES) {
            // SAFETY: the caller's; the columns from `column + j` on are within `columns`.
            unsafe {
                match self.columns - column - j {
                    LANES.. => strip::<S, T, D, O, true>(self, sums, tile, column, j, LANES),
                    n => strip::<S, T, D, O, false>(self, sums, tile, column, j, n),
                }
            }
        }
    }

    /// Rows lie far apart, so that no processor guesses which come next.
    #[inline(always)]
    unsafe fn fetch<S: Simd>(&self, tile: &Tile, column: usize) {
        for i in 0..tile.rows {
            let at = tile.output + i * self.stride + column;
            // SAFETY: within the output, as the caller says.
            unsafe {
                for j in (0..PANEL).step_by(64 / size_of::<O>()) {
                    S::fetch(self.out.0.wrapping_add(at + j).cast());
                    if let Some(residual) = self.residual {
                        S::fetch(residual.0.wrapping_add(at + j).cast());
                    }
                }
            }
        }
    }
}

/// What is left to choose once per strip, so that the loop over its rows has no branch.
trait Activation {
    /// # Safety
    /// That of [`Simd`]. `O` is what the result is stored as.
    unsafe fn apply<S: Simd, O: Element>(x: S::F) -> S::F;
}
struct Keep;
struct Positive;
struct Erf;
struct Tanh;

impl Activation for Keep {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element>(x: S::F) -> S::F {
        x
    }
}
impl Activation for Positive {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element>(x: S::F) -> S::F {
        // SAFETY: the caller's.
        unsafe { S::max(x, S::splat(0.0)) }
    }
}
impl Activation for Erf {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element>(x: S::F) -> S::F {
        // SAFETY: the caller's.
        unsafe { if O::SHORT { math::gelu_short::<S>(x) } else { math::gelu::<S>(x) } }
    }
}
impl Activation for Tanh {
    #[inline(always)]
    unsafe fn apply<S: Simd, O: Element>(x: S::F) -> S::F {
        // SAFETY: the caller's.
        unsafe { math::gelu_tanh::<S>(x) }
    }
}

/// 16 columns, or (`WHOLE` false) the first `n` of them, of all rows of the tile.
///
/// # Safety
/// As [`Sink::take`]; `n` columns from `column + j` on must be the output's.
#[inline(always)]
unsafe fn strip<S: Simd, T: Copy + Sync, D: Scale<T>, O: Element, const WHOLE: bool>(
    w: &Writer<'_, D, O>,
    sums: &Sums<T>,
    tile: &Tile,
    column: usize,
    j: usize,
    n: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        match w.act {
            Act::None => rows::<S, T, D, O, Keep, WHOLE>(w, sums, tile, column, j, n),
            Act::Relu => rows::<S, T, D, O, Positive, WHOLE>(w, sums, tile, column, j, n),
            Act::Gelu => rows::<S, T, D, O, Erf, WHOLE>(w, sums, tile, column, j, n),
            Act::GeluTanh => rows::<S, T, D, O, Tanh, WHOLE>(w, sums, tile, column, j, n),
        }
    }
}

/// As [`strip`].
///
/// # Safety
/// The same.
#[inline(always)]
unsafe fn rows<S: Simd, T: Copy + Sync, D: Scale<T>, O: Element, A: Activation, const WHOLE: bool>(
    w: &Writer<'_, D, O>,
    sums: &Sums<T>,
    tile: &Tile,
    column: usize,
    j: usize,
    n: usize,
) {
    // SAFETY: the caller's: these columns exist in bias and scales, these rows in output and residual.
    unsafe {
        let column = column + j;
        let (scale, out, stride) = (w.scale, w.out, w.stride);
        let bias = w.bias.map_or(S::splat(0.0), |b| columns_of::<S>(b, column, n));
        let residual_scale = S::splat(w.residual_scale);
        for i in 0..tile.rows {
            let at = tile.output + i * stride + column;
            let sums = sums.0.as_ptr().add(i * PANEL + j);
            let mut x = scale.apply::<S>(sums, bias, tile.row + i, column, n);
            if let Some(residual) = w.residual {
                let p = residual.at(at).cast_const();
                let r = if WHOLE { O::load::<S>(p) } else { O::load_part::<S>(p, n) };
                x = S::fma(r, residual_scale, x);
            }
            let (x, to) = (A::apply::<S, O>(x), out.at(at));
            if WHOLE { O::store::<S>(to, x) } else { O::store_part::<S>(to, x, n) }
        }
    }
}
