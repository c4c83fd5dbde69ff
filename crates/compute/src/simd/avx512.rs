//! Lanes as one register of AVX-512 (F, BW, VL, DQ).

use std::arch::x86_64::*;

use super::{LANES, Simd};

/// `BF16`: the processor rounds to bf16 by an instruction.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool>;

#[inline(always)]
fn first(n: usize) -> __mmask16 {
    if n >= LANES { !0 } else { (1 << n) - 1 }
}

// Called only inside functions with the target features, into which they are inlined.
#[allow(clippy::missing_safety_doc)]
impl<const BF16: bool> Simd for Avx512<BF16> {
    type F = __m512;
    const WIDE: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        // SAFETY: the caller has AVX-512, here and in all functions below; pointers are the caller's too.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: __m512) {
        // SAFETY: as in `splat`.
        unsafe { _mm512_storeu_ps(p, x) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize, fill: f32) -> __m512 {
        // SAFETY: as in `splat`; lanes outside the mask are not read.
        unsafe { _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(n), p) }
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, x: __m512, n: usize) {
        // SAFETY: as in `splat`; lanes outside the mask are not written.
        unsafe { _mm512_mask_storeu_ps(p, first(n), x) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fms(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_fmsub_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn abs(x: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_abs_ps(x) }
    }
    #[inline(always)]
    unsafe fn round(x: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x) }
    }
    #[inline(always)]
    unsafe fn scale2(x: __m512, n: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_scalef_ps(x, n) }
    }
    #[inline(always)]
    unsafe fn scale2_any(x: __m512, n: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_scalef_ps(x, n) }
    }
    #[inline(always)]
    unsafe fn lookup(table: &[f32; LANES], at: __m512) -> __m512 {
        // SAFETY: as in `splat`; the table has 16 numbers.
        unsafe { _mm512_permutexvar_ps(_mm512_castps_si512(at), _mm512_loadu_ps(table.as_ptr())) }
    }
    #[inline(always)]
    unsafe fn sum(x: __m512) -> f32 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_reduce_add_ps(x) }
    }
    #[inline(always)]
    unsafe fn largest(x: __m512) -> f32 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_reduce_max_ps(x) }
    }

    #[inline(always)]
    unsafe fn transpose(rows: [__m512; LANES]) -> [__m512; LANES] {
        // SAFETY: as in `splat`.
        unsafe {
            // Of each four rows: the columns c, c + 4, c + 8 and c + 12 in one register, a quarter each.
            let mut by_four = [[_mm512_setzero_ps(); 4]; 4];
            for (four, rows) in by_four.iter_mut().zip(rows.as_chunks::<4>().0) {
                let pairs = [
                    _mm512_unpacklo_ps(rows[0], rows[1]),
                    _mm512_unpackhi_ps(rows[0], rows[1]),
                    _mm512_unpacklo_ps(rows[2], rows[3]),
                    _mm512_unpackhi_ps(rows[2], rows[3]),
                ]
                .map(|v| _mm512_castps_pd(v));
                *four = [
                    _mm512_unpacklo_pd(pairs[0], pairs[2]),
                    _mm512_unpackhi_pd(pairs[0], pairs[2]),
                    _mm512_unpacklo_pd(pairs[1], pairs[3]),
                    _mm512_unpackhi_pd(pairs[1], pairs[3]),
                ]
                .map(|v| _mm512_castpd_ps(v));
            }
            let mut columns = [_mm512_setzero_ps(); LANES];
            for c in 0..4 {
                let [a, b, d, e] = by_four.map(|four| four[c]);
                let (even, more) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(d, e));
                columns[c] = _mm512_shuffle_f32x4::<0x88>(even, more);
                columns[c + 8] = _mm512_shuffle_f32x4::<0xdd>(even, more);
                let (odd, more) = (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(d, e));
                columns[c + 4] = _mm512_shuffle_f32x4::<0x88>(odd, more);
                columns[c + 12] = _mm512_shuffle_f32x4::<0xdd>(odd, more);
            }
            columns
        }
    }
    #[inline(always)]
    unsafe fn fetch(p: *const u8) {
        // SAFETY: nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_i32(p: *const i32) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(p.cast())) }
    }
    #[inline(always)]
    unsafe fn load_i32_less(p: *const i32, less: *const i32) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe {
            let difference = _mm512_sub_epi32(_mm512_loadu_si512(p.cast()), _mm512_loadu_si512(less.cast()));
            _mm512_cvtepi32_ps(difference)
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u16, x: __m512) {
        // SAFETY: as in `splat`; `BF16` is true only where that instruction was detected.
        unsafe {
            let rounded: __m256i = if BF16 {
                std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x))
            } else {
                // Adds half of the last place, or one less before an even digit.
                let bits = _mm512_castps_si512(x);
                let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
                let up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
                let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
                let up = _mm512_mask_mov_epi32(up, nan, _mm512_set1_epi32(0x7fc0_0000));
                _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(up))
            };
            _mm256_storeu_si256(p.cast(), rounded);
        }
    }
    #[inline(always)]
    unsafe fn store_bf16_pair(p: *mut u16, [x, y]: [__m512; 2]) {
        // SAFETY: as in `store_bf16`; both types are 64 bytes without padding.
        unsafe {
            if BF16 {
                let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(y, x));
                _mm512_storeu_si512(p.cast(), both);
            } else {
                Self::store_bf16(p, x);
                Self::store_bf16(p.add(LANES), y);
            }
        }
    }
    #[inline(always)]
    unsafe fn load_fine(p: *const u16) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe {
            let all = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
            let eighths = _mm512_cvtepi32_ps(_mm512_and_si512(all, _mm512_set1_epi32(7)));
            let whole = _mm512_cvtepi32_ps(_mm512_srli_epi32::<8>(all));
            _mm512_fmadd_ps(eighths, _mm512_set1_ps(0.125), whole)
        }
    }
    #[inline(always)]
    unsafe fn store_fine(p: *mut u16, x: __m512) {
        // SAFETY: as in `splat`.
        unsafe {
            let eighths = _mm512_cvtps_epi32(_mm512_mul_ps(x, _mm512_set1_ps(8.0)));
            let eighths = _mm512_max_epi32(eighths, _mm512_setzero_si512());
            let eighths = _mm512_min_epi32(eighths, _mm512_set1_epi32(2047));
            let whole = _mm512_slli_epi32::<8>(_mm512_srli_epi32::<3>(eighths));
            let all = _mm512_or_si512(whole, _mm512_and_si512(eighths, _mm512_set1_epi32(7)));
            _mm256_storeu_si256(p.cast(), _mm512_cvtepi32_epi16(all));
        }
    }
    #[inline(always)]
    unsafe fn store_fine_pair(p: *mut u16, x: [__m512; 2]) {
        // SAFETY: as in `splat`.
        unsafe {
            let [a, b] = x.map(|x| _mm512_cvtps_epi32(_mm512_mul_ps(x, _mm512_set1_ps(8.0))));
            // Of every 16 bytes, the first eight are of the first vector.
            let eighths = _mm512_packus_epi32(a, b);
            let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
            let eighths = _mm512_permutexvar_epi64(order, eighths);
            let eighths = _mm512_min_epu16(eighths, _mm512_set1_epi16(2047));
            let whole = _mm512_slli_epi16::<8>(_mm512_srli_epi16::<3>(eighths));
            let all = _mm512_or_si512(whole, _mm512_and_si512(eighths, _mm512_set1_epi16(7)));
            _mm512_storeu_si512(p.cast(), all);
        }
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_u8(p: *mut u8, x: __m512) {
        // SAFETY: as in `splat`.
        unsafe {
            let whole = _mm512_max_epi32(_mm512_cvtps_epi32(x), _mm512_setzero_si512());
            _mm_storeu_si128(p.cast(), _mm512_cvtusepi32_epi8(whole));
        }
    }
    /// Packed by instructions that keep the bounds as they go, four vectors at once.
    #[inline(always)]
    unsafe fn store_u8_pairs([p, q]: [*mut u8; 2], x: [[__m512; 2]; 2]) {
        // SAFETY: as in `splat`.
        unsafe {
            let [x, y] = x.map(|[a, b]| _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b)));
            // Of every 16 bytes, the first eight are of one place; four of each are of its first vector.
            let bytes = _mm512_packus_epi16(x, y);
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let bytes = _mm512_permutexvar_epi32(order, bytes);
            _mm256_storeu_si256(p.cast(), _mm512_castsi512_si256(bytes));
            _mm256_storeu_si256(q.cast(), _mm512_extracti64x4_epi64::<1>(bytes));
        }
    }
}
