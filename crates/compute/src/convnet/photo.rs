//! A photo's bytes as the first map.

use super::map::Map;
use super::plan::COLOURS;
use crate::number::Element;
use crate::simd::{LANES, Simd, Task};

/// Bytes are exact in every number type; what normalises them is in the first layer's weights.
pub(crate) struct Photo<'a, T> {
    pub map: &'a Map,
    pub values: &'a mut [T],
    pub photo: &'a [u8],
}

impl<T: Element> Task for Photo<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.map.width * COLOURS;
        for (y, row) in self.photo.chunks_exact(width).enumerate() {
            let to = &mut self.values[self.map.at(y, 0, 0)..][..width];
            for (from, to) in row.chunks(LANES).zip(to.chunks_mut(LANES)) {
                // SAFETY: both chunks have `n` elements.
                unsafe {
                    match from.len() {
                        LANES => T::store::<S>(to.as_mut_ptr(), u8::load::<S>(from.as_ptr())),
                        n => T::store_part::<S>(to.as_mut_ptr(), u8::load_part::<S>(from.as_ptr(), n), n),
                    }
                }
            }
        }
    }
}
