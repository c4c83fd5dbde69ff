//! The portable twin: plain loops that a compiler vectorises as far as the baseline allows.

use super::tiled;

pub(super) fn dots_many(dim: usize, queries: &[f32], rows: &[f32], out: &mut [f32]) {
    tiled!(tile, 2 x 2, dim, queries, rows, out);
}

/// 16 partial sums per product, so that the sums form chains that the processor can overlap.
fn tile<const Q: usize, const R: usize>(queries: [&[f32]; Q], rows: [&[f32]; R]) -> [[f32; R]; Q] {
    queries.map(|query| rows.map(|row| dot(query, row)))
}

fn dot(query: &[f32], row: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (query.as_chunks::<16>(), row.as_chunks::<16>());
    let mut sums = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
