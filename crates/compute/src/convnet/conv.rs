//! A convolution as a product over the map itself.

use super::map::Map;
use super::plan::Layer;
use crate::matrix::split::{Even, Tile, Tiles};

/// The tiles and taps of a convolution from one map to another.
#[derive(Debug)]
pub(crate) struct Geometry {
    /// Bytes from the first tap to each.
    pub taps: Vec<usize>,
    pub tiles: Vec<Tile>,
    /// Elements from one pixel of the output to the next one's inputs.
    pub stride: usize,
    /// Of a tap.
    pub steps: usize,
    /// Of a convolution that is computed with this one.
    pub other: Option<Other>,
}

/// What else a product reads: one tap of another map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Other {
    pub map: usize,
    pub stride: usize,
    pub steps: usize,
}

impl Geometry {
    /// `other`: the 1×1 convolution that is computed with this one, and the map that it reads. `size`: bytes of an element of
    /// the inputs.
    pub fn new(
        from: &Map,
        to: &Map,
        &Layer { kernel, stride, .. }: &Layer,
        other: Option<(&Layer, usize, &Map)>,
        [steps, other_steps]: [usize; 2],
        size: usize,
    ) -> Self {
        let bare = |map: &Map| map.border + map.tail == 0;
        let every = other.is_none_or(|(layer, _, map)| layer.stride == 1 && bare(map));
        let whole = kernel == 1 && stride == 1 && bare(from) && bare(to) && every;
        let mut tiles: Vec<_> = if whole {
            let even = Even::new(to.height * to.width, from.pixel, to.pixel);
            (0..even.len()).map(|i| even.tile(i)).collect()
        } else {
            let even = Even::new(to.width, 1, 1);
            let row = |y: usize| {
                (0..even.len()).map(move |i| {
                    let Tile { row: x, rows, .. } = even.tile(i);
                    let input = from.at(y * stride, x * stride, kernel / 2);
                    Tile { input, output: to.at(y, x, 0), row: y * to.width + x, rows, other: 0 }
                })
            };
            (0..to.height).flat_map(row).collect()
        };
        let taps = (0..kernel).map(|y| y * from.row() * size).collect();
        let other = other.map(|(&Layer { stride, .. }, number, map)| {
            for tile in &mut tiles {
                tile.other = map.at(tile.row / to.width * stride, tile.row % to.width * stride, 0);
            }
            Other { map: number, stride: stride * map.pixel, steps: other_steps }
        });
        Self { taps, tiles, stride: stride * from.pixel, steps, other }
    }

    /// Reads every tap `times` times, with weights of its own each time.
    pub fn repeat(&mut self, times: usize) {
        self.taps = self.taps.iter().flat_map(|&tap| std::iter::repeat_n(tap, times)).collect();
    }

    /// Bytes of the input up to the end of what is read.
    pub fn reads(&self, size: usize) -> usize {
        let last = |t: &Tile| (t.input + (t.rows - 1) * self.stride) * size;
        let tile = self.tiles.iter().map(last).max().unwrap_or(0);
        tile + self.taps.last().unwrap_or(&0) + self.steps * 4
    }

    /// The same of the other map.
    pub fn reads_other(&self, size: usize) -> usize {
        let Some(Other { stride, steps, .. }) = self.other else { return 0 };
        let last = |t: &Tile| (t.other + (t.rows - 1) * stride) * size;
        self.tiles.iter().map(last).max().unwrap_or(0) + steps * 4
    }
}
