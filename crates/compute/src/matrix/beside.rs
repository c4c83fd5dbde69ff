//! What is written a second time, in other numbers than the output's.

use super::writer::fetch;
use crate::buffer::Shared;
use crate::number::Element;
use crate::simd::{LANES, Simd};

/// Takes the numbers that the output takes.
pub(crate) trait Beside: Copy + Sync {
    /// Has a panel's columns of some rows brought near, the first from element `at` on.
    ///
    /// # Safety
    /// That of [`Simd`].
    unsafe fn fetch<S: Simd>(self, at: usize, stride: usize, rows: usize);

    /// The first `n` lanes.
    ///
    /// # Safety
    /// The pointer must hold for so many elements from `at` on, and nobody else may use them; that of [`Simd`].
    unsafe fn store<S: Simd>(self, at: usize, x: S::F, n: usize);

    /// All lanes of two vectors, one behind the other.
    ///
    /// # Safety
    /// The same.
    unsafe fn store_pair<S: Simd>(self, at: usize, x: [S::F; 2]);
}

/// Written once.
impl Beside for () {
    #[inline(always)]
    unsafe fn fetch<S: Simd>(self, _: usize, _: usize, _: usize) {}
    #[inline(always)]
    unsafe fn store<S: Simd>(self, _: usize, _: S::F, _: usize) {}
    #[inline(always)]
    unsafe fn store_pair<S: Simd>(self, _: usize, _: [S::F; 2]) {}
}

impl<T: Element> Beside for Shared<T> {
    #[inline(always)]
    unsafe fn fetch<S: Simd>(self, at: usize, stride: usize, rows: usize) {
        // SAFETY: the caller's.
        unsafe { fetch::<S, T>(self.0.wrapping_add(at), stride, rows) };
    }
    #[inline(always)]
    unsafe fn store<S: Simd>(self, at: usize, x: S::F, n: usize) {
        // SAFETY: the caller's.
        unsafe {
            let to = self.at(at);
            if n == LANES { T::store::<S>(to, x) } else { T::store_part::<S>(to, x, n) }
        }
    }
    #[inline(always)]
    unsafe fn store_pair<S: Simd>(self, at: usize, x: [S::F; 2]) {
        // SAFETY: the caller's.
        unsafe { T::store_pair::<S>(self.at(at), x) }
    }
}
