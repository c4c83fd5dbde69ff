//! Layer normalisation, row by row.

use crate::Isa;
use crate::simd::{LANES, Simd, Task, load_chunk, store_chunk};

/// Scale and shift of each component, and what is added to the variance.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// # Panics
    /// If there are not as many weights as biases, and some.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, eps: f32) -> Self {
        assert!(weight.len() == bias.len() && !bias.is_empty(), "a weight and a bias for each component");
        Self { weight, bias, eps }
    }

    pub fn weight(&self) -> &[f32] {
        &self.weight
    }
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }
    pub fn eps(&self) -> f32 {
        self.eps
    }
    /// Components of a row.
    pub fn dim(&self) -> usize {
        self.bias.len()
    }

    /// Normalises each row of `x` `[rows, dim]` in place; ≤ 3e-6 from exact for numbers of about unit size.
    ///
    /// # Panics
    /// If `x` is no whole rows.
    pub fn rows(&self, isa: Isa, x: &mut [f32]) {
        assert!(x.len().is_multiple_of(self.dim()), "whole rows");
        x.chunks_mut(self.dim()).for_each(|row| self.row(isa, row));
    }

    /// One row.
    ///
    /// # Panics
    /// If it is of another width.
    pub fn row(&self, isa: Isa, row: &mut [f32]) {
        assert_eq!(row.len(), self.dim(), "a row");
        isa.run(Row { norm: self, row });
    }
}

struct Row<'a> {
    norm: &'a LayerNorm,
    row: &'a mut [f32],
}

impl Task for Row<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { norm: LayerNorm { weight, bias, eps }, row } = self;
        let n = row.len() as f32;
        // SAFETY: the instruction set is the caller's; chunks are read and written within their lengths, which are
        // the same for weights, biases and row.
        unsafe {
            // Four sums at a time, so that one does not wait for the other.
            let (quads, rest) = row.as_chunks::<{ 4 * LANES }>();
            let mut sums = [S::splat(0.0); 4];
            for x in quads {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = S::add(*sum, S::load(x.as_ptr().add(i * LANES)));
                }
            }
            let mut sum = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
            for x in rest.chunks(LANES) {
                sum = S::add(sum, load_chunk::<S>(x, 0.0));
            }
            let mean = S::sum(sum) / n;
            let wide = S::splat(mean);
            let mut sums = [S::splat(0.0); 4];
            for x in quads {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let d = S::sub(S::load(x.as_ptr().add(i * LANES)), wide);
                    *sum = S::fma(d, d, *sum);
                }
            }
            let mut squares = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
            for x in rest.chunks(LANES) {
                let d = S::sub(load_chunk::<S>(x, mean), wide);
                squares = S::fma(d, d, squares);
            }
            let scale = S::splat(1.0 / (S::sum(squares) / n + eps).sqrt());
            for ((x, w), b) in row.chunks_mut(LANES).zip(weight.chunks(LANES)).zip(bias.chunks(LANES)) {
                let v = S::mul(S::sub(load_chunk::<S>(x, mean), wide), scale);
                store_chunk::<S>(x, S::fma(v, load_chunk::<S>(w, 0.0), load_chunk::<S>(b, 0.0)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    fn exact(norm: &LayerNorm, x: &[f32]) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (var + f64::from(norm.eps)).sqrt();
        let one = |(i, &v): (usize, &f32)| {
            (f64::from(v) - mean) * scale * f64::from(norm.weight[i]) + f64::from(norm.bias[i])
        };
        x.iter().enumerate().map(one).collect()
    }

    #[test]
    fn every_level_is_exact_for_every_width() {
        for isa in Isa::available() {
            for dim in (1..70).chain([384, 768, 1021]) {
                let norm = LayerNorm::new(numbers(dim, 1), numbers(dim, 2), 1e-5);
                let x: Vec<f32> = numbers(3 * dim, 3).iter().map(|v| v + 0.5).collect();
                let mut got = x.clone();
                norm.rows(isa, &mut got);
                for (x, got) in x.chunks(dim).zip(got.chunks(dim)) {
                    for (got, want) in got.iter().zip(exact(&norm, x)) {
                        assert!((f64::from(*got) - want).abs() <= 3e-6, "{isa} {dim}: {got} for {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_of_equal_numbers_is_its_bias() {
        for isa in Isa::available() {
            let norm = LayerNorm::new(vec![2.0; 33], numbers(33, 4), 1e-12);
            let mut x = vec![0.5; 33];
            norm.rows(isa, &mut x);
            assert_eq!(x, norm.bias, "{isa}");
        }
    }
}
