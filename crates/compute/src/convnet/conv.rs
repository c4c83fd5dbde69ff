//! A convolution as a product over the map itself.

use super::map::Map;
use crate::matrix::split::{Even, Tile, Tiles};

/// The tiles and taps of a convolution from one map to another.
#[derive(Debug)]
pub(crate) struct Geometry {
    /// Bytes from the first tap to each.
    pub taps: Vec<usize>,
    pub tiles: Vec<Tile>,
    /// Elements from one pixel of the output to the next one's inputs.
    pub stride: usize,
}

impl Geometry {
    /// `size`: bytes of an element of the input.
    pub fn new(from: &Map, to: &Map, kernel: usize, stride: usize, size: usize) -> Self {
        let whole = kernel == 1 && stride == 1 && from.border + to.border + from.tail + to.tail == 0;
        let tiles = if whole {
            let even = Even::new(to.height * to.width, from.pixel, to.pixel);
            (0..even.len()).map(|i| even.tile(i)).collect()
        } else {
            let even = Even::new(to.width, 1, 1);
            let row = |y: usize| {
                (0..even.len()).map(move |i| {
                    let Tile { row: x, rows, .. } = even.tile(i);
                    let input = from.at(y * stride, x * stride, kernel / 2);
                    Tile { input, output: to.at(y, x, 0), row: y * to.width + x, rows }
                })
            };
            (0..to.height).flat_map(row).collect()
        };
        let taps = (0..kernel).map(|y| y * from.row() * size).collect();
        Self { taps, tiles, stride: stride * from.pixel }
    }

    /// Reads every tap `times` times, with weights of its own each time.
    pub fn repeat(&mut self, times: usize) {
        self.taps = self.taps.iter().flat_map(|&tap| std::iter::repeat_n(tap, times)).collect();
    }

    /// Bytes of the input up to the end of what is read, with `steps` steps of 4 bytes a tap.
    pub fn reads(&self, steps: usize, size: usize) -> usize {
        let last = |t: &Tile| (t.input + (t.rows - 1) * self.stride) * size;
        let tile = self.tiles.iter().map(last).max().unwrap_or(0);
        tile + self.taps.last().unwrap_or(&0) + steps * 4
    }
}
