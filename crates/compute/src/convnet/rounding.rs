//! Weights as whole numbers, each rounded up or down so that products with what a layer was seen to read come out best:
//! where inputs go together, errors can cancel. Inputs are taken block by block, each block for the errors that the ones
//! before it left. Within a block numbers are rounded one after the other, the last one first, each where it is best for
//! those that are still to come: Babai's nearest plane, as in GPTQ (Frantar et al. 2023, arXiv:2210.17323) and after.

use super::calibrate::Inputs;
use super::factor::Factor;
use super::numbers::By;
use super::plan::Layer;
use crate::Buffer;
use crate::matrix::{Arena, Finish, Packed, Plain, Rows, RowsMut, add, matmul};
use crate::number::F32;

/// Inputs of a block.
const BLOCK: usize = 1024;
/// Outputs that a task settles.
const GROUP: usize = 8;
/// What distance from the exact weights costs, as if every input varied by so much of the mean more: samples are few.
const CAUTION: f32 = 0.1;
/// The same for pixels, which go together more than anything later.
const CAUTION_FIRST: f32 = 0.01;
/// The largest number of a weight.
const MOST: f32 = 127.0;

/// What a layer was seen to read, input by input.
pub(super) struct Spread<'a> {
    /// Of every input.
    pub mean: Vec<f32>,
    inputs: &'a Inputs,
    /// What an input is divided by.
    scale: Vec<f32>,
    /// Pixels seen.
    seen: usize,
    /// Where inputs stand in a row, in the order in which they are rounded: those of one channel together.
    order: Vec<usize>,
    caution: f32,
}

impl<'a> Spread<'a> {
    /// `scale`: what each of a pixel's channels is divided by. `first`: inputs are a photo's pixels.
    pub fn new(inputs: &'a Inputs, layer: &Layer, scale: &[f32], first: bool) -> Self {
        let places = layer.kernel * layer.kernel;
        let count = places * layer.from;
        let seen = inputs.0.len() / count;
        let scale: Vec<f32> = (0..count).map(|k| scale[k % scale.len()]).collect();
        let (mut mean, mut squares) = (vec![0.0f32; count], vec![0.0f32; count]);
        for pixel in inputs.0.chunks_exact(count) {
            for (((mean, square), x), scale) in mean.iter_mut().zip(&mut squares).zip(pixel).zip(&scale) {
                let x = x.get() / scale;
                *mean += x;
                *square += x * x;
            }
        }
        let pixels = seen.max(1) as f32;
        mean.iter_mut().for_each(|mean| *mean /= pixels);
        let about: f32 = mean.iter().zip(&squares).map(|(m, s)| (s - m * m * pixels).max(0.0)).sum();
        let caution = if first { CAUTION_FIRST } else { CAUTION } * about / count as f32;
        let order = (0..count).map(|k| k % places * layer.from + k / places).collect();
        Self { mean, inputs, scale, seen, order, caution: caution.max(1e-20) }
    }

    /// Inputs `at` about their means, `[at, seen]`.
    fn about_mean(&self, at: &[usize]) -> Buffer<f32> {
        let mut values = Buffer::new(at.len() * self.seen.max(1));
        for (pixel, row) in self.inputs.0.chunks_exact(self.mean.len()).enumerate() {
            for (i, &k) in at.iter().enumerate() {
                values[i * self.seen + pixel] = row[k].get() / self.scale[k] - self.mean[k];
            }
        }
        values
    }
}

/// Rounds rows of as many weights as there are inputs, between -127 and 127. The same in any number of threads.
pub(super) fn round(by: By<'_>, weights: &mut [f32], spread: &Spread<'_>) {
    let count = spread.mean.len();
    let rows = weights.len() / count;
    let seen = spread.seen.max(1);
    // Of every output: what its sum is short of, pixel by pixel.
    let mut short = Buffer::<f32>::new(rows * seen);
    for at in spread.order.chunks(BLOCK) {
        let n = at.len();
        let values = spread.about_mean(at);
        let mut arena = Arena::new(Packed::<F32>::bytes(n, 1, seen) + Packed::<F32>::bytes(seen, 1, n));
        let reading = arena.pack::<F32>(n, 1, seen, |i, pixel| values[i * seen + pixel]);
        let writing = arena.pack::<F32>(seen, 1, n, |pixel, i| values[i * seen + pixel]);

        let mut square = vec![0.0; n * n];
        let mut pull = vec![0.0; rows * n];
        for (from, to, rows) in [(&values, &mut square, n), (&short, &mut pull, rows)] {
            let (input, output) = (Rows::new(&from[..], rows, seen), RowsMut::new(&mut to[..], rows, n));
            let weights = arena.weights(&reading);
            matmul(by.isa, by.pool, weights, input, output, &Finish::<Plain, f32>::default());
        }
        (0..n).for_each(|i| square[i * n + i] += spread.caution);
        let factor = Factor::new(by.isa, &square, n);

        let mut change = vec![0.0; rows * n];
        let groups: Vec<_> = weights
            .chunks_mut(GROUP * count)
            .zip(change.chunks_mut(GROUP * n))
            .zip(pull.chunks(GROUP * n))
            .map(std::sync::Mutex::new)
            .collect();
        by.pool.run(groups.len(), |i| {
            let mut group = groups[i].lock().expect("a group has one task");
            let ((weights, change), pull) = &mut *group;
            let rows = weights.chunks_exact_mut(count).zip(change.chunks_exact_mut(n));
            for ((row, change), pull) in rows.zip(pull.chunks_exact(n)) {
                factor.nearest(by.isa, pull, |i, step| {
                    let weight = &mut row[at[i]];
                    let whole = (*weight + step).round_ties_even().clamp(-MOST, MOST);
                    // What the sums lose by it.
                    change[i] = *weight - whole;
                    *weight = whole;
                    -change[i]
                });
            }
        });
        let (input, output) = (Rows::new(&change, rows, n), RowsMut::new(&mut short[..], rows, seen));
        let finish = Finish::<Plain, f32>::default();
        add(by.isa, by.pool, arena.weights(&writing), input, output, &finish, |_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Bf16;
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
            rows.extend((0..count).map(|k| Bf16::new(60.0 + k as f32 / 5.0 + common + next())));
        }
        Inputs(rows)
    }

    fn error(inputs: &Inputs, exact: &[f32], rounded: &[f32], mean: &[f32]) -> f32 {
        let short = |x: &[Bf16]| {
            x.iter()
                .zip(mean)
                .zip(exact.iter().zip(rounded))
                .map(|((x, m), (e, r))| (x.get() - m) * (e - r))
                .sum::<f32>()
        };
        inputs.0.chunks_exact(exact.len()).map(|x| short(x).powi(2)).sum()
    }

    /// In one block and in several, of one place and of nine.
    #[test]
    fn rounding_by_what_is_read_is_better_than_to_the_nearest() {
        for (kernel, from) in [(1, 27), (1, BLOCK + 3), (3, 30)] {
            let layer = Layer { from, to: 19, kernel, stride: 1 };
            let count = from * kernel * kernel;
            let inputs = inputs(count, 2 * count);
            let weights: Vec<f32> =
                (0..count * 19).map(|i| ((i * 7919 % 2003) as f32 / 9.0) - 111.0).collect();
            let spread = Spread::new(&inputs, &layer, &vec![1.0; from], false);
            let mut first = None;
            for isa in Isa::available() {
                for pool in [Pool::new(1), Pool::new(2)] {
                    let mut rounded = weights.clone();
                    round(By { isa, pool: &pool }, &mut rounded, &spread);
                    let rows = || weights.chunks_exact(count).zip(rounded.chunks_exact(count));
                    let errors = |(exact, got): (&[f32], &[f32])| {
                        let nearest: Vec<f32> = exact.iter().map(|w| w.round()).collect();
                        [got, &nearest].map(|rounded| error(&inputs, exact, rounded, &spread.mean))
                    };
                    let [got, nearest] = rows().map(errors).fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d]);
                    assert!(got < 0.3 * nearest, "{isa} {kernel} {from}: {got}, {nearest} to the nearest");
                    for (exact, got) in weights.iter().zip(&rounded) {
                        assert!(got.fract() == 0.0 && (got - exact).abs() < 6.0, "{got} for {exact}");
                    }
                    let own = first.get_or_insert_with(|| (isa, rounded.clone()));
                    assert!(
                        own.0 != isa || own.1 == rounded,
                        "{isa} {kernel} {from}: the same in two threads"
                    );
                    *own = (isa, rounded);
                }
            }
        }
    }

    #[test]
    fn inputs_that_were_never_seen_are_rounded_to_the_nearest() {
        let layer = Layer { from: 3, to: 1, kernel: 1, stride: 1 };
        for inputs in [Inputs(vec![Bf16::new(0.0); 3 * 10]), Inputs(Vec::new())] {
            let spread = Spread::new(&inputs, &layer, &[0.5], true);
            let mut weights = vec![1.4, -7.6, 200.0];
            round(By { isa: Isa::best(), pool: &Pool::new(1) }, &mut weights, &spread);
            assert_eq!(weights, [1.0, -8.0, 127.0]);
        }
    }
}
