//! A convolution and the max pool that alone reads its map: a few rows of the map at a time, so that it is never whole.

use super::map::Map;
use super::max_pool;
use super::net::Net;
use super::numbers::{By, MapNumber};
use super::step::Conv;
use crate::buffer::Shared;
use crate::matrix::split::{Tile, Tiles};
use crate::number::Element;

/// Rows of the output at a time.
const AT_ONCE: usize = 4;
/// Rows of the map between that are there at once: what [`AT_ONCE`] rows look at. Each takes the place of one so far above.
pub(super) const ROWS: usize = 2 * AT_ONCE + 1;
/// Parts of the output at most, each with rows of its own between: neighbours compute one row both.
pub(super) const BANDS: usize = 8;

/// Some rows of a convolution, where rows take turns in few places.
struct Turns<'a> {
    tiles: &'a [Tile],
    map: &'a Map,
}

impl Tiles for Turns<'_> {
    fn len(&self) -> usize {
        self.tiles.len()
    }
    #[inline(always)]
    fn tile(&self, i: usize) -> Tile {
        let tile = self.tiles[i];
        let (y, x) = (tile.row / self.map.width, tile.row % self.map.width);
        Tile { output: self.map.at(y % ROWS, x, 0), ..tile }
    }
}

impl<N: MapNumber> Net<N> {
    /// `between`: bands of rows of the convolution's map, whose whole geometry `conv` has.
    ///
    /// # Safety
    /// All maps must be as `conv` was made for and lie behind their pointers, `between` and `to` of `O`; no two may share
    /// memory, and nobody else may use them meanwhile.
    pub(super) unsafe fn pooled<O: Element>(
        &self,
        By { isa, pool }: By<'_>,
        conv: &Conv<N>,
        from: Shared<N::Input>,
        (rows, map): (Shared<N::Input>, &Map),
        (to, to_map): (Shared<N::Input>, &Map),
    ) {
        let bands = if pool.threads() == 1 { 1 } else { (2 * pool.threads()).min(BANDS) };
        let bands = bands.min(to_map.height);
        let height = conv.geometry.tiles.last().map_or(0, |tile| tile.row / map.width + 1);
        let each = conv.geometry.tiles.len() / height;
        let by = By { isa, pool: &self.alone };
        pool.run(bands, |band| {
            let (start, end) = (band * to_map.height / bands, (band + 1) * to_map.height / bands);
            // SAFETY: a map has room for its bands, one behind the other.
            let own = Shared(unsafe { rows.at(band * map.room() / map.bands) });
            let mut ready = (2 * start).saturating_sub(1);
            for y in (start..end).step_by(AT_ONCE) {
                let until = end.min(y + AT_ONCE);
                let next = height.min(2 * until);
                let tiles = Turns { tiles: &conv.geometry.tiles[ready * each..next * each], map };
                ready = next;
                // SAFETY: the caller's; this task's rows are nobody else's, and tiles lie within them.
                unsafe {
                    self.convolve::<O, N::Input, _>(by, conv, &tiles, (from, None), (own, map), (), None)
                };
                for y in y..until {
                    let rows = [0, 1, 2].map(|i| match (2 * y + i).checked_sub(1) {
                        Some(row) if row < height => map.at(row % ROWS, 0, 0) - map.pixel,
                        // The border above is zeros.
                        _ => map.at(0, 0, 1),
                    });
                    let [own, to] = [own, to].map(|map| Shared(map.0.cast::<O>()));
                    // SAFETY: the same; these rows were just computed, the first one perhaps before.
                    unsafe { max_pool::Row { from: (own, map), rows, to: (to, to_map), y }.run(isa) };
                }
            }
        });
    }
}
