use super::*;
use crate::number::{B16, Bf16, F32, U8S8};

/// Seeded numbers from -1 to 1.
struct Seeded(u64);
impl Seeded {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
    fn many(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next()).collect()
    }
}

/// Rows, inputs, columns, skew of the rows.
const SHAPES: [(usize, usize, usize, usize); 14] = [
    (1, 1, 1, 0),
    (1, 7, 3, 1),
    (2, 64, 32, 0),
    (3, 5, 31, 3),
    (4, 16, 33, 0),
    (13, 21, 64, 0),
    (14, 147, 65, 5),
    (15, 100, 17, 0),
    (16, 96, 384, 16),
    (29, 33, 100, 1),
    (33, 384, 40, 0),
    (49, 12, 16, 0),
    (128, 40, 1, 0),
    (131, 63, 300, 7),
];

/// `[rows, n]` in f64, `x` at its stride.
fn exact(x: &[f32], stride: usize, w: &[f32], rows: usize, n: usize, k: usize) -> Vec<f64> {
    let dot = |i: usize, j: usize| {
        (0..k).map(|l| f64::from(x[i * stride + l]) * f64::from(w[j * k + l])).sum::<f64>()
    };
    (0..rows * n).map(|at| dot(at / n, at % n)).collect()
}

fn packed<N: Number>(w: &[f32], n: usize, k: usize) -> (Arena, Packed<N>) {
    let mut arena = Arena::new(Packed::<N>::bytes(n, 1, k));
    let layer = arena.pack::<N>(n, 1, k, |column, i| w[column * k + i]);
    (arena, layer)
}

/// The input's stride: whole steps and the shape's skew.
fn stride<N: Number>(k: usize, skew: usize) -> usize {
    k.next_multiple_of(N::STEP) + skew
}

#[test]
fn f32_products_agree_at_every_level() {
    for isa in Isa::available() {
        for threads in [1, 3] {
            let pool = Pool::new(threads);
            for (rows, k, n, skew) in SHAPES {
                let mut r = Seeded(7);
                let (stride, out) = (stride::<F32>(k, skew), n + skew);
                let (x, w) = (r.many(rows * stride), r.many(n * k));
                let (bias, residual) = (r.many(n), r.many(rows * out));
                let scales: Vec<f32> = (0..n).map(|j| 0.5 + (j % 5) as f32 / 4.0).collect();
                let (arena, layer) = packed::<F32>(&w, n, k);
                let want = exact(&x, stride, &w, rows, n, k);
                for act in [Act::None, Act::Relu, Act::Gelu, Act::GeluTanh] {
                    let mut y = vec![7.0; rows * out];
                    let finish = Finish {
                        bias: Some(&bias),
                        residual: Some(&residual[..]),
                        residual_scale: Some(&scales),
                        act,
                        scale: Plain,
                    };
                    let (from, to) = (Rows::new(&x, rows, stride), RowsMut::new(&mut y, rows, out));
                    matmul(isa, &pool, arena.weights(&layer), from, to, &finish);
                    for (at, &got) in y.iter().enumerate() {
                        let (i, j) = (at / out, at % out);
                        if j >= n {
                            assert_eq!(got, 7.0, "nothing is written between rows");
                            continue;
                        }
                        let x = want[i * n + j] + f64::from(bias[j]) + f64::from(scales[j] * residual[at]);
                        let want = match act {
                            Act::None => x,
                            Act::Relu => x.max(0.0),
                            // Good enough beside the bound: the functions have tests of their own.
                            Act::Gelu | Act::GeluTanh => {
                                x / 2.0 * (1.0 + (0.797_884_560_8 * (x + 0.044_715 * x * x * x)).tanh())
                            }
                        };
                        let most = if act == Act::Gelu { 1e-3 } else { 2e-6 * (k as f64).sqrt().max(2.0) };
                        let error = (f64::from(got) - want).abs();
                        assert!(error <= most, "{isa} {rows}x{k}x{n} {act:?}: {got}, want {want}");
                    }
                }
            }
        }
    }
}

#[test]
fn bf16_products_agree_at_every_level_and_write_what_is_next_read() {
    let pool = Pool::new(2);
    for isa in Isa::available() {
        for (rows, k, n, skew) in SHAPES {
            let mut r = Seeded(8);
            let stride = stride::<B16>(k, skew);
            let round = |v: &[f32]| v.iter().map(|&v| Bf16::new(v)).collect::<Vec<_>>();
            let wide = |v: &[Bf16]| v.iter().map(|v| v.get()).collect::<Vec<_>>();
            let (x, w) = (round(&r.many(rows * stride)), wide(&round(&r.many(n * k))));
            let residual = round(&r.many(rows * n));
            let (arena, layer) = packed::<B16>(&w, n, k);
            let want = exact(&wide(&x), stride, &w, rows, n, k);
            let mut y = vec![Bf16::default(); rows * n];
            let finish = Finish { residual: Some(&residual[..]), ..Finish::<Plain, Bf16>::default() };
            let to = RowsMut::new(&mut y, rows, n);
            matmul(isa, &pool, arena.weights(&layer), Rows::new(&x, rows, stride), to, &finish);
            for ((got, want), residual) in y.iter().zip(&want).zip(&residual) {
                let want = want + f64::from(residual.get());
                let error = (f64::from(got.get()) - want).abs();
                assert!(error <= 1e-5 + 0.004 * want.abs(), "{isa} {rows}x{k}x{n}: {got:?}, want {want}");
            }
        }
    }
}

#[test]
fn int8_products_are_bit_equal_at_every_level() {
    for isa in Isa::available() {
        let pool = Pool::new(2);
        for (rows, k, n, skew) in SHAPES {
            let mut r = Seeded(9);
            let stride = stride::<U8S8>(k, skew);
            // The ends of both ranges are among them: no sum of pairs may saturate.
            let x: Vec<u8> = (0..rows * stride).map(|_| (r.next() * 140.0 + 128.0) as u8).collect();
            let w: Vec<f32> = (0..n * k).map(|_| (r.next() * 150.0).round().clamp(-128.0, 127.0)).collect();
            let x32: Vec<f32> = x.iter().map(|&v| f32::from(v)).collect();
            let (arena, layer) = packed::<U8S8>(&w, n, k);
            let want = exact(&x32, stride, &w, rows, n, k);

            let ones = vec![1.0; n];
            let mut y = vec![0.0f32; rows * n];
            let finish = Finish {
                scale: PerColumn(&ones),
                bias: None,
                residual: None,
                residual_scale: None,
                act: Act::None,
            };
            let from = Rows::new(&x, rows, stride);
            matmul(isa, &pool, arena.weights(&layer), from, RowsMut::new(&mut y, rows, n), &finish);
            assert!(y.iter().zip(&want).all(|(&y, &want)| y == want as f32), "{isa} {rows}x{k}x{n}");

            let less: Vec<i32> =
                w.chunks(k).map(|row| row.iter().map(|&w| 128 * w as i32).sum::<i32>()).collect();
            let (scale, per_row) = (r.many(n), r.many(rows));
            let scale = PerRow { less: &less, scale: &scale, rows: &per_row };
            let finish = Finish { scale, bias: None, residual: None, residual_scale: None, act: Act::None };
            matmul(isa, &pool, arena.weights(&layer), from, RowsMut::new(&mut y, rows, n), &finish);
            for (at, got) in y.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let sum = (want[at] as i32 - less[j]) as f32;
                let want = sum * (scale.scale[j] * per_row[i]);
                assert!((got - want).abs() <= 1e-6 * want.abs(), "{isa} {rows}x{k}x{n}: {got}, want {want}");
            }

            let (scale, bias) = (vec![1.0 / k as f32 / 100.0; n], r.many(n));
            let mut bytes = vec![0u8; rows * n];
            let scale = PerColumn(&scale);
            let finish =
                Finish { scale, bias: Some(&bias), residual: None, residual_scale: None, act: Act::None };
            matmul(isa, &pool, arena.weights(&layer), from, RowsMut::new(&mut bytes, rows, n), &finish);
            for (at, &got) in bytes.iter().enumerate() {
                let x = want[at] * f64::from(scale.0[0]) + f64::from(bias[at % n]);
                assert!((f64::from(got) - x.clamp(0.0, 255.0)).abs() <= 0.5001, "{isa}: {got}, want {x}");
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_threads_or_on_rows_beside_it() {
    let (k, n) = (70, 90);
    let mut r = Seeded(3);
    let (x, w) = (r.many(33 * k), r.many(n * k));
    let (arena, layer) = packed::<F32>(&w, n, k);
    let run = |isa, pool: &Pool, from: usize, rows: usize| {
        let mut y = vec![0.0; rows * n];
        let input = Rows::new(&x[from * k..], rows, k);
        matmul(
            isa,
            pool,
            arena.weights(&layer),
            input,
            RowsMut::new(&mut y, rows, n),
            &Finish::<Plain, _>::default(),
        );
        y
    };
    let (one, three) = (Pool::new(1), Pool::new(3));
    for isa in Isa::available() {
        let all = run(isa, &one, 0, 33);
        for rows in 1..=33 {
            assert_eq!(run(isa, &three, 33 - rows, rows), all[(33 - rows) * n..], "{isa} {rows} rows");
        }
    }
}

#[test]
#[should_panic(expected = "every row of the input is there")]
fn lengths_are_checked() {
    let (arena, layer) = packed::<F32>(&[1.0; 6], 2, 3);
    let mut y = [0.0; 4];
    let (from, to) = (Rows::new(&[1.0; 5], 2, 3), RowsMut::new(&mut y, 2, 2));
    matmul(Isa::best(), &Pool::new(1), arena.weights(&layer), from, to, &Finish::<Plain, _>::default());
}
