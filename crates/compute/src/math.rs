//! Functions of lanes.

mod gelu;

pub(crate) use gelu::{gelu, gelu_short, gelu_tanh};

use crate::simd::Simd;

/// eˣ for x from -87 to 88 (clamped below): x = n ln 2 + r, a polynomial of degree 6 for eʳ; about 1 ulp.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::F) -> S::F {
    // SAFETY: the caller's, here and below.
    unsafe {
        let x = S::min(S::max(x, S::splat(-87.0)), S::splat(88.0));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        // ln 2 in two parts: the first has few digits, so that n times it is exact.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.0 / 720.0);
        for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = S::fma(p, r, S::splat(c));
        }
        S::scale2(p, n)
    }
}

/// eˣ side by side, for any x: where it is not within 10⁻³⁸ to 10³⁸, next to nothing or more than that. Within 2e-7 + 8e-8 |x|
/// of itself, or (`SHORT`), for results of few digits, within 1e-4.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn powers<S: Simd, const SHORT: bool, const N: usize>(x: [S::F; N]) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe {
        let by = S::splat(std::f32::consts::LOG2_E);
        let (mut n, mut rest) = (x, x);
        for (n, rest) in n.iter_mut().zip(&mut rest) {
            *n = S::round(S::mul(*n, by));
            *rest = S::fms(*rest, by, *n);
        }
        let mut y = if SHORT { horner::<S, N>(&EXP2_SHORT, &rest) } else { horner::<S, N>(&EXP2, &rest) };
        for (y, n) in y.iter_mut().zip(n) {
            *y = S::scale2_any(*y, n);
        }
        y
    }
}

/// 2ˣ within 8e-5 of itself, for results of few digits; x from -126 (clamped) to 127.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exp2_short<S: Simd>(x: S::F) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        let x = S::max(x, S::splat(-126.0));
        let n = S::round(x);
        let r = S::sub(x, n);
        S::scale2(horner::<S, 1>(&EXP2_SHORT, &[r])[0], n)
    }
}

/// 2ˣ from -1/2 to 1/2, highest power first, within 8e-8 of itself.
#[expect(clippy::approx_constant, reason = "fitted over the range, near ln 2 by nature")]
const EXP2: [f32; 6] = [1.327_647_2e-3, 9.675_542e-3, 5.550_713_3e-2, 2.402_212e-1, 6.931_47e-1, 1.000_000_1];

/// As [`EXP2`], within 8e-5.
const EXP2_SHORT: [f32; 4] = [0.055_171_67, 0.242_611_13, 0.693_260_97, 0.999_928_06];

/// Polynomials side by side, highest power first.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn horner<S: Simd, const N: usize>(coefficients: &[f32], x: &[S::F; N]) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe {
        let mut p = [S::splat(coefficients[0]); N];
        for &c in &coefficients[1..] {
            for (p, x) in p.iter_mut().zip(x) {
                *p = S::fma(*p, *x, S::splat(c));
            }
        }
        p
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::simd::{LANES, Task};

    type OfLanes = (fn(f64) -> f64, f32);

    struct Each<'a>(usize, &'a [f32], &'a mut [f32]);
    impl Task for Each<'_> {
        type Output = ();
        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            for (x, y) in self.1.chunks_exact(LANES).zip(self.2.chunks_exact_mut(LANES)) {
                // SAFETY: chunks of 16.
                unsafe {
                    let x = S::load(x.as_ptr());
                    let y_ = match self.0 {
                        0 => exp::<S>(x),
                        1 => gelu::<S, 1>([x])[0],
                        2 => gelu_tanh::<S, 1>([x])[0],
                        3 => gelu_short::<S, 1>([x])[0],
                        5 => powers::<S, false, 1>([x])[0],
                        6 => powers::<S, true, 1>([x])[0],
                        _ => exp2_short::<S>(x),
                    };
                    S::store(y.as_mut_ptr(), y_);
                }
            }
        }
    }

    fn erf(x: f64) -> f64 {
        // The series; enough terms for |x| < 6 in f64 up to cancellation of 1e-6 at the ends, where erf is ±1.
        if x.abs() > 4.0 {
            return x.signum();
        }
        let (mut sum, mut term) = (x, x);
        for n in 1..120 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn functions_are_what_they_say_at_every_level() {
        let xs: Vec<f32> = (-1600..1600).map(|i| i as f32 / 200.0).collect();
        let gelu_tanh = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044_715 * x * x * x)).tanh());
        let gelu = |x: f64| x / 2.0 * (1.0 + erf(x / 2f64.sqrt()));
        let want: [OfLanes; 7] = [
            (f64::exp, 4e-7),
            (gelu, 2e-7),
            (gelu_tanh, 6e-7),
            (gelu, 2e-4),
            (f64::exp2, 8e-5),
            (f64::exp, 9e-7),
            (f64::exp, 1e-4),
        ];
        for isa in Isa::available() {
            for (which, (f, most)) in want.iter().enumerate() {
                let mut ys = vec![0.0; xs.len()];
                isa.run(Each(which, &xs, &mut ys));
                for (&x, &y) in xs.iter().zip(&ys) {
                    let want = f(f64::from(x));
                    let error = (f64::from(y) - want).abs() / want.abs().max(1.0);
                    assert!(error <= f64::from(*most), "{isa} function {which} of {x}: {y}, want {want}");
                }
            }
        }
    }
}
