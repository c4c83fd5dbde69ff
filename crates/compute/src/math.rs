//! Functions of lanes.

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
        let p = S::fma(S::splat(0.055_171_67), r, S::splat(0.242_611_13));
        let p = S::fma(S::fma(p, r, S::splat(0.693_260_97)), r, S::splat(0.999_928_06));
        S::scale2(p, n)
    }
}

/// ln erfc(x/√2) / x from 0 to 6, highest power first; fitted so that x/2 times erfc is within 1e-8.
const LN_ERFC: [f32; 8] = [
    -1.318_312_5e-6,
    1.944_620_4e-5,
    -9.112_275e-5,
    -1.886_098_3e-4,
    5.022_176_5e-3,
    -3.647_871e-2,
    -3.182_669_3e-1,
    -7.978_893_5e-1,
];

/// x/2 · (1 + erf(x/√2)) = max(x, 0) - |x|/2 · erfc(|x|/√2), so that there is no division; within 2e-7 of the larger of
/// 1 and |x|.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn gelu<S: Simd>(x: S::F) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        let a = S::min(S::abs(x), S::splat(6.0));
        let mut p = S::splat(LN_ERFC[0]);
        for c in &LN_ERFC[1..] {
            p = S::fma(p, a, S::splat(*c));
        }
        let erfc = exp::<S>(S::mul(p, a));
        S::fma(S::mul(a, S::splat(-0.5)), erfc, S::max(x, S::splat(0.0)))
    }
}

/// erfc(x/√2) / 2 from 0 to 4, highest power first; fitted so that x times it is within 5e-5.
const HALF_ERFC: [f32; 9] = [
    5.118_716e-5,
    -8.493_591_4e-4,
    5.099_275_6e-3,
    -1.030_048_3e-2,
    -1.842_960_2e-2,
    1.003_790_8e-1,
    -2.647_75e-2,
    -3.898_010_6e-1,
    4.989_606e-1,
];

/// [`gelu`] within 2e-4, for results of few digits: max(x, 0) - |x| · erfc(|x|/√2) / 2 by one polynomial.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn gelu_short<S: Simd>(x: S::F) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        let a = S::min(S::abs(x), S::splat(4.0));
        let mut p = S::splat(HALF_ERFC[0]);
        for c in &HALF_ERFC[1..] {
            p = S::fma(p, a, S::splat(*c));
        }
        S::sub(S::max(x, S::splat(0.0)), S::mul(a, p))
    }
}

/// GELU by tanh: x / (1 + e^-2u), u = √(2/π) (x + 0.044715 x³).
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<S: Simd>(x: S::F) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        let cubic = S::fma(S::mul(S::mul(x, x), x), S::splat(0.044_715), x);
        let e = exp::<S>(S::mul(cubic, S::splat(-2.0 * 0.797_884_6)));
        S::div(x, S::add(S::splat(1.0), e))
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
                        1 => gelu::<S>(x),
                        2 => gelu_tanh::<S>(x),
                        3 => gelu_short::<S>(x),
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
        let want: [OfLanes; 5] =
            [(f64::exp, 4e-7), (gelu, 2e-7), (gelu_tanh, 6e-7), (gelu, 2e-4), (f64::exp2, 8e-5)];
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
