//! Rows made ready for products in bf16 and int8.

use crate::Isa;
use crate::number::{Bf16, Element};
use crate::simd::{LANES, Simd, Task};

/// What a whole number 0 is stored as.
pub const ZERO: u8 = 128;

/// A row → bf16.
///
/// # Panics
/// If `to` is shorter than `x`.
pub fn round(isa: Isa, x: &[f32], to: &mut [Bf16]) {
    assert!(to.len() >= x.len(), "room for the row");
    isa.run(Scaled { x, scale: 1.0, shift: 0.0, to: &mut to[..x.len()] });
}

/// A row → whole numbers `q + 128` of `x = q · scale`, q from -127 to 127; gives the scale, max |x| / 127.
///
/// # Panics
/// If `to` is shorter than `x`.
pub fn quantise<T: Element>(isa: Isa, x: &[T], to: &mut [u8]) -> f32 {
    assert!(to.len() >= x.len(), "room for the row");
    // So small that all is 0 in any case; keeps the scale a number.
    let most = isa.run(Largest(x)).max(1e-30);
    isa.run(Scaled { x, scale: 127.0 / most, shift: f32::from(ZERO), to: &mut to[..x.len()] });
    most / 127.0
}

/// max |x|
struct Largest<'a, T>(&'a [T]);

impl<T: Element> Task for Largest<'_, T> {
    type Output = f32;
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        // SAFETY: the instruction set is the caller's; chunks are read within their lengths.
        unsafe {
            // Four at a time, so that one does not wait for the other.
            let (quads, rest) = self.0.as_chunks::<{ 4 * LANES }>();
            let mut most = [S::splat(0.0); 4];
            for x in quads {
                for (i, most) in most.iter_mut().enumerate() {
                    *most = S::max(S::abs(T::load::<S>(x.as_ptr().add(i * LANES))), *most);
                }
            }
            let mut most = S::max(S::max(most[0], most[1]), S::max(most[2], most[3]));
            let (whole, rest) = rest.as_chunks::<LANES>();
            for x in whole {
                most = S::max(S::abs(T::load::<S>(x.as_ptr())), most);
            }
            if !rest.is_empty() {
                most = S::max(S::abs(T::load_part::<S>(rest.as_ptr(), rest.len())), most);
            }
            S::largest(most)
        }
    }
}

struct Scaled<'a, T, O> {
    x: &'a [T],
    scale: f32,
    shift: f32,
    to: &'a mut [O],
}

impl<T: Element, O: Element> Task for Scaled<'_, T, O> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the instruction set is the caller's; chunks are read and written within their lengths.
        unsafe {
            let (scale, shift) = (S::splat(self.scale), S::splat(self.shift));
            let (whole, rest) = self.x.as_chunks::<LANES>();
            let (to, last) = self.to.split_at_mut(whole.len() * LANES);
            for (x, to) in whole.iter().zip(to.chunks_exact_mut(LANES)) {
                O::store::<S>(to.as_mut_ptr(), S::fma(T::load::<S>(x.as_ptr()), scale, shift));
            }
            if !rest.is_empty() {
                let x = T::load_part::<S>(rest.as_ptr(), rest.len());
                O::store_part::<S>(last.as_mut_ptr(), S::fma(x, scale, shift), rest.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    #[test]
    fn every_level_rounds_every_length() {
        for isa in Isa::available() {
            for n in (0..70).chain([384, 3072]) {
                let x: Vec<f32> = numbers(n, 8).iter().map(|v| v * 5.0).collect();
                let mut got = vec![Bf16(1); n + 1];
                round(isa, &x, &mut got);
                assert!(x.iter().zip(&got).all(|(&x, &got)| Bf16::new(x) == got), "{isa} {n}");
                assert_eq!(got[n], Bf16(1), "{isa} {n}: nothing behind the row is written");

                let mut whole = vec![7; n + 1];
                let scale = quantise(isa, &x, &mut whole);
                for (x, q) in x.iter().zip(&whole) {
                    let back = (f32::from(*q) - 128.0) * scale;
                    assert!(*q >= 1 && (back - x).abs() <= scale * 0.501, "{isa} {n}: {q} is {back} for {x}");
                }
                assert_eq!(whole[n], 7, "{isa} {n}");
            }
        }
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        for isa in Isa::available() {
            let mut to = [0; 40];
            let scale = quantise(isa, &[0.0f32; 40], &mut to);
            assert!(scale > 0.0 && to == [ZERO; 40], "{isa}");
        }
    }
}
