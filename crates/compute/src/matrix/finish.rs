//! What becomes of sums, as callers say it: scale, bias, residual, activation.

use super::writer::Writer;
use crate::buffer::Shared;
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
    /// Of the `n` columns from `column` on.
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    unsafe fn lanes<S: Simd>(&self, column: usize, n: usize) -> Lanes<S>;
    /// 16 sums of one row, with the bias.
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    unsafe fn apply<S: Simd>(&self, lanes: Lanes<S>, sums: *const T, bias: S::F, row: usize) -> S::F;
}

/// What a scale has for 16 columns, as far as it has it.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<S: Simd> {
    scale: S::F,
    less: [i32; LANES],
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
    unsafe fn lanes<S: Simd>(&self, _: usize, _: usize) -> Lanes<S> {
        // SAFETY: the caller's.
        Lanes { scale: unsafe { S::splat(1.0) }, less: [0; LANES] }
    }
    #[inline(always)]
    unsafe fn apply<S: Simd>(&self, _: Lanes<S>, sums: *const f32, bias: S::F, _: usize) -> S::F {
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
    unsafe fn lanes<S: Simd>(&self, column: usize, n: usize) -> Lanes<S> {
        // SAFETY: the caller's: `n` columns from `column` on, which `check` found scales for.
        Lanes { scale: unsafe { columns_of::<S>(self.0, column, n) }, less: [0; LANES] }
    }
    #[inline(always)]
    unsafe fn apply<S: Simd>(&self, lanes: Lanes<S>, sums: *const i32, bias: S::F, _: usize) -> S::F {
        // SAFETY: the caller's: 16 sums.
        unsafe { S::fma(S::load_i32(sums), lanes.scale, bias) }
    }
}

#[allow(private_bounds, private_interfaces)]
impl Scale<i32> for PerRow<'_> {
    fn check(&self, rows: usize, columns: usize) {
        assert!(self.scale.len() >= columns && self.less.len() >= columns, "a scale per column");
        assert!(self.rows.len() >= rows, "a scale per row");
    }
    #[inline(always)]
    unsafe fn lanes<S: Simd>(&self, column: usize, n: usize) -> Lanes<S> {
        let mut less = [0; LANES];
        // SAFETY: the caller's: `n` columns from `column` on, which `check` found numbers for.
        unsafe {
            std::ptr::copy_nonoverlapping(self.less.as_ptr().add(column), less.as_mut_ptr(), n);
            Lanes { scale: columns_of::<S>(self.scale, column, n), less }
        }
    }
    #[inline(always)]
    unsafe fn apply<S: Simd>(
        &self,
        Lanes { scale, less }: Lanes<S>,
        sums: *const i32,
        bias: S::F,
        row: usize,
    ) -> S::F {
        // SAFETY: the caller's: 16 sums, of a row that `check` found a scale for.
        unsafe {
            let scale = S::mul(scale, S::splat(*self.rows.get_unchecked(row)));
            S::fma(S::load_i32_less(sums, less.as_ptr()), scale, bias)
        }
    }
}

/// `n` values from `column` on.
///
/// # Safety
/// They must exist.
#[inline(always)]
pub(super) unsafe fn columns_of<S: Simd>(values: &[f32], column: usize, n: usize) -> S::F {
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
