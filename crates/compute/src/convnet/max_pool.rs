//! The largest of 3×3 pixels, every second pixel, after a ReLU: the border's zeros are as good as minus infinity.

use super::map::Map;
use crate::Isa;
use crate::buffer::Shared;
use crate::number::Element;
use crate::simd::{LANES, Simd, Task};

/// One row of the output.
pub(crate) struct Row<'a, T> {
    pub from: (Shared<T>, &'a Map),
    pub to: (Shared<T>, &'a Map),
    pub y: usize,
}

impl<T: Element> Row<'_, T> {
    /// # Safety
    /// Both maps must lie behind their pointers; the input has a border and twice the height and width, the odd one
    /// more or less; nobody else uses this row of the output.
    pub unsafe fn run(self, isa: Isa) {
        isa.run(self);
    }
}

impl<T: Element> Task for Row<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ((from, f), (to, t)) = (self.from, self.to);
        for x in 0..t.width {
            for c in (0..t.channels).step_by(LANES) {
                let n = (t.channels - c).min(LANES);
                // SAFETY: `Row::run`'s contract; channels c to c + n of pixels within the bordered input.
                unsafe {
                    let first = from.at(f.at(2 * self.y, 2 * x, 1) + c).cast_const();
                    let mut most = S::splat(0.0);
                    for i in 0..9 {
                        let p = first.add(i / 3 * f.row() + i % 3 * f.pixel);
                        most =
                            S::max(most, if n == LANES { T::load::<S>(p) } else { T::load_part::<S>(p, n) });
                    }
                    let to = to.at(t.at(self.y, x, 0) + c);
                    if n == LANES { T::store::<S>(to, most) } else { T::store_part::<S>(to, most, n) }
                }
            }
        }
    }
}
