//! What this machine can do at most: arithmetic, reading, and the way from core to core. Times of kernels are shares of it.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering::*};
use std::time::Instant;

use crate::matrix;
use crate::simd::{LANES, Simd, Task};
use crate::transformer::Arithmetic;
use crate::{Buffer, Isa, Pool};

/// Sums at once, more than any processor's latency times its units.
const CHAINS: usize = 20;
/// Steps of one turn, about 2 to 20 ms.
const STEPS: usize = 400_000;
/// Turns, of which the fastest counts.
const TURNS: usize = 9;
/// Bytes that one turn of reading goes through at least.
const READ: usize = 256 << 20;

/// Operations a second (a multiply-add is two) of products in these numbers, all threads of `pool` together. `None` where
/// this instruction set has no such product.
pub fn arithmetic(isa: Isa, pool: &Pool, numbers: Arithmetic) -> Option<f64> {
    let (lanes, there) = match numbers {
        Arithmetic::F32 => (LANES, true),
        Arithmetic::Bf16 => (2 * LANES, isa.has_bf16()),
        Arithmetic::Int8 => (4 * LANES, isa.has_int8()),
    };
    let work = || match numbers {
        Arithmetic::F32 => isa.run(Chains),
        Arithmetic::Bf16 | Arithmetic::Int8 => matrix::chains::<CHAINS>(isa, numbers, STEPS),
    };
    let operations = 2 * lanes * CHAINS * STEPS * pool.threads();
    there.then(|| operations as f64 / best(pool, |_| work()))
}

/// Bytes a second that all threads of `pool` read together, each from `bytes` of its own, again and again.
pub fn reading(isa: Isa, pool: &Pool, bytes: usize) -> f64 {
    let count = (bytes / size_of::<f32>()).next_multiple_of(Read::STRIDE);
    let own: Vec<Buffer<f32>> = (0..pool.threads()).map(|_| Buffer::new(count)).collect();
    let times = (READ / pool.threads()).div_ceil(bytes);
    let read = |thread: usize| {
        for _ in 0..times {
            isa.run(Read(&own[thread]));
        }
    };
    (count * size_of::<f32>() * times * pool.threads()) as f64 / best(pool, read)
}

/// Seconds for a cache line to go from one core to another.
pub fn hop() -> f64 {
    const THERE_AND_BACK: u32 = 50_000;
    let line = AtomicU32::new(0);
    let play = |first: u32| {
        for turn in 0..THERE_AND_BACK {
            let mut looks = 0u32;
            while line.load(Acquire) != 2 * turn + first {
                looks += 1;
                // Where there is but one core, the other side needs it.
                if looks.is_multiple_of(4096) { std::thread::yield_now() } else { std::hint::spin_loop() }
            }
            line.store(2 * turn + first + 1, Release);
        }
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    start.elapsed().as_secs_f64() / f64::from(2 * THERE_AND_BACK)
}

/// Seconds of the fastest turn in which every thread does `work` once.
fn best(pool: &Pool, work: impl Fn(usize) + Sync) -> f64 {
    let turn = |_| {
        let start = Instant::now();
        pool.run(pool.threads(), &work);
        start.elapsed().as_secs_f64()
    };
    (0..TURNS).map(turn).fold(f64::INFINITY, f64::min)
}

/// Multiply-adds in f32 that do not wait for one another.
struct Chains;

impl Task for Chains {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the instruction set is there; nothing is read or written.
        unsafe {
            let (x, y) = (S::splat(black_box(0.999)), S::splat(black_box(1e-3)));
            let mut sums = [S::splat(1.0); CHAINS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = S::fma(*sum, x, y);
                }
            }
            let total = sums.into_iter().fold(S::splat(0.0), |a, b| S::add(a, b));
            black_box(S::sum(total));
        }
    }
}

/// Reads all of it once.
struct Read<'a>(&'a [f32]);

impl Read<'_> {
    const AT_ONCE: usize = 8;
    const STRIDE: usize = Self::AT_ONCE * LANES;
}

impl Task for Read<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the instruction set is there; each chunk has STRIDE numbers.
        unsafe {
            let mut sums = [S::splat(0.0); Self::AT_ONCE];
            for chunk in self.0.chunks_exact(Self::STRIDE) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = S::max(*sum, S::load(chunk.as_ptr().add(i * LANES)));
                }
            }
            let total = sums.into_iter().fold(S::splat(0.0), |a, b| S::add(a, b));
            black_box(S::sum(total));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_numbers_are_at_least_as_fast() {
        let pool = Pool::new(1);
        let peak = |numbers| arithmetic(Isa::best(), &pool, numbers);
        let single = peak(Arithmetic::F32).unwrap();
        assert!(single > 1e8, "{single}");
        for numbers in [Arithmetic::Bf16, Arithmetic::Int8] {
            assert!(peak(numbers).is_none_or(|peak| peak > single / 2.0), "{numbers:?}");
        }
        assert_eq!(arithmetic(Isa::SCALAR, &pool, Arithmetic::Int8), None);
    }

    #[test]
    fn reading_and_the_way_between_cores_take_time() {
        assert!(reading(Isa::best(), &Pool::new(2), 1 << 16) > 1e8);
        assert!(hop() > 0.0);
    }
}
