//! AVX2 with FMA: two registers of partial sums per product, the last components under a mask.

use std::arch::x86_64::*;

use super::tiled;

/// Two sums: one row alone would otherwise wait for each FMA; the same two beside others keep scores bit-equal.
const SUMS: usize = 2;
const LANES: usize = 8;

#[target_feature(enable = "avx2,fma")]
pub(super) fn dots_many(dim: usize, queries: &[f32], rows: &[f32], out: &mut [f32]) {
    // 2 x 2 x SUMS = 8 sums of 16 registers: 4 x 2 would spill.
    tiled!(tile, 2 x 2, dim, queries, rows, out);
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile<const Q: usize, const R: usize>(queries: [&[f32]; Q], rows: [&[f32]; R]) -> [[f32; R]; Q] {
    let d = queries[0].len();
    assert!(queries.iter().chain(&rows).all(|v| v.len() == d), "equal lengths");
    let mut sums = [[[_mm256_setzero_ps(); SUMS]; R]; Q];
    let mut at = 0;
    while at + SUMS * LANES <= d {
        for s in 0..SUMS {
            step(&mut sums, s, &queries, &rows, at + s * LANES, LANES);
        }
        at += SUMS * LANES;
    }
    let mut s = 0;
    while at < d {
        step(&mut sums, s, &queries, &rows, at, (d - at).min(LANES));
        at += LANES;
        s += 1;
    }
    let mut out = [[0.0; R]; Q];
    for q in 0..Q {
        for r in 0..R {
            out[q][r] = add_lanes(_mm256_add_ps(sums[q][r][0], sums[q][r][1]));
        }
    }
    out
}

/// Adds the products of `lanes` components from `at` on to the sums `s`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn step<const Q: usize, const R: usize>(
    sums: &mut [[[__m256; SUMS]; R]; Q],
    s: usize,
    queries: &[&[f32]; Q],
    rows: &[&[f32]; R],
    at: usize,
    lanes: usize,
) {
    let mut row = [_mm256_setzero_ps(); R];
    for r in 0..R {
        row[r] = load(rows[r], at, lanes);
    }
    for q in 0..Q {
        let query = load(queries[q], at, lanes);
        for r in 0..R {
            sums[q][r][s] = _mm256_fmadd_ps(row[r], query, sums[q][r][s]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn load(v: &[f32], at: usize, lanes: usize) -> __m256 {
    debug_assert!(lanes <= LANES && at + lanes <= v.len());
    if lanes == LANES {
        // SAFETY: `tile` keeps `at + lanes` within the common length.
        return unsafe { _mm256_loadu_ps(v.as_ptr().add(at)) };
    }
    let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    // SAFETY: as above; masked lanes are not read.
    unsafe { _mm256_maskload_ps(v.as_ptr().add(at), mask) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_lanes(v: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}
