//! Where the pixels of a map lie.

use crate::matrix::skew;

/// A map's geometry, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Map {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Zeros on every side.
    pub border: usize,
    /// More zeros at the right and the bottom, for Winograd tiles that look past the border.
    pub tail: usize,
    /// From one pixel to the next.
    pub pixel: usize,
}

impl Map {
    pub fn new<T>(height: usize, width: usize, channels: usize, border: usize, tail: usize) -> Self {
        // A kernel row wants its pixels side by side; only where there is no border is no kernel wider than 1.
        let gap = if border == 0 { skew::<T>(channels) } else { 0 };
        Self { height, width, channels, border, tail, pixel: channels + gap }
    }

    /// From one row to the next.
    #[inline(always)]
    pub fn row(&self) -> usize {
        (self.width + 2 * self.border + self.tail) * self.pixel
    }

    /// Elements of the whole map.
    #[inline(always)]
    pub fn len(&self) -> usize {
        (self.height + 2 * self.border + self.tail) * self.row()
    }

    /// The element where the pixel (y - back, x - back) begins.
    #[inline(always)]
    pub fn at(&self, y: usize, x: usize, back: usize) -> usize {
        debug_assert!(back <= self.border);
        (y + self.border - back) * self.row() + (x + self.border - back) * self.pixel
    }
}
