//! Token vectors become one.

use crate::Isa;
use crate::matrix::Rows;
use crate::simd::{LANES, Simd, Task, load_chunk, store_chunk};

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's.
    First,
    Mean,
    /// The largest of each component.
    Max,
}

/// `[tokens, out.len()]` → one vector.
///
/// # Panics
/// If `x` has no row, or not all that it says.
pub fn pool(isa: Isa, pooling: Pooling, x: Rows<'_, f32>, out: &mut [f32]) {
    let Rows { data, rows, stride } = x;
    out.copy_from_slice(&data[..out.len()]);
    if pooling == Pooling::First {
        return;
    }
    for i in 1..rows {
        let row = &data[i * stride..][..out.len()];
        isa.run(Fold { row, out: &mut *out, max: pooling == Pooling::Max });
    }
    if pooling == Pooling::Mean {
        out.iter_mut().for_each(|v| *v /= rows as f32);
    }
}

struct Fold<'a> {
    row: &'a [f32],
    out: &'a mut [f32],
    max: bool,
}

impl Task for Fold<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { row, out, max } = self;
        for (out, row) in out.chunks_mut(LANES).zip(row.chunks(LANES)) {
            // SAFETY: the instruction set is the caller's; chunks are read and written within their lengths.
            unsafe {
                let (a, b) = (load_chunk::<S>(out, 0.0), load_chunk::<S>(row, 0.0));
                store_chunk::<S>(out, if max { S::max(a, b) } else { S::add(a, b) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    #[test]
    fn every_level_pools_every_shape() {
        for isa in Isa::available() {
            for (tokens, dim, stride) in
                [(1, 1, 1), (1, 40, 40), (2, 7, 9), (33, 16, 16), (512, 19, 32), (5, 384, 400)]
            {
                let x = numbers(tokens * stride, 6);
                let column = |j: usize| x.iter().skip(j).step_by(stride).copied();
                for pooling in [Pooling::First, Pooling::Mean, Pooling::Max] {
                    let mut got = vec![f32::NAN; dim];
                    pool(isa, pooling, Rows::new(&x, tokens, stride), &mut got);
                    for (j, got) in got.into_iter().enumerate() {
                        let want = match pooling {
                            Pooling::First => f64::from(x[j]),
                            Pooling::Mean => column(j).map(f64::from).sum::<f64>() / tokens as f64,
                            Pooling::Max => column(j).map(f64::from).fold(f64::NEG_INFINITY, f64::max),
                        };
                        assert!((f64::from(got) - want).abs() <= 1e-6, "{isa} {tokens}x{dim} {pooling:?}");
                    }
                }
            }
        }
    }
}
