use super::*;
use crate::number::{B16, Bf16, F32};
use crate::testing::numbers;

/// Plain loops in f64: `[tokens, dim]` from rows of q|k|v.
fn exact(shape: Shape, x: &[f32]) -> Vec<f64> {
    let Shape { tokens, dim, stride, .. } = shape;
    let part = |p: usize, i: usize| x[i * stride + p * dim..][..dim].iter().map(|&v| f64::from(v));
    let mut out = Vec::new();
    for i in 0..tokens {
        let e: Vec<f64> =
            (0..tokens).map(|j| part(0, i).zip(part(1, j)).map(|(a, b)| a * b).sum::<f64>().exp()).collect();
        let sum: f64 = e.iter().sum();
        let column = |c: usize| (0..tokens).map(|j| e[j] / sum * part(2, j).nth(c).unwrap()).sum::<f64>();
        out.extend((0..dim).map(column));
    }
    out
}

fn ours<N: Number<Sum = f32>>(isa: Isa, shape: Shape, x: &[N::Input], scratch: &mut Scratch) -> Vec<f32> {
    let mut out = vec![9.0; shape.tokens * shape.out_stride];
    let parts = [0, 1, 2].map(|i| x[i * shape.dim..].as_ptr());
    // SAFETY: rows of three parts fit the stride, and the result its own.
    unsafe { attend::<N, f32>(isa, shape, parts, out.as_mut_ptr(), scratch) };
    out
}

#[test]
fn every_level_is_exact_for_every_shape() {
    for isa in Isa::available() {
        // One scratch for all, so that what an earlier text left is seen to do no harm.
        let (mut scratch, mut short) = (Scratch::default(), Scratch::default());
        for tokens in (1..=48).rev().chain([65, 130, 512]) {
            for dim in [1, 8, 24, 31, 32, 64, 80] {
                if tokens > 48 && dim != 31 && dim != 64 {
                    continue;
                }
                let queries = (0, tokens);
                let shape = Shape { tokens, queries, dim, stride: 3 * dim, out_stride: dim + 3 };
                let x: Vec<f32> = numbers(tokens * 3 * dim + 3, 11).iter().map(|v| v * 1.5).collect();
                let rounded: Vec<Bf16> = x.iter().map(|&v| Bf16::new(v)).collect();
                let same: Vec<f32> = rounded.iter().map(|v| v.get()).collect();
                let full = (ours::<F32>(isa, shape, &x, &mut scratch), exact(shape, &x), 1e-5);
                let half = (ours::<B16>(isa, shape, &rounded, &mut short), exact(shape, &same), 6e-3);
                for (got, want, most) in [full, half] {
                    for (i, want) in want.iter().enumerate() {
                        let got = got[i / dim * (dim + 3) + i % dim];
                        let error = (f64::from(got) - want).abs();
                        assert!(error <= most, "{isa} {tokens}x{dim} at {i}: {got} for {want}");
                    }
                    assert!(got.chunks(dim + 3).all(|row| row[dim..] == [9.0; 3]), "{isa} {tokens}x{dim}");
                }
            }
        }
    }
}

/// Scores of which no exponential is a number, or all are next to nothing.
#[test]
fn scores_far_from_0_are_taken_over_the_largest() {
    let (tokens, dim) = (40, 32);
    let shape = Shape { tokens, queries: (0, tokens), dim, stride: 3 * dim, out_stride: dim };
    let mut x: Vec<f32> = numbers(tokens * 3 * dim, 12);
    for (i, row) in x.chunks_exact_mut(3 * dim).enumerate() {
        // The first component alone shifts all of a row's scores: by 0, 200 and -200 in turn.
        (row[0], row[dim]) = ([0.0, 20.0, -20.0][i % 3], 10.0);
    }
    let rounded: Vec<Bf16> = x.iter().map(|&v| Bf16::new(v)).collect();
    let same: Vec<f32> = rounded.iter().map(|v| v.get()).collect();
    for isa in Isa::available() {
        let mut scratch = Scratch::default();
        let full = (ours::<F32>(isa, shape, &x, &mut scratch), exact(shape, &x), 1e-4);
        let half = (ours::<B16>(isa, shape, &rounded, &mut scratch), exact(shape, &same), 6e-3);
        for (got, want, most) in [full, half] {
            for (got, want) in got.iter().zip(want) {
                assert!((f64::from(*got) - want).abs() <= most, "{isa}: {got} for {want}");
            }
        }
    }
}

#[test]
fn a_row_is_the_same_whichever_rows_are_asked_for() {
    let (tokens, dim) = (50, 32);
    let all = Shape { tokens, queries: (0, tokens), dim, stride: 3 * dim, out_stride: dim };
    let mut x: Vec<f32> = numbers(tokens * 3 * dim, 13);
    x.iter_mut().step_by(7 * 3 * dim).for_each(|v| *v = 300.0);
    for isa in Isa::available() {
        let mut scratch = Scratch::default();
        let whole = ours::<F32>(isa, all, &x, &mut scratch);
        for queries in [(0, 1), (3, 17), (7, 8), (20, 50)] {
            let some = ours::<F32>(isa, Shape { queries, ..all }, &x, &mut scratch);
            let rows = (queries.1 - queries.0) * dim;
            assert_eq!(some[..rows], whole[queries.0 * dim..][..rows], "{isa} {queries:?}");
        }
    }
}
