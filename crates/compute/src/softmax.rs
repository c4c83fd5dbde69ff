//! Softmax over a row, as attention needs it: not yet divided by its sum.

use std::f32::consts::LOG2_E;

use crate::Isa;
use crate::math::{exp, exp2_short};
use crate::number::Element;
use crate::simd::{LANES, Simd, Task};

/// `x` → its softmax, in place; ≤ 1e-6 relative. An empty row stays empty.
pub fn softmax(isa: Isa, x: &mut [f32]) {
    let sum = isa.run(Row(x));
    let share = 1.0 / sum;
    x.iter_mut().for_each(|v| *v *= share);
}

struct Row<'a>(&'a mut [f32]);

impl Task for Row<'_> {
    type Output = f32;
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        let x = self.0.as_mut_ptr();
        // SAFETY: the instruction set is the caller's; a row may be read and written where it lies.
        unsafe { exponentials::<S, f32, false>(x, self.0.len(), x) }
    }
}

/// `n` numbers → their exponentials over the largest's, as elements at `to` (which may be where `x` lies); gives the
/// sum. `ROOM`: there is room for whole lanes at `to`, and what is written behind the last does not matter.
///
/// # Safety
/// `x` must be readable and `to` writable for `n` (or whole lanes); instructions as in [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exponentials<S: Simd, O: Element, const ROOM: bool>(
    x: *const f32,
    n: usize,
    to: *mut O,
) -> f32 {
    let whole = n - n % LANES;
    let rest = n - whole;
    // SAFETY: the caller's; `whole` and `rest` make n.
    unsafe {
        let below = S::load_part(x.add(whole), rest, f32::NEG_INFINITY);
        let mut largest = below;
        for at in (0..whole).step_by(LANES) {
            largest = S::max(S::load(x.add(at)), largest);
        }
        let largest = S::largest(largest);
        let (largest, over) = (S::splat(largest), S::splat(-largest * LOG2_E));
        let mut sum = S::splat(0.0);
        for at in (0..whole).step_by(LANES) {
            let e = power::<S, O>(S::load(x.add(at)), largest, over);
            sum = S::add(sum, e);
            O::store::<S>(to.add(at), e);
        }
        if rest > 0 {
            // What stands for nothing (-∞) becomes at most 2⁻¹²⁵.
            let e = power::<S, O>(below, largest, over);
            sum = S::add(sum, e);
            if ROOM { O::store::<S>(to.add(whole), e) } else { O::store_part::<S>(to.add(whole), e, rest) }
        }
        S::sum(sum)
    }
}

/// e to the x less the largest, `over` being that in powers of two, less than 0; as exact as `O` can tell.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn power<S: Simd, O: Element>(x: S::F, largest: S::F, over: S::F) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        match O::SHORT {
            true => exp2_short::<S>(S::fma(x, S::splat(LOG2_E), over)),
            false => exp::<S>(S::sub(x, largest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    #[test]
    fn every_level_is_exact_for_every_length() {
        for isa in Isa::available() {
            for n in (0..70).chain([511, 512]) {
                let x: Vec<f32> = numbers(n, 5).iter().map(|v| v * 30.0).collect();
                let mut got = x.clone();
                softmax(isa, &mut got);
                let top = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let e: Vec<f64> = x.iter().map(|&v| f64::from(v - top).exp()).collect();
                let sum: f64 = e.iter().sum();
                for (got, e) in got.iter().zip(&e) {
                    let want = e / sum;
                    assert!(
                        (f64::from(*got) - want).abs() <= 1e-6 * want + 1e-30,
                        "{isa} {n}: {got} for {want}"
                    );
                }
            }
        }
    }

    #[test]
    fn far_below_the_largest_is_next_to_nothing() {
        for isa in Isa::available() {
            let mut x = [-1e9, 0.0, -200.0, f32::NEG_INFINITY, 0.0];
            softmax(isa, &mut x);
            assert_eq!([x[1], x[4]], [0.5, 0.5], "{isa}");
            assert!([x[0], x[2], x[3]].iter().all(|&v| v <= 1e-37), "{isa}: {x:?}");
        }
    }
}
