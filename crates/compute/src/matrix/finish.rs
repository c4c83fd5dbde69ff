//! What is done with a finished tile: scale, bias, residual, activation, store.

use super::beside::Beside;
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

/// What becomes of the sums: `act(scale(sum) + bias + residual · residual_scale[column])`.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a, D, O> {
    pub scale: D,
    /// One per column.
    pub bias: Option<&'a [f32]>,
    /// As many rows, at the output's stride.
    pub residual: Option<&'a [O]>,
    /// One per column; 1 without.
    pub residual_scale: Option<&'a [f32]>,
    pub act: Act,
}

impl<D: Default, O> Default for Finish<'_, D, O> {
    fn default() -> Self {
        Self { scale: D::default(), bias: None, residual: None, residual_scale: None, act: Act::None }
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
        assert!(self.residual_scale.is_none_or(|s| s.len() >= columns), "a residual's scale per column");
    }

    pub(crate) fn writer(&self, out: Shared<O>, stride: usize, columns: usize) -> Writer<'a, D, O, O, ()> {
        let residual = self.residual.map(|r| Shared(r.as_ptr().cast_mut()));
        Writer {
            out,
            beside: (),
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
                Act::None => strips::<S, T, D, O, R, B, Keep>(self, sums, tile, column, columns),
                Act::Relu => strips::<S, T, D, O, R, B, Positive>(self, sums, tile, column, columns),
                Act::Gelu => strips::<S, T, D, O, R, B, Erf>(self, sums, tile, column, columns),
                Act::GeluTanh => strips::<S, T, D, O, R, B, Tanh>(self, sums, tile, column, columns),
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
                }
                if let Some(residual) = self.residual {
                    for j in (0..PANEL).step_by(64 / size_of::<R>()) {
                        S::fetch(residual.0.wrapping_add(at + j).cast());
                    }
                }
                self.beside.fetch::<S>(at);
            }
        }
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

/// The first `columns` (at most [`PANEL`]) of the tile.
///
/// # Safety
/// As [`Sink::take`]; the columns must be the output's.
#[inline(always)]
unsafe fn strips<S: Simd, T: Copy + Sync, D: Scale<T>, O: Element, R: Element, B: Beside, A: Activation>(
    w: &Writer<'_, D, O, R, B>,
    sums: &Sums<T>,
    tile: &Tile,
    column: usize,
    columns: usize,
) {
    // SAFETY: the caller's; rows are the tile's, and no column beyond `columns`.
    unsafe {
        if S::WIDE && columns == PANEL {
            let bias = [bias_of::<S>(w.bias, column, LANES), bias_of::<S>(w.bias, column + LANES, LANES)];
            let mut i = 0;
            // As many as leave registers for what the activation needs.
            while i + 4 <= tile.rows && O::SHORT {
                group::<S, T, D, O, R, B, A, 8, 2>(w, sums, tile, bias, i, column, 0, LANES);
                i += 4;
            }
            while i + 2 <= tile.rows {
                group::<S, T, D, O, R, B, A, 4, 2>(w, sums, tile, bias, i, column, 0, LANES);
                i += 2;
            }
            while i < tile.rows {
                group::<S, T, D, O, R, B, A, 2, 2>(w, sums, tile, bias, i, column, 0, LANES);
                i += 1;
            }
            return;
        }
        for j in (0..columns).step_by(LANES) {
            let n = columns - j;
            if n >= LANES {
                let bias = [bias_of::<S>(w.bias, column + j, LANES)];
                for i in 0..tile.rows {
                    group::<S, T, D, O, R, B, A, 1, 1>(w, sums, tile, bias, i, column, j, LANES);
                }
            } else {
                let bias = [bias_of::<S>(w.bias, column + j, n)];
                for i in 0..tile.rows {
                    group::<S, T, D, O, R, B, A, 1, 1>(w, sums, tile, bias, i, column, j, n);
                }
            }
        }
    }
}

/// The biases of `n` columns from `column` on, 0 without.
///
/// # Safety
/// They must be the output's.
#[inline(always)]
unsafe fn bias_of<S: Simd>(bias: Option<&[f32]>, column: usize, n: usize) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        match bias {
            Some(bias) => columns_of::<S>(bias, column, n),
            None => S::splat(0.0),
        }
    }
}

/// `N` vectors side by side, `C` (1 or 2) of each row, from the tile's row `i` and its column `j` on; of the last of a row
/// the first `n` columns.
///
/// # Safety
/// As [`Sink::take`]; rows and columns must be the tile's and the output's.
#[allow(clippy::too_many_arguments)] // where it is
#[inline(always)]
unsafe fn group<
    S: Simd,
    T: Copy + Sync,
    D: Scale<T>,
    O: Element,
    R: Element,
    B: Beside,
    A: Activation,
    const N: usize,
    const C: usize,
>(
    w: &Writer<'_, D, O, R, B>,
    sums: &Sums<T>,
    tile: &Tile,
    bias: [S::F; C],
    i: usize,
    column: usize,
    j: usize,
    n: usize,
) {
    // SAFETY: the caller's: these columns exist in bias and scales, these rows in output and residual.
    unsafe {
        let mut x = [S::splat(0.0); N];
        for (v, x) in x.iter_mut().enumerate() {
            let (row, column, j) = (i + v / C, column + j + v % C * LANES, j + v % C * LANES);
            let sums = sums.0.as_ptr().add(row * PANEL + j);
            *x = w.scale.apply::<S>(sums, bias[v % C], tile.row + row, column, n);
        }
        if let Some(residual) = w.residual {
            for (v, x) in x.iter_mut().enumerate() {
                let column = column + j + v % C * LANES;
                let p = residual.at(tile.output + (i + v / C) * w.stride + column).cast_const();
                let r = if n == LANES { R::load::<S>(p) } else { R::load_part::<S>(p, n) };
                *x = match w.residual_scale {
                    Some(scale) => S::fma(r, columns_of::<S>(scale, column, n), *x),
                    None => S::add(r, *x),
                };
            }
        }
        let x = A::apply::<S, O, N>(x);
        for v in (0..N).step_by(C) {
            let at = tile.output + (i + v / C) * w.stride + column + j;
            let to = w.out.at(at);
            w.beside.store::<S, C>(at, std::array::from_fn(|c| x[v + c]), n);
            match n {
                LANES if C == 2 => O::store_pair::<S>(to, [x[v], x[v + 1]]),
                LANES => O::store::<S>(to, x[v]),
                n => O::store_part::<S>(to, x[v], n),
            }
        }
    }
}
