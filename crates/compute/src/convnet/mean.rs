//! The mean of all pixels.

use super::map::Map;
use crate::number::Element;
use crate::simd::{LANES, Simd, Task};

/// Mean over the pixels, times its channel's `scale`, if there are such.
pub(crate) struct Mean<'a, T> {
    pub map: &'a Map,
    pub values: &'a [T],
    pub scale: &'a [f32],
    pub out: &'a mut [f32],
}

impl<T: Element> Task for Mean<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let map = self.map;
        assert!(self.values.len() >= map.len() && self.out.len() == map.channels, "a mean per channel");
        assert!(self.scale.is_empty() || self.scale.len() == map.channels, "a scale per channel");
        let count = (map.height * map.width) as f32;
        for c in (0..map.channels).step_by(LANES) {
            let n = (map.channels - c).min(LANES);
            // SAFETY: the map's pixels lie within its values, as asserted; n channels from c on.
            unsafe {
                let mut sum = S::splat(0.0);
                for y in 0..map.height {
                    for x in 0..map.width {
                        let p = self.values.as_ptr().add(map.at(y, x, 0) + c);
                        sum = S::add(sum, if n == LANES { T::load::<S>(p) } else { T::load_part::<S>(p, n) });
                    }
                }
                let scale = match self.scale.get(c..c + n) {
                    Some(scale) => S::load_part(scale.as_ptr(), n, 0.0),
                    None => S::splat(1.0),
                };
                let mean = S::mul(S::mul(sum, S::splat(1.0 / count)), scale);
                S::store_part(self.out.as_mut_ptr().add(c), mean, n);
            }
        }
    }
}
