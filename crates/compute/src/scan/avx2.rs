//! AVX2 with FMA: one register of partial sums per product, the last components under a mask.

use std::arch::x86_64::*;

use super::tiled;

const LANES: usize = 8;

#[target_feature(enable = "avx2,fma")]
pub(super) fn dots_many(dim: usize, queries: &[f32], rows: &[f32], out: &mut [f32]) {
    // 8 sums hide the FMA's latency and, with 4 rows, leave registers: 4 x 4 would spill.
    tiled!(tile, 2 x 4, dim, queries, rows, out);
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile<const Q: usize, const R: usize>(queries: [&[f32]; Q], rows: [&[f32]; R]) -> [[f32; R]; Q] {
    let d = queries[0].len();
    assert!(queries.iter().chain(&rows).all(|v| v.len() == d), "equal lengths");
    let mut sums = [[_mm256_setzero_ps(); R]; Q];
    let mut at = 0;
    while at + LANES <= d {
        step(&mut sums, &queries, &rows, at, LANES);
        at += LANES;
    }
    if at < d {
        step(&mut sums, &queries, &rows, at, d - at);
    }
    let mut out = [[0.0; R]; Q];
    for q in 0..Q {
        for r in 0..R {
            out[q][r] = add_lanes(sums[q][r]);
        }
    }
    out
}

/// Adds the products of `lanes` components from `at` on to the sums.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn step<const Q: usize, const R: usize>(
    sums: &mut [[__m256; R]; Q],
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
            sums[q][r] = _mm256_fmadd_ps(row[r], query, sums[q][r]);
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
