//! Layer normalisation, row by row.

use crate::Isa;
use crate::quantise::{Lanes, Spread};
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
        self.some::<1, false>(isa, [row]);
    }

    /// `R` rows, of which none waits for the other; gives what quantising wants to know of each, if `MEASURE`. A row's
    /// numbers are the same whatever rows are beside it.
    ///
    /// # Panics
    /// If one is of another width.
    pub(crate) fn some<const R: usize, const MEASURE: bool>(
        &self,
        isa: Isa,
        rows: [&mut [f32]; R],
    ) -> [Spread; R] {
        assert!(rows.iter().all(|row| row.len() == self.dim()), "rows");
        isa.run(Some::<R, MEASURE> { norm: self, rows: rows.map(|row| row.as_mut_ptr()) })
    }
}

struct Some<'a, const R: usize, const MEASURE: bool> {
    norm: &'a LayerNorm,
    /// Of the norm's width.
    rows: [*mut f32; R],
}

impl<const R: usize, const MEASURE: bool> Task for Some<'_, R, MEASURE> {
    type Output = [Spread; R];
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> [Spread; R] {
        let Self { norm, rows } = self;
        // SAFETY: the caller's rows, of this width.
        unsafe {
            if S::WIDE {
                return normalise::<S, R, MEASURE>(norm, rows);
            }
            let mut out = [Spread::default(); R];
            for (out, row) in out.iter_mut().zip(rows) {
                [*out] = normalise::<S, 1, MEASURE>(norm, [row]);
            }
            out
        }
    }
}

/// Vectors of a row at a time, so that one does not wait for the other.
const QUAD: usize = 4;

/// # Safety
/// Rows must be the caller's to write, and have the norm's width; instructions as in [`Simd`].
#[inline(always)]
unsafe fn normalise<S: Simd, const R: usize, const MEASURE: bool>(
    norm: &LayerNorm,
    rows: [*mut f32; R],
) -> [Spread; R] {
    let LayerNorm { weight, bias, eps } = norm;
    let n = bias.len();
    let quads = n - n % (QUAD * LANES);
    // SAFETY: the caller's; whole vectors are within `quads`, the others are read and written up to the row's end.
    unsafe {
        let part = |row: *mut f32, at: usize| std::slice::from_raw_parts(row.add(at), (n - at).min(LANES));
        let mut sums = [[S::splat(0.0); QUAD]; R];
        for at in (0..quads).step_by(QUAD * LANES) {
            for (sums, row) in sums.iter_mut().zip(rows) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = S::add(*sum, S::load(row.add(at + i * LANES)));
                }
            }
        }
        let mut means = [0.0; R];
        for ((mean, sums), row) in means.iter_mut().zip(sums).zip(rows) {
            let mut sum = fold::<S>(sums);
            for at in (quads..n).step_by(LANES) {
                sum = S::add(sum, load_chunk::<S>(part(row, at), 0.0));
            }
            *mean = S::sum(sum) / n as f32;
        }
        let mut squares = [[S::splat(0.0); QUAD]; R];
        for at in (0..quads).step_by(QUAD * LANES) {
            for ((squares, row), mean) in squares.iter_mut().zip(rows).zip(means) {
                for (i, square) in squares.iter_mut().enumerate() {
                    let d = S::sub(S::load(row.add(at + i * LANES)), S::splat(mean));
                    *square = S::fma(d, d, *square);
                }
            }
        }
        let mut scales = [0.0; R];
        for (((scale, squares), row), mean) in scales.iter_mut().zip(squares).zip(rows).zip(means) {
            let mut square = fold::<S>(squares);
            for at in (quads..n).step_by(LANES) {
                let d = S::sub(load_chunk::<S>(part(row, at), mean), S::splat(mean));
                square = S::fma(d, d, square);
            }
            *scale = 1.0 / (S::sum(square) / n as f32 + eps).sqrt();
        }
        let mut spreads = [Lanes::<S>::new(); R];
        for at in (0..quads).step_by(QUAD * LANES) {
            for r in 0..R {
                let (mean, scale) = (S::splat(means[r]), S::splat(scales[r]));
                for i in 0..QUAD {
                    let at = at + i * LANES;
                    let v = S::mul(S::sub(S::load(rows[r].add(at)), mean), scale);
                    let v = S::fma(v, S::load(weight.as_ptr().add(at)), S::load(bias.as_ptr().add(at)));
                    S::store(rows[r].add(at), v);
                    if MEASURE {
                        spreads[r].take(i, v);
                    }
                }
            }
        }
        let mut out = [Spread::default(); R];
        for r in 0..R {
            for at in (quads..n).step_by(LANES) {
                let x = std::slice::from_raw_parts_mut(rows[r].add(at), (n - at).min(LANES));
                let (mean, scale) = (S::splat(means[r]), S::splat(scales[r]));
                let v = S::mul(S::sub(load_chunk::<S>(x, means[r]), mean), scale);
                let end = at + x.len();
                let (w, b) = (load_chunk::<S>(&weight[at..end], 0.0), load_chunk::<S>(&bias[at..end], 0.0));
                let v = S::fma(v, w, b);
                store_chunk::<S>(x, v);
                if MEASURE {
                    spreads[r].take(0, v);
                }
            }
            if MEASURE {
                out[r] = spreads[r].spread();
            }
        }
        out
    }
}

/// # Safety
/// That of [`Simd`].
#[inline(always)]
unsafe fn fold<S: Simd>([a, b, c, d]: [S::F; QUAD]) -> S::F {
    // SAFETY: the caller's.
    unsafe { S::add(S::add(a, b), S::add(c, d)) }
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
    fn a_row_is_the_same_whatever_is_beside_it_and_is_measured() {
        for isa in Isa::available() {
            for dim in [1, 17, 64, 100, 384] {
                let norm = LayerNorm::new(numbers(dim, 1), numbers(dim, 2), 1e-5);
                let x = [numbers(dim, 3), numbers(dim, 4)];
                let mut one = x.clone();
                one.iter_mut().for_each(|row| norm.row(isa, row));
                let mut two = x;
                let [a, b] = &mut two;
                let spreads = norm.some::<2, true>(isa, [a, b]);
                assert_eq!(one, two, "{isa} {dim}");
                for (row, spread) in two.iter().zip(spreads) {
                    assert_eq!(spread, Spread::of(isa, row), "{isa} {dim}");
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
