//! Weights as whole numbers, each rounded up or down so that products with what a layer was seen to read come out best:
//! where inputs go together, errors can cancel. Input by input the best whole number for the others as they are, some
//! times over (coordinate descent on the squared error, as GPTQ's in aim).

use super::calibrate::Inputs;
use super::numbers::By;
use crate::simd::{LANES, Simd, Task};

/// Times that every weight is looked at.
const SWEEPS: usize = 2;
/// The same for the first layer, whose inputs go together most: better by half, which no other layer is.
const SWEEPS_FIRST: usize = 10;
/// Outputs that share a reading of the inputs.
const GROUP: usize = 32;
/// Vectors that are summed side by side.
const CHAINS: usize = 4;
/// What distance from the exact weights costs, as if every input varied by so much of the mean more: samples are few.
const CAUTION: f32 = 1.0;
/// The same for pixels, which go together more than anything later.
const CAUTION_FIRST: f32 = 0.01;

/// Inputs as rounding reads them: one behind the other, each at all pixels.
pub(super) struct Spread {
    /// Of every input.
    pub mean: Vec<f32>,
    /// Pixels, and zeros up to a whole number of [`CHAINS`] vectors.
    pixels: usize,
    /// About their mean.
    values: Vec<f32>,
    /// The square of every input, summed.
    squares: Vec<f32>,
    caution: f32,
    sweeps: usize,
}

impl Spread {
    /// `scale`: what each of a pixel's inputs is divided by, over and over.
    /// `first`: inputs are a photo's pixels.
    pub fn new(inputs: &Inputs, count: usize, scale: &[f32], first: bool) -> Self {
        let seen = inputs.0.len() / count;
        let pixels = seen.max(1).next_multiple_of(CHAINS * LANES);
        let (mut mean, mut squares) = (vec![0.0; count], vec![0.0; count]);
        let mut values = vec![0.0; count * pixels];
        for (k, row) in values.chunks_exact_mut(pixels).enumerate() {
            let scale = scale[k % scale.len()];
            row.iter_mut().zip(inputs.0[k..].iter().step_by(count)).for_each(|(to, v)| *to = v / scale);
            mean[k] = row.iter().sum::<f32>() / seen.max(1) as f32;
            row[..seen].iter_mut().for_each(|v| *v -= mean[k]);
            squares[k] = row.iter().map(|v| v * v).sum();
        }
        let (caution, sweeps) = if first { (CAUTION_FIRST, SWEEPS_FIRST) } else { (CAUTION, SWEEPS) };
        let caution = caution * squares.iter().sum::<f32>() / count as f32;
        Self { mean, pixels, values, squares, caution: caution.max(1e-20), sweeps }
    }

    fn input(&self, k: usize) -> &[f32] {
        &self.values[k * self.pixels..][..self.pixels]
    }
}

/// Rounds rows of as many weights as there are inputs, between -127 and 127. The same in any number of threads.
pub(super) fn round(by: By<'_>, weights: &mut [f32], spread: &Spread) {
    let rows = spread.mean.len() * GROUP;
    let groups: Vec<_> = weights.chunks_mut(rows).map(std::sync::Mutex::new).collect();
    by.pool.run(groups.len(), |i| {
        let mut rows = groups[i].lock().expect("a group has one task");
        by.isa.run(Group { rows: &mut rows, spread });
    });
}

struct Group<'a> {
    rows: &'a mut [f32],
    spread: &'a Spread,
}

impl Task for Group<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { rows, spread } = self;
        let count = spread.mean.len();
        let exact = rows.to_vec();
        rows.iter_mut().for_each(|w| *w = w.round_ties_even().clamp(-127.0, 127.0));
        // Of every output: what its sum is short of, pixel by pixel.
        let mut short = vec![0.0; rows.len() / count * spread.pixels];
        let all = || exact.chunks_exact(count);
        for k in 0..count {
            let input = spread.input(k);
            for ((row, exact), short) in
                rows.chunks_exact(count).zip(all()).zip(short.chunks_exact_mut(spread.pixels))
            {
                // SAFETY: both are as long as the pixels, whole chains.
                unsafe { add::<S>(short, exact[k] - row[k], input) }
            }
        }
        for _ in 0..spread.sweeps {
            for k in 0..count {
                let (input, square) = (spread.input(k), spread.squares[k] + spread.caution);
                for ((row, exact), short) in
                    rows.chunks_exact_mut(count).zip(all()).zip(short.chunks_exact_mut(spread.pixels))
                {
                    // SAFETY: as above.
                    let pull = unsafe { dot::<S>(short, input) } + spread.caution * (exact[k] - row[k]);
                    let best = (row[k] + pull / square).round_ties_even().clamp(-127.0, 127.0);
                    if best != row[k] {
                        // SAFETY: as above.
                        unsafe { add::<S>(short, row[k] - best, input) }
                        row[k] = best;
                    }
                }
            }
        }
    }
}

/// # Safety
/// Both must be of one length, a multiple of [`CHAINS`] vectors; that of [`Simd`].
#[inline(always)]
unsafe fn dot<S: Simd>(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: the caller's: all vectors lie within both.
    unsafe {
        let mut sums = [S::splat(0.0); CHAINS];
        for at in (0..a.len()).step_by(CHAINS * LANES) {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = at + i * LANES;
                *sum = S::fma(S::load(a.as_ptr().add(at)), S::load(b.as_ptr().add(at)), *sum);
            }
        }
        S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
    }
}

/// `a += by · b`
///
/// # Safety
/// As [`dot`].
#[inline(always)]
unsafe fn add<S: Simd>(a: &mut [f32], by: f32, b: &[f32]) {
    // SAFETY: the caller's: all vectors lie within both.
    unsafe {
        let by = S::splat(by);
        for at in (0..a.len()).step_by(LANES) {
            let to = a.as_mut_ptr().add(at);
            S::store(to, S::fma(by, S::load(b.as_ptr().add(at)), S::load(to)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Pool};

    /// Inputs that go together, as neighbouring pixels do, about a mean of their own.
    fn inputs(count: usize, pixels: usize) -> Inputs {
        let mut seed = 7u64;
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let mut rows = Vec::new();
        for _ in 0..pixels {
            let common = next() * 40.0;
            rows.extend((0..count).map(|k| 60.0 + k as f32 + common + next() * 4.0));
        }
        Inputs(rows)
    }

    fn error(inputs: &Inputs, exact: &[f32], rounded: &[f32], mean: &[f32]) -> f32 {
        let short = |x: &[f32]| {
            x.iter().zip(mean).zip(exact).zip(rounded).map(|(((x, m), e), r)| (x - m) * (e - r)).sum::<f32>()
        };
        inputs.0.chunks_exact(exact.len()).map(|x| short(x).powi(2)).sum()
    }

    #[test]
    fn rounding_by_what_is_read_is_better_than_to_the_nearest_everywhere() {
        let (count, outputs) = (27, 19);
        let inputs = inputs(count, 50);
        let weights: Vec<f32> =
            (0..count * outputs).map(|i| ((i * 7919 % 2003) as f32 / 9.0) - 111.0).collect();
        let spread = Spread::new(&inputs, count, &[1.0], false);
        for isa in Isa::available() {
            for pool in [Pool::new(1), Pool::new(2)] {
                let mut rounded = weights.clone();
                round(By { isa, pool: &pool }, &mut rounded, &spread);
                let rows = || weights.chunks_exact(count).zip(rounded.chunks_exact(count));
                let errors = |(exact, got): (&[f32], &[f32])| {
                    let nearest: Vec<f32> = exact.iter().map(|w| w.round()).collect();
                    [got, &nearest].map(|rounded| error(&inputs, exact, rounded, &spread.mean))
                };
                assert!(rows().map(errors).all(|[got, nearest]| got <= 1.001 * nearest), "{isa}");
                let [got, nearest] = rows().map(errors).fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d]);
                assert!(got < 0.3 * nearest, "{isa}: {got}, {nearest} to the nearest");
                for (exact, got) in weights.iter().zip(&rounded) {
                    assert!(got.fract() == 0.0 && (got - exact).abs() < 4.0, "{got} for {exact}");
                }
            }
        }
    }

    #[test]
    fn inputs_that_were_never_seen_are_rounded_to_the_nearest() {
        let spread = Spread::new(&Inputs(vec![0.0; 3 * 10]), 3, &[0.5], true);
        let mut weights = vec![1.4, -7.6, 200.0];
        round(By { isa: Isa::best(), pool: &Pool::new(1) }, &mut weights, &spread);
        assert_eq!(weights, [1.0, -8.0, 127.0]);
    }
}
