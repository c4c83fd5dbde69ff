//! Cholesky's factor of a small matrix, and steps of whole numbers under its norm.

use crate::Isa;
use crate::simd::{LANES, Simd, Task};

/// Vectors that are summed side by side.
const CHAINS: usize = 4;
/// Numbers of a chunk that sums are made of.
const CHUNK: usize = CHAINS * LANES;

/// `L · Lᵀ` of a symmetric, positive matrix.
pub(super) struct Factor {
    size: usize,
    /// From one row to the next: whole chunks.
    stride: usize,
    /// L, row by row, zeros right of the diagonal.
    lower: Vec<f32>,
    /// Its transpose.
    upper: Vec<f32>,
}

impl Factor {
    /// Of a symmetric, positive matrix of `size` rows.
    pub fn new(isa: Isa, matrix: &[f32], size: usize) -> Self {
        let stride = size.next_multiple_of(CHUNK);
        let mut lower = vec![0.0f32; size * stride];
        for i in 0..size {
            let (done, row) = lower.split_at_mut(i * stride);
            for j in 0..i {
                let above = &done[j * stride..][..stride];
                // Right of j this row is zero as yet.
                let sum = matrix[i * size + j] - dot(isa, &row[..stride], above, (0, j));
                row[j] = sum / above[j];
            }
            let sum = matrix[i * size + i] - dot(isa, &row[..stride], &row[..stride], (0, i));
            // What rounding made less than nothing is next to nothing.
            row[i] = sum.max(1e-6 * matrix[i * size + i]).max(1e-30).sqrt();
        }
        let mut upper = vec![0.0; size * stride];
        for i in 0..size {
            (0..=i).for_each(|j| upper[j * stride + i] = lower[i * stride + j]);
        }
        Self { size, stride, lower, upper }
    }

    /// Steps x of which `x · A · x / 2 - pull · x` is as small as can be where `take` is told, from the last one to the first,
    /// which step would be best after those that were taken, and says which it takes.
    pub fn nearest(&self, isa: Isa, pull: &[f32], mut take: impl FnMut(usize, f32) -> f32) {
        let mut best = vec![0.0; self.stride];
        for i in 0..self.size {
            let row = &self.lower[i * self.stride..][..self.stride];
            best[i] = (pull[i] - dot(isa, row, &best, (0, i))) / row[i];
        }
        let mut taken = vec![0.0; self.stride];
        for i in (0..self.size).rev() {
            let row = &self.upper[i * self.stride..][..self.stride];
            let step = (best[i] - dot(isa, row, &taken, (i, self.stride))) / row[i];
            taken[i] = take(i, step);
        }
    }
}

/// Of the chunks in which numbers `from..to` lie; the others beside them there must be zero in one of the two.
fn dot(isa: Isa, a: &[f32], b: &[f32], (from, to): (usize, usize)) -> f32 {
    let chunks = from / CHUNK * CHUNK..to.next_multiple_of(CHUNK);
    isa.run(Dot { a: &a[chunks.clone()], b: &b[chunks] })
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Task for Dot<'_> {
    type Output = f32;
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        assert_eq!(self.a.len(), self.b.len(), "two of one length");
        // SAFETY: whole chunks of both.
        unsafe {
            let mut sums = [S::splat(0.0); CHAINS];
            for at in (0..self.a.len() / CHUNK * CHUNK).step_by(CHUNK) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let at = at + i * LANES;
                    *sum = S::fma(S::load(self.a.as_ptr().add(at)), S::load(self.b.as_ptr().add(at)), *sum);
                }
            }
            S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of random rows.
    fn matrix(size: usize) -> Vec<f32> {
        let row =
            |i: usize| (0..size + 5).map(move |j| ((i * 7919 + j * 104_729) % 2003) as f32 / 1000.0 - 1.0);
        let dot = |i: usize| row(i / size).zip(row(i % size)).map(|(a, b)| a * b).sum::<f32>();
        (0..size * size).map(|i| dot(i) + if i / size == i % size { 1.0 } else { 0.0 }).collect()
    }

    #[test]
    fn its_square_is_the_matrix_at_every_level() {
        for isa in Isa::available() {
            for size in [1, 3, 64, 65, 128] {
                let (matrix, stride) = (matrix(size), size.next_multiple_of(CHUNK));
                let factor = Factor::new(isa, &matrix, size);
                let row = |i: usize| &factor.lower[i * stride..][..stride];
                for (i, want) in matrix.iter().enumerate() {
                    let got: f32 = row(i / size).iter().zip(row(i % size)).map(|(a, b)| a * b).sum();
                    assert!((got - want).abs() < 1e-3 * size as f32, "{isa} {size}: {got}, {want}");
                }
            }
        }
    }

    #[test]
    fn steps_that_are_taken_as_they_are_told_solve_the_equations() {
        for isa in Isa::available() {
            for size in [1, 3, 64, 65, 128] {
                let (matrix, mut steps) = (matrix(size), vec![0.0; size]);
                let pull: Vec<f32> = (0..size).map(|i| (i % 7) as f32 - 3.0).collect();
                let factor = Factor::new(isa, &matrix, size);
                factor.nearest(isa, &pull, |i, step| {
                    steps[i] = step;
                    step
                });
                for (row, want) in matrix.chunks_exact(size).zip(&pull) {
                    let got: f32 = row.iter().zip(&steps).map(|(a, b)| a * b).sum();
                    assert!((got - want).abs() < 0.02, "{isa} {size}: {got}, {want}");
                }
            }
        }
    }

    /// Where one is taken otherwise than told, those after it make up for it.
    #[test]
    fn later_steps_make_up_for_earlier_ones() {
        let (matrix, mut told) = ([2.0, 1.0, 1.0, 1.0], Vec::new());
        // x·A·x/2 - 3a - 2b is least at a = b = 1; where b is 2, at a = 1/2.
        Factor::new(Isa::best(), &matrix, 2).nearest(Isa::best(), &[3.0, 2.0], |_, step| {
            told.push(step);
            if told.len() == 1 { 2.0 } else { step }
        });
        assert!((told[0] - 1.0).abs() < 1e-5 && (told[1] - 0.5).abs() < 1e-5, "{told:?}");
    }
}
