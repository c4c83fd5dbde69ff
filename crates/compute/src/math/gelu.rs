//! GELU: x/2 · (1 + erf(x/√2)) = max(x, 0) - |x|/2 · erfc(|x|/√2), so that there is no division; by a table of polynomials
//! where one instruction looks up, else by one polynomial.

use super::{EXP2, horner};
use crate::simd::{LANES, Simd};

/// log₂ erfc(x/√2) / x from 0 to 6, highest power first; fitted so that x/2 times erfc is within 1e-8.
const LOG2_ERFC: [f32; 8] = [
    -1.901_923e-6,
    2.805_494_3e-5,
    -1.314_623_4e-4,
    -2.721_064_7e-4,
    7.245_469e-3,
    -5.262_765_3e-2,
    -4.591_621_6e-1,
    -1.151_111,
];

/// -erfc(x/√2) / 2 from 0 to 4, highest power first; fitted so that x times it is within 5e-5.
const LESS_HALF_ERFC: [f32; 9] = [
    -5.118_716e-5,
    8.493_591_4e-4,
    -5.099_275_6e-3,
    1.030_048_3e-2,
    1.842_960_2e-2,
    -1.003_790_8e-1,
    2.647_75e-2,
    3.898_010_6e-1,
    -4.989_606e-1,
];

/// Whole numbers added to it stand in its lowest bits.
const WHOLE: f32 = 12_582_912.0;

/// -|x|/2 · erfc(|x|/√2) around 0, [`PART`], 2 [`PART`], ... as powers of the distance to those, highest first: 0 from 14 1/2 on.
/// Fitted so that it is within 7e-8.
#[rustfmt::skip]
const PARTS: [[f32; LANES]; 6] = [
    [0.004_654_553, 0.018_940_706, 0.022_633_51, 0.011_256_561, -0.002_627_703_4, -0.008_834_117, -0.007_148_160_6, -0.002_892_137_3, -2.550_869_2e-5, 0.000_835_007_9, 0.000_671_492_5, 0.000_335_033_14, 0.000_124_557_18, 3.666_095_7e-5, 8.791_986e-6, 0.0],
    [-0.067_256_615, -0.046_728_246, -0.004_880_784_5, 0.028_404_292, 0.035_832_766, 0.023_608_953, 0.007_774_312_5, -0.001_629_030_9, -0.004_021_538, -0.003_014_615_3, -0.001_525_965_4, -0.000_592_074_5, -0.000_184_594, -4.734_628e-5, -1.012_848e-5, 0.0],
    [5.192_912e-5, -0.089_691_32, -0.129_390_95, -0.108_627_625, -0.056_666_12, -0.010_414_055, 0.012_645_679_5, 0.016_092_047, 0.011_080_153, 0.005_575_579, 0.002_217_525_2, 0.000_720_657_8, 0.000_194_770_65, 4.424_507e-5, 8.507_112e-6, 0.0],
    [0.398_941, 0.345_705_06, 0.216_444_18, 0.077_803_11, -0.016_186_317, -0.052_126_63, -0.048_602_56, -0.031_115_813, -0.015_512_01, -0.006_297_019_3, -0.002_126_486_3, -0.000_604_593_8, -0.000_145_808_92, -2.997_744e-5, -5.272_597_7e-6, 0.0],
    [-0.5, -0.214_384_6, -0.000_774_300_54, 0.108_066_71, 0.127_469_2, 0.098_577_92, 0.059_189_748, 0.029_068_526, 0.011_945_644, 0.004_157_196_3, 0.001_233_816_4, 0.000_313_692_8, 6.852_933_4e-5, 1.289_125_7e-5, 2.091_423_3e-6, 0.0],
    [0.0, -0.132_686_33, -0.169_970_51, -0.146_581_34, -0.100_210_81, -0.056_993_18, -0.027_505_06, -0.011_372_674, -0.004_049_693_2, -0.001_245_639_6, -0.000_331_565_04, -7.646_422e-5, -1.528_961_2e-5, -2.652_235_3e-6, -3.992_684_6e-7, 0.0],
];
const PART: f32 = 0.375;

/// The same in powers of |x|, for parts of [`SHORT_PART`]; within 1e-4.
#[rustfmt::skip]
const SHORT_PARTS: [[f32; LANES]; 3] = [
    [0.397_632_87, 0.367_220_16, 0.286_908_36, 0.181_562_75, 0.080_126_226, 0.003_889_891_3, -0.039_230_57, -0.053_337_146, -0.048_778_426, -0.036_257_703, -0.023_197_973, -0.013_105_473_5, -0.006_627_420_4, -0.003_024_835_1, -0.001_252_732_5, 0.0],
    [-0.499_963_9, -0.488_999_25, -0.419_810_18, -0.271_886_08, -0.073_804_334, 0.116_922_94, 0.248_297_63, 0.298_583_63, 0.278_872_1, 0.219_120_59, 0.149_724_96, 0.090_541_88, 0.048_971_012, 0.023_855_396, 0.010_517_473, 0.0],
    [0.0, -0.000_991_857, -0.016_012_417, -0.068_108_38, -0.164_971_92, -0.284_379_12, -0.384_502_83, -0.429_321_53, -0.408_025_53, -0.336_719_7, -0.244_511_8, -0.157_732_64, -0.091_030_814, -0.047_251_802, -0.022_151_968, 0.0],
];
const SHORT_PART: f32 = 0.28;

/// x/2 · (1 + erf(x/√2)), side by side; within 2e-7 of the larger of 1 and |x|.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn gelu<S: Simd, const N: usize>(x: [S::F; N]) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe {
        if S::WIDE {
            let (a, at) = parts::<S, N>(x, PART);
            let mut r = a;
            for (r, at) in r.iter_mut().zip(&at) {
                *r = S::fma(S::sub(*at, S::splat(WHOLE)), S::splat(-PART), *r);
            }
            return positive::<S, N>(x, piecewise::<S, N>(&PARTS, &r, &at));
        }
        let mut a = x;
        for a in &mut a {
            *a = S::min(S::abs(*a), S::splat(6.0));
        }
        // A power of two: its whole part, and a polynomial of what is left.
        let mut z = a;
        for (z, p) in z.iter_mut().zip(horner::<S, N>(&LOG2_ERFC, &a)) {
            *z = S::mul(*z, p);
        }
        let mut n = z;
        for (n, z) in n.iter_mut().zip(&mut z) {
            *n = S::round(*z);
            *z = S::sub(*z, *n);
        }
        let mut y = horner::<S, N>(&EXP2, &z);
        for i in 0..N {
            let half = S::mul(S::scale2(y[i], n[i]), S::splat(-0.5));
            y[i] = S::fma(a[i], half, S::max(x[i], S::splat(0.0)));
        }
        y
    }
}

/// [`gelu`] within 2e-4, for results of few digits.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn gelu_short<S: Simd, const N: usize>(x: [S::F; N]) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe {
        if S::WIDE {
            let (a, at) = parts::<S, N>(x, SHORT_PART);
            return positive::<S, N>(x, piecewise::<S, N>(&SHORT_PARTS, &a, &at));
        }
        let mut a = x;
        for a in &mut a {
            *a = S::min(S::abs(*a), S::splat(4.0));
        }
        let mut y = horner::<S, N>(&LESS_HALF_ERFC, &a);
        for i in 0..N {
            y[i] = S::fma(a[i], y[i], S::max(x[i], S::splat(0.0)));
        }
        y
    }
}

/// |x|, and in which part of this width it is, in the lowest bits of a number.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn parts<S: Simd, const N: usize>(x: [S::F; N], width: f32) -> ([S::F; N], [S::F; N]) {
    // SAFETY: the caller's.
    unsafe {
        let (mut a, mut at) = (x, x);
        for (a, at) in a.iter_mut().zip(&mut at) {
            *a = S::abs(*a);
            let part = S::fma(*a, S::splat(1.0 / width), S::splat(WHOLE));
            *at = S::min(part, S::splat(WHOLE + (LANES - 1) as f32));
        }
        (a, at)
    }
}

/// Each part's polynomial.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn piecewise<S: Simd, const N: usize>(
    table: &[[f32; LANES]],
    x: &[S::F; N],
    at: &[S::F; N],
) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe {
        let mut p = [S::splat(0.0); N];
        for (p, at) in p.iter_mut().zip(at) {
            *p = S::lookup(&table[0], *at);
        }
        for powers in &table[1..] {
            for ((p, x), at) in p.iter_mut().zip(x).zip(at) {
                *p = S::fma(*p, *x, S::lookup(powers, *at));
            }
        }
        p
    }
}

/// `y` and what is positive of `x`.
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn positive<S: Simd, const N: usize>(x: [S::F; N], mut y: [S::F; N]) -> [S::F; N] {
    for (y, x) in y.iter_mut().zip(x) {
        // SAFETY: the caller's.
        *y = unsafe { S::add(*y, S::max(x, S::splat(0.0))) };
    }
    y
}

/// GELU by tanh: x / (1 + e^-2u), u = √(2/π) (x + 0.044715 x³).
///
/// # Safety
/// That of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<S: Simd, const N: usize>(mut x: [S::F; N]) -> [S::F; N] {
    // SAFETY: the caller's.
    unsafe {
        for x in &mut x {
            let cubic = S::fma(S::mul(S::mul(*x, *x), *x), S::splat(0.044_715), *x);
            let e = super::exp::<S>(S::mul(cubic, S::splat(-2.0 * 0.797_884_6)));
            *x = S::div(*x, S::add(S::splat(1.0), e));
        }
        x
    }
}
