//! Softmax over a row, as attention needs it: not yet divided by its sum.

use crate::Isa;
use crate::math::exp;
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
        unsafe { exponentials::<S, f32>(x, self.0.len(), x) }
    }
}

/// `n` numbers → their exponentials over the largest's, as elements at `to` (which may be where `x` lies); gives the
/// sum.
///
/// # Safety
/// `x` must be readable and `to` writable for `n`; instructions as in [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exponentials<S: Simd, O: Element>(x: *const f32, n: usize, to: *mut O) -> f32 {
    let whole = n - n % LANES;
    let rest = n - whole;
    // SAFETY: the caller's; `whole` and `rest` make n.
    unsafe {
        let below = S::load_part(x.add(whole), rest, f32::NEG_INFINITY);
        let mut largest = below;
        for at in (0..whole).step_by(LANES) {
            largest = S::max(S::load(x.add(at)), largest);
        }
        let largest = S::splat(S::largest(largest));
        let mut sum = S::splat(0.0);
        for at in (0..whole).step_by(LANES) {
            let e = exp::<S>(S::sub(S::load(x.add(at)), largest));
            sum = S::add(sum, e);
            O::store::<S>(to.add(at), e);
        }
        if rest > 0 {
            let mut last = [0.0f32; LANES];
            S::store(last.as_mut_ptr(), exp::<S>(S::sub(below, largest)));
            O::store_part::<S>(to.add(whole), S::load(last.as_ptr()), rest);
            sum = S::add(sum, S::load_part(last.as_ptr(), rest, 0.0));
        }
        S::sum(sum)
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
