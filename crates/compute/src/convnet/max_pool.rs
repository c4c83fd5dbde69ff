//! The largest of 3×3 pixels, every second pixel, after a ReLU: the border's zeros are as good as minus infinity, and
//! numbers have the order of their bits.

use super::map::Map;
use crate::Isa;
use crate::buffer::Shared;
use crate::number::Element;
use crate::simd::{Simd, Task};

/// Channels at a time.
const CHUNK: usize = 64;

/// One row of the output.
pub(crate) struct Row<'a, T> {
    pub from: (Shared<T>, &'a Map),
    /// Elements where the three rows of the input begin, with their border.
    pub rows: [usize; 3],
    pub to: (Shared<T>, &'a Map),
    pub y: usize,
}

impl<T: Element> Row<'_, T> {
    /// # Safety
    /// Both maps must lie behind their pointers, and the three rows within the input, which has a border and twice the
    /// width, the odd one more or less; nobody else uses this row of the output.
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
            let mut c = 0;
            while c < t.channels {
                // SAFETY: `Row::run`'s contract; channels c to c + n of pixels within the bordered input. An element's
                // bits are those of its order.
                unsafe {
                    let to = to.at(t.at(self.y, x, 0) + c).cast::<T::Order>();
                    let mut most = [T::Order::default(); CHUNK];
                    let n = (t.channels - c).min(CHUNK);
                    for at in 0..9 {
                        let p = from.at(self.rows[at / 3] + (2 * x + at % 3) * f.pixel + c);
                        let p = p.cast_const().cast::<T::Order>();
                        if n == CHUNK {
                            most.iter_mut().enumerate().for_each(|(i, most)| *most = (*most).max(*p.add(i)));
                        } else {
                            most[..n]
                                .iter_mut()
                                .enumerate()
                                .for_each(|(i, most)| *most = (*most).max(*p.add(i)));
                        }
                    }
                    if n == CHUNK {
                        to.cast::<[T::Order; CHUNK]>().write(most);
                    } else {
                        std::ptr::copy_nonoverlapping(most.as_ptr(), to, n);
                    }
                }
                c += CHUNK;
            }
        }
    }
}
