//! Rows made ready for products in bf16 and int8.

use crate::Isa;
use crate::number::{Bf16, Element};
use crate::simd::{LANES, Simd, Task, load_chunk};

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
    within(isa, x, isa.run(Largest(x)), to)
}

/// [`quantise`] of a row whose largest |x| is `most`.
///
/// # Panics
/// If `to` is shorter than `x`.
pub(crate) fn within<T: Element>(isa: Isa, x: &[T], most: f32, to: &mut [u8]) -> f32 {
    // So small that all is 0 in any case; keeps the scale a number.
    let most = most.max(1e-30);
    isa.run(Scaled { x, scale: 127.0 / most, shift: f32::from(ZERO), to: &mut to[..x.len()] });
    most / 127.0
}

/// What a whole number 0 is stored as by [`quantise_low`].
pub(crate) const LOW_ZERO: u8 = 16;

/// As [`quantise`] for rows with little below 0: `q + 16`, q from -16 to 239, so that what is above has twice the steps.
///
/// # Panics
/// If `to` is shorter than `x`.
pub(crate) fn quantise_low<T: Element>(isa: Isa, x: &[T], to: &mut [u8]) -> f32 {
    assert!(to.len() >= x.len(), "room for the row");
    let (least, most) = isa.run(Ends(x));
    let zero = f32::from(LOW_ZERO);
    let scale = (most / (255.0 - zero)).max(-least / zero).max(1e-30);
    isa.run(Scaled { x, scale: 1.0 / scale, shift: zero, to: &mut to[..x.len()] });
    scale
}

/// Largest number of a row, over the root of the mean square, from which on [`quantise_twice`] keeps the rest.
const OUTLIER: f32 = 10.0;

/// A row → whole numbers as [`quantise`] makes them. Where one number is so large that little is left of the others
/// (ends of texts, mostly), also what those leave, at most half a step each, as whole numbers `r + 128` of their own.
/// Gives both scales, the second 0 where nothing was written to `rest`.
///
/// # Panics
/// If `to` or `rest` is shorter than `x`.
pub(crate) fn quantise_twice(
    isa: Isa,
    x: &[f32],
    Spread { most, squares }: Spread,
    to: &mut [u8],
    rest: &mut [u8],
) -> (f32, f32) {
    assert!(to.len() >= x.len() && rest.len() >= x.len(), "room for the row");
    if most * most * (x.len() as f32) < OUTLIER * OUTLIER * squares {
        return (within(isa, x, most, to), 0.0);
    }
    let scale = most.max(1e-30) / 127.0;
    isa.run(Twice { x, scale, to: &mut to[..x.len()], rest: &mut rest[..x.len()] });
    (scale, scale / 254.0)
}

/// How far numbers reach from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spread {
    /// max |x|
    pub most: f32,
    /// Σ x²
    pub squares: f32,
}

impl Spread {
    pub fn of(isa: Isa, x: &[f32]) -> Self {
        isa.run(Measure(x))
    }
}

/// A [`Spread`] while it is taken.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<S: Simd> {
    most: [S::F; 4],
    squares: [S::F; 4],
}

impl<S: Simd> Lanes<S> {
    /// # Safety
    /// That of [`Simd`], here and below.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        // SAFETY: the caller's.
        unsafe { Self { most: [S::splat(0.0); 4], squares: [S::splat(0.0); 4] } }
    }
    /// Numbers in the `i`th of four turns: one does not wait for the other.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn take(&mut self, i: usize, x: S::F) {
        // SAFETY: the caller's.
        unsafe {
            self.most[i] = S::max(S::abs(x), self.most[i]);
            self.squares[i] = S::fma(x, x, self.squares[i]);
        }
    }
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn spread(self) -> Spread {
        let Self { most, squares } = self;
        // SAFETY: the caller's.
        unsafe {
            let most = S::max(S::max(most[0], most[1]), S::max(most[2], most[3]));
            let squares = S::add(S::add(squares[0], squares[1]), S::add(squares[2], squares[3]));
            Spread { most: S::largest(most), squares: S::sum(squares) }
        }
    }
}

struct Measure<'a>(&'a [f32]);

impl Task for Measure<'_> {
    type Output = Spread;
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Spread {
        // SAFETY: the instruction set is the caller's; chunks are read within their lengths.
        unsafe {
            let mut lanes = Lanes::<S>::new();
            let (quads, rest) = self.0.as_chunks::<{ 4 * LANES }>();
            for x in quads {
                for i in 0..4 {
                    lanes.take(i, S::load(x.as_ptr().add(i * LANES)));
                }
            }
            for x in rest.chunks(LANES) {
                lanes.take(0, load_chunk::<S>(x, 0.0));
            }
            lanes.spread()
        }
    }
}

struct Twice<'a> {
    x: &'a [f32],
    scale: f32,
    to: &'a mut [u8],
    rest: &'a mut [u8],
}

impl Task for Twice<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, scale, to, rest } = self;
        // SAFETY: the instruction set is the caller's; chunks are read and written within their lengths, which are one.
        unsafe {
            let (steps, finer) = (S::splat(1.0 / scale), S::splat(254.0 / scale));
            let (less, zero) = (S::splat(-scale), S::splat(f32::from(ZERO)));
            for ((x, to), rest) in x.chunks(LANES).zip(to.chunks_mut(LANES)).zip(rest.chunks_mut(LANES)) {
                let v = load_chunk::<S>(x, 0.0);
                let q = S::round(S::fma(v, steps, zero));
                let left = S::fma(S::fma(S::sub(q, zero), less, v), finer, zero);
                if x.len() == LANES {
                    u8::store::<S>(to.as_mut_ptr(), q);
                    u8::store::<S>(rest.as_mut_ptr(), left);
                } else {
                    u8::store_part::<S>(to.as_mut_ptr(), q, x.len());
                    u8::store_part::<S>(rest.as_mut_ptr(), left, x.len());
                }
            }
        }
    }
}

/// (min x, max x), and 0 is among them.
struct Ends<'a, T>(&'a [T]);

impl<T: Element> Task for Ends<'_, T> {
    type Output = (f32, f32);
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> (f32, f32) {
        // SAFETY: the instruction set is the caller's; chunks are read within their lengths.
        unsafe {
            let (quads, rest) = self.0.as_chunks::<{ 4 * LANES }>();
            let (mut least, mut most) = ([S::splat(0.0); 4], [S::splat(0.0); 4]);
            for x in quads {
                for i in 0..4 {
                    let x = T::load::<S>(x.as_ptr().add(i * LANES));
                    (least[i], most[i]) = (S::min(x, least[i]), S::max(x, most[i]));
                }
            }
            let mut least = S::min(S::min(least[0], least[1]), S::min(least[2], least[3]));
            let mut most = S::max(S::max(most[0], most[1]), S::max(most[2], most[3]));
            for x in rest.chunks(LANES) {
                let x = T::load_part::<S>(x.as_ptr(), x.len());
                (least, most) = (S::min(x, least), S::max(x, most));
            }
            (-S::largest(S::sub(S::splat(0.0), least)), S::largest(most))
        }
    }
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

                let (mut again, mut rest) = (vec![7; n + 1], vec![7; n + 1]);
                let even = quantise_twice(isa, &x, Spread::of(isa, &x), &mut again, &mut rest);
                if n > 0 {
                    assert_eq!((even, &again, &rest), ((scale, 0.0), &whole, &vec![7; n + 1]), "{isa} {n}");
                }
                let mut x = x;
                if n > 200 {
                    x[n / 2] = -80.0;
                    let (scale, finer) = quantise_twice(isa, &x, Spread::of(isa, &x), &mut again, &mut rest);
                    for ((x, q), r) in x.iter().zip(&again).zip(&rest) {
                        let back = (f32::from(*q) - 128.0) * scale + (f32::from(*r) - 128.0) * finer;
                        assert!((back - x).abs() <= finer * 0.6, "{isa} {n}: {q} and {r} are {back} for {x}");
                    }
                    assert_eq!((again[n], rest[n]), (7, 7), "{isa} {n}");
                    x[n / 2] = 0.0;
                }

                let x: Vec<f32> = x.iter().map(|x| x.max(-0.2)).collect();
                let mut low = vec![7; n + 1];
                let scale = quantise_low(isa, &x, &mut low);
                for (x, q) in x.iter().zip(&low) {
                    let back = (f32::from(*q) - 16.0) * scale;
                    assert!((back - x).abs() <= scale * 0.501, "{isa} {n}: {q} is {back} for {x}");
                }
                assert_eq!(low[n], 7, "{isa} {n}");
                assert!(scale <= 5.0 / 239.0 || n == 0, "{isa} {n}: {scale}");
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
