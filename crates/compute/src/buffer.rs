//! Memory for kernels: zeroed, aligned, large ones on huge pages.
//!
//! A stream of weights in pages of 4 KiB loses time to page walks, and the processor's prefetcher stops at each page's
//! end: 2 % of a ResNet50, 6 % of a short text through BERT.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::number::Element;

const HUGE: usize = 2 << 20;
const PAGE: usize = 4096;
/// Bytes of a line of the cache.
pub(crate) const LINE: usize = 64;
/// Readable bytes behind the last element, for loads of whole vectors.
const TAIL: usize = 256;

/// A fixed number of elements, zero at first.
pub struct Buffer<T> {
    start: NonNull<T>,
    len: usize,
    layout: Layout,
}

// SAFETY: a Buffer owns its memory as a Vec does; `&Buffer` gives `&[T]` only.
unsafe impl<T: Send> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Buffer<T> {}

impl<T: Element> Buffer<T> {
    /// `len` zeros.
    pub fn new(len: usize) -> Self {
        let bytes =
            len.checked_mul(size_of::<T>()).and_then(|b| b.checked_add(TAIL)).expect("fits the memory");
        let align = if bytes >= HUGE { HUGE } else { PAGE };
        let layout =
            Layout::from_size_align(bytes.next_multiple_of(align), align).expect("a size that exists");
        // SAFETY: the layout's size is at least TAIL.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // The advice must come before the first touch, so no alloc_zeroed.
        if align == HUGE {
            advise_huge(start, layout.size());
        }
        // SAFETY: just allocated with this size. Zero bytes are a value of every Element.
        unsafe { start.write_bytes(0, layout.size()) };
        Self { start: start.cast(), len, layout }
    }
}

impl<T> Buffer<T> {
    /// For tasks that write parts of their own.
    pub(crate) fn share(&mut self) -> Shared<T> {
        Shared(self.start.as_ptr())
    }
}

#[cfg(target_os = "linux")]
fn advise_huge(start: NonNull<u8>, bytes: usize) {
    unsafe extern "C" {
        fn madvise(start: *mut u8, bytes: usize, advice: i32) -> i32;
    }
    const MADV_HUGEPAGE: i32 = 14;
    // SAFETY: the range is ours and page-aligned; the advice changes no contents, and to be refused does no harm.
    unsafe { madvise(start.as_ptr(), bytes, MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_: NonNull<u8>, _: usize) {}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout; elements have no drop of their own.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `len` elements were allocated and set to zero.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> std::fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer of {}", self.len)
    }
}

/// A pointer that the tasks of one step share; every task writes a part of its own.
pub(crate) struct Shared<T>(pub *mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shared<T> {}
// SAFETY: only a pointer; whoever reads or writes through it must see to it that parts are disjoint.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// `i` elements from the start must lie in the same allocation.
    #[inline(always)]
    pub unsafe fn at(self, i: usize) -> *mut T {
        // SAFETY: the caller's.
        unsafe { self.0.add(i) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_ones_are_zero_and_aligned() {
        for len in [0, 1, 1000, (3 << 20) + 5] {
            let mut b = Buffer::<u8>::new(len);
            assert!(b.len() == len && b.iter().all(|&x| x == 0));
            assert!((b.as_ptr() as usize).is_multiple_of(PAGE));
            b.fill(7);
            assert!(b.iter().all(|&x| x == 7));
        }
    }
}
