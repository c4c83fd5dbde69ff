//! Where the pixels of a map lie.

use crate::buffer::LINE;
use crate::matrix::skew;

/// What a map's numbers are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// As products read them.
    Plain,
    /// Two bytes where a plain map of int8 has one; no product reads it.
    Wide,
    /// Two bytes where a plain map has one, which products read as both.
    Fine,
    /// A plain map, which products read, and behind it a wide one of the same numbers, which is added.
    Both,
}

impl Store {
    /// Inputs of a product for every number: of a fine map eighths, then the whole.
    pub fn each(self) -> usize {
        if self == Self::Fine { 2 } else { 1 }
    }
}

/// A map's geometry, in elements of its own.
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
    pub store: Store,
    /// How many of these lie one behind the other, each a part of a map that is never whole.
    pub bands: usize,
}

impl Map {
    pub fn new<T>(height: usize, width: usize, channels: usize, border: usize, tail: usize) -> Self {
        // A kernel row wants its pixels side by side; only where there is no border is no kernel wider than 1.
        let gap = if border == 0 { skew::<T>(channels) } else { 0 };
        Self { height, width, channels, border, tail, pixel: channels + gap, store: Store::Plain, bands: 1 }
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

    /// Elements of a buffer for the map, counted in those of plain maps.
    pub fn room(&self) -> usize {
        self.bands
            * match self.store {
                Store::Plain => self.len(),
                Store::Wide | Store::Fine => 2 * self.len(),
                Store::Both => self.wide() + 2 * self.len(),
            }
    }

    /// Where the wide map begins, counted in elements of plain ones.
    pub fn wide(&self) -> usize {
        if self.store == Store::Both { self.len().next_multiple_of(LINE) } else { 0 }
    }

    /// The map as products read it: of a fine one, bytes.
    pub fn read(&self) -> Self {
        match self.store {
            Store::Fine => {
                Self { channels: 2 * self.channels, pixel: 2 * self.pixel, store: Store::Plain, ..*self }
            }
            _ => *self,
        }
    }

    /// The element where the pixel (y - back, x - back) begins.
    #[inline(always)]
    pub fn at(&self, y: usize, x: usize, back: usize) -> usize {
        debug_assert!(back <= self.border);
        (y + self.border - back) * self.row() + (x + self.border - back) * self.pixel
    }
}
