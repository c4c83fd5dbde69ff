//! AVX-512: a tile of up to 14 rows by two registers of columns.
//!
//! Every number type takes 4 bytes of inputs, broadcasts them and meets 64 bytes of weights of 16 columns, so all are
//! one function; a step is 2 loads, a broadcast per row and 2 multiply-adds per row. LLVM keeps all sums in registers
//! (no `rsp` inside the loop: look after every change).

use std::arch::x86_64::*;

use super::kernel::{Call, PANEL, Sums, by_rows};

/// Multiply-add of one number type.
///
/// # Safety
/// Of every function: the instructions must be there.
pub(super) trait Dot {
    type Sum;
    type V: Copy;
    unsafe fn zero() -> Self::V;
    unsafe fn load(p: *const Self::Sum) -> Self::V;
    unsafe fn mac(sum: Self::V, a: __m512i, b: __m512i) -> Self::V;
    unsafe fn store(p: *mut Self::Sum, v: Self::V);
}

pub(super) struct Single;
pub(super) struct Brain;
pub(super) struct Byte;

impl Dot for Single {
    type Sum = f32;
    type V = __m512;
    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the caller's, here and below.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(p, v) }
    }
}

impl Dot for Brain {
    type Sum = f32;
    type V = __m512;
    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: the caller's; both types are 64 bytes without padding.
        unsafe {
            let [a, b] = [a, b].map(|v| std::mem::transmute::<__m512i, __m512bh>(v));
            _mm512_dpbf16_ps(sum, a, b)
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(p, v) }
    }
}

impl Dot for Byte {
    type Sum = i32;
    type V = __m512i;
    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn load(p: *const i32) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn mac(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_dpbusd_epi32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: __m512i) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_si512(p.cast(), v) }
    }
}

/// [`super::kernel::Kernel`] of `D`.
///
/// # Safety
/// As there; and the features of `rows_of` must have been detected, VNNI and BF16 where `D` uses them.
pub(super) unsafe fn product<D: Dot>(call: &Call<'_>, rows: usize, sums: &mut Sums<D::Sum>) {
    // SAFETY: the caller's.
    unsafe { by_rows!(rows, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], rows_of::<D>(call, sums)) }
}

// VNNI and BF16 are named so that their intrinsics inline; they execute only where `D` asks for them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,fma")]
unsafe fn rows_of<D: Dot, const M: usize>(call: &Call<'_>, sums: &mut Sums<D::Sum>) {
    // SAFETY: the caller lets all these bytes be read (`Kernel`); a prefetch reads nothing.
    unsafe {
        let to = sums.0.as_mut_ptr();
        let mut acc = [[D::zero(); 2]; M];
        if call.more {
            for (i, acc) in acc.iter_mut().enumerate() {
                *acc = [D::load(to.add(i * PANEL)), D::load(to.add(i * PANEL + 16))];
            }
        }
        let (mut b, mut ahead) = (call.b, call.ahead);
        for &tap in call.taps {
            let mut a = call.a.add(tap);
            for _ in 0..call.steps {
                let (b0, b1) = (_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(64).cast()));
                _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
                for (i, acc) in acc.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(a.add(i * call.row).cast::<i32>().read_unaligned());
                    *acc = [D::mac(acc[0], x, b0), D::mac(acc[1], x, b1)];
                }
                a = a.wrapping_add(4);
                b = b.wrapping_add(call.b_step);
                ahead = ahead.wrapping_add(call.ahead_step);
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            D::store(to.add(i * PANEL), acc[0]);
            D::store(to.add(i * PANEL + 16), acc[1]);
        }
    }
}
