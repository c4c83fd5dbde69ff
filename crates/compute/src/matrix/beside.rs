//! What is written a second time, in other numbers than the output's.

use crate::buffer::Shared;
use crate::number::Element;
use crate::simd::{LANES, Simd};

/// Takes the numbers that the output takes.
pub(crate) trait Beside: Copy + Sync {
    /// Has the line where element `at` lies brought near.
    ///
    /// # Safety
    /// That of [`Simd`].
    unsafe fn fetch<S: Simd>(self, at: usize);

    /// Vectors side by side, of the last one the first `n` lanes.
    ///
    /// # Safety
    /// The pointer must hold for so many elements from `at` on, and nobody else may use them; that of [`Simd`].
    unsafe fn store<S: Simd, const C: usize>(self, at: usize, x: [S::F; C], n: usize);
}

/// Written once.
impl Beside for () {
    #[inline(always)]
    unsafe fn fetch<S: Simd>(self, _: usize) {}
    #[inline(always)]
    unsafe fn store<S: Simd, const C: usize>(self, _: usize, _: [S::F; C], _: usize) {}
}

impl<T: Element> Beside for Shared<T> {
    #[inline(always)]
    unsafe fn fetch<S: Simd>(self, at: usize) {
        // SAFETY: the caller's; any address will do.
        unsafe { S::fetch(self.0.wrapping_add(at).cast()) };
    }
    #[inline(always)]
    unsafe fn store<S: Simd, const C: usize>(self, at: usize, x: [S::F; C], n: usize) {
        // SAFETY: the caller's.
        unsafe {
            let to = self.at(at);
            match (x.first_chunk::<2>(), n) {
                (Some(&pair), LANES) if C == 2 => T::store_pair::<S>(to, pair),
                _ => {
                    for (i, x) in x.into_iter().enumerate() {
                        let n = if i + 1 < C { LANES } else { n };
                        match n {
                            LANES => T::store::<S>(to.add(i * LANES), x),
                            n => T::store_part::<S>(to.add(i * LANES), x, n),
                        }
                    }
                }
            }
        }
    }
}
