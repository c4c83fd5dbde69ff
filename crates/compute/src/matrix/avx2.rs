//! AVX2 with FMA: half a panel at a time, a tile's rows in groups that fit 16 registers.

use std::arch::x86_64::*;

use super::kernel::{Call, PANEL, Sums, by_rows};
use crate::number::{B16, F32, Number, U8S8};

/// Multiply-add of one number type: 8 columns.
///
/// # Safety
/// Of every function: AVX2 and FMA must be there.
pub(super) trait Dot: Number {
    type V: Copy;
    /// Weights, or inputs, made ready for `mac`.
    type Ready: Copy;
    /// Rows that leave no sum outside the registers.
    const MOST: usize;
    unsafe fn zero() -> Self::V;
    unsafe fn load(p: *const Self::Sum) -> Self::V;
    unsafe fn weights(b: __m256i) -> Self::Ready;
    unsafe fn inputs(a: __m256i) -> Self::Ready;
    unsafe fn mac(sum: Self::V, a: Self::Ready, b: Self::Ready) -> Self::V;
    unsafe fn store(p: *mut Self::Sum, v: Self::V);
}

impl Dot for F32 {
    type V = __m256;
    type Ready = __m256;
    const MOST: usize = 6;
    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: the caller has AVX2, here and below.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn weights(b: __m256i) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_castsi256_ps(b) }
    }
    #[inline(always)]
    unsafe fn inputs(a: __m256i) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_castsi256_ps(a) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(p, v) }
    }
}

/// A bf16 is the upper half of an f32: even and odd values are two multiply-adds.
impl Dot for B16 {
    type V = __m256;
    type Ready = [__m256; 2];
    const MOST: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn weights(b: __m256i) -> [__m256; 2] {
        // SAFETY: the caller's.
        unsafe {
            let odd = _mm256_and_si256(b, _mm256_set1_epi32(0xffff_0000_u32 as i32));
            [_mm256_slli_epi32::<16>(b), odd].map(|v| _mm256_castsi256_ps(v))
        }
    }
    #[inline(always)]
    unsafe fn inputs(a: __m256i) -> [__m256; 2] {
        // SAFETY: the caller's.
        unsafe { Self::weights(a) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m256, a: [__m256; 2], b: [__m256; 2]) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_fmadd_ps(a[1], b[1], _mm256_fmadd_ps(a[0], b[0], sum)) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(p, v) }
    }
}

/// Even and odd bytes as 16 bits, each by `vpmaddwd`; `vpmaddubsw` would saturate.
impl Dot for U8S8 {
    type V = __m256i;
    type Ready = [__m256i; 2];
    const MOST: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the caller's.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn load(p: *const i32) -> __m256i {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    unsafe fn weights(b: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller's.
        unsafe { [_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b)), _mm256_srai_epi16::<8>(b)] }
    }
    #[inline(always)]
    unsafe fn inputs(a: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller's.
        unsafe { [_mm256_and_si256(a, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(a)] }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m256i, a: [__m256i; 2], b: [__m256i; 2]) -> __m256i {
        // SAFETY: the caller's.
        unsafe {
            let [even, odd] = [_mm256_madd_epi16(a[0], b[0]), _mm256_madd_epi16(a[1], b[1])];
            _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: __m256i) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_si256(p.cast(), v) }
    }
}

/// [`super::kernel::Kernel`] of `D`.
///
/// # Safety
/// As there; and AVX2 and FMA must have been detected.
pub(super) unsafe fn product<D: Dot>(call: &Call<'_>, rows: usize, sums: &mut Sums<D::Sum>) {
    let groups = rows.div_ceil(D::MOST);
    let mut done = 0;
    for group in 0..groups {
        let now = (rows - done) / (groups - group);
        for half in [0, PANEL / 2] {
            let to = sums.0[done * PANEL + half..].as_mut_ptr();
            // SAFETY: the caller's; rows from `done` on and the columns of this half are parts of what may be read.
            unsafe {
                let part = Call { a: call.a.add(done * call.row), b: call.b.add(half * 4), ..*call };
                by_rows!(now, [1 2 3 4 5 6], rows_of::<D>(&part, to));
            }
        }
        done += now;
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn rows_of<D: Dot, const M: usize>(call: &Call<'_>, to: *mut D::Sum) {
    // SAFETY: the caller lets these bytes be read, and `to` has room for M rows, of which these are 16 columns.
    unsafe {
        let mut acc = [[D::zero(); 2]; M];
        if call.more {
            for (i, acc) in acc.iter_mut().enumerate() {
                *acc = [D::load(to.add(i * PANEL)), D::load(to.add(i * PANEL + 8))];
            }
        }
        let (mut b, mut ahead) = (call.b, call.ahead);
        for &tap in call.taps {
            let mut a = call.a.add(tap);
            for _ in 0..call.steps {
                let b0 = D::weights(_mm256_loadu_si256(b.cast()));
                let b1 = D::weights(_mm256_loadu_si256(b.add(32).cast()));
                _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
                for (i, acc) in acc.iter_mut().enumerate() {
                    let x = a.add(i * call.row).cast::<i32>().read_unaligned();
                    let x = D::inputs(_mm256_set1_epi32(x));
                    *acc = [D::mac(acc[0], x, b0), D::mac(acc[1], x, b1)];
                }
                a = a.wrapping_add(4);
                b = b.wrapping_add(call.b_step);
                ahead = ahead.wrapping_add(call.ahead_step);
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            D::store(to.add(i * PANEL), acc[0]);
            D::store(to.add(i * PANEL + 8), acc[1]);
        }
    }
}
