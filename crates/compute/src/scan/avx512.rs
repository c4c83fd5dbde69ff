//! AVX-512F: one register of partial sums per product, the last components under a mask.

use std::arch::x86_64::*;

use super::tiled;

const LANES: usize = 16;

#[target_feature(enable = "avx512f")]
pub(super) fn dots_many(dim: usize, queries: &[f32], rows: &[f32], out: &mut [f32]) {
    // 16 sums hide the FMA's latency, and 8 loads feed 16 FMAs.
    tiled!(tile, 4 x 4, dim, queries, rows, out);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn tile<const Q: usize, const R: usize>(queries: [&[f32]; Q], rows: [&[f32]; R]) -> [[f32; R]; Q] {
    let d = queries[0].len();
    assert!(queries.iter().chain(&rows).all(|v| v.len() == d), "equal lengths");
    let mut sums = [[_mm512_setzero_ps(); R]; Q];
    let mut at = 0;
    while at + LANES <= d {
        step(&mut sums, &queries, &rows, at, !0);
        at += LANES;
    }
    if at < d {
        step(&mut sums, &queries, &rows, at, (1 << (d - at)) - 1);
    }
    let mut out = [[0.0; R]; Q];
    for q in 0..Q {
        for r in 0..R {
            out[q][r] = _mm512_reduce_add_ps(sums[q][r]);
        }
    }
    out
}

/// Adds the products of the components from `at` on, those under `mask`, to the sums.
#[inline]
#[target_feature(enable = "avx512f")]
fn step<const Q: usize, const R: usize>(
    sums: &mut [[__m512; R]; Q],
    queries: &[&[f32]; Q],
    rows: &[&[f32]; R],
    at: usize,
    mask: __mmask16,
) {
    let mut row = [_mm512_setzero_ps(); R];
    for r in 0..R {
        row[r] = load(rows[r], at, mask);
    }
    for q in 0..Q {
        let query = load(queries[q], at, mask);
        for r in 0..R {
            sums[q][r] = _mm512_fmadd_ps(row[r], query, sums[q][r]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(v: &[f32], at: usize, mask: __mmask16) -> __m512 {
    debug_assert!(at + (16 - mask.leading_zeros() as usize) <= v.len());
    // SAFETY: `tile` keeps `at` plus the lanes of the mask within the common length; masked lanes are not read.
    unsafe { _mm512_maskz_loadu_ps(mask, v.as_ptr().add(at)) }
}
