//! The flat scan: exact nearest rows of a segment, on the mapping itself. Knows nothing of items or Faiss.

use std::sync::OnceLock;

use fixedbitset::FixedBitSet;
use rayon::prelude::*;
use simile_compute::scan::{dots, dots_many};
use simile_compute::{Isa, TopK};

use super::Near;
use crate::types::{Dim, Vector};

/// Rows that share a word of the bitmap.
const WORD: usize = usize::BITS as usize;
/// Floats from which a scan is worth more than one thread: 4 MB, about half a millisecond.
const SPLIT: usize = 1 << 20;
/// Floats per piece of a split scan.
const PIECE: usize = 1 << 18;
/// A word with fewer allowed rows is computed row by row, one with more as a whole.
const DENSE: u32 = 48;
/// Queries that share one pass over the rows: at 768 numbers 96 kB, well within a second-level cache.
const TOGETHER: usize = 32;

/// The `k` rows nearest to `query` among those whose bit is set in `allowed`; best first, of equal scores the lower
/// row first. `rows` is `[n, dim]`, row-major, of unit rows; bits beyond `n`, and rows beyond the bitmap, do not count.
///
/// Large scans are split over the scan threads; searches may come from many threads at once.
///
/// # Panics
/// If `query` is not of `dim` numbers, or `rows` no whole rows, or more than `u32::MAX`.
pub fn search(rows: &[f32], dim: Dim, query: &Vector, k: usize, allowed: &FixedBitSet) -> Vec<Near> {
    search_many(rows, dim, std::slice::from_ref(query), k, allowed).pop().unwrap_or_default()
}

/// [`search`] for many queries, which share the passes over the rows; equal in every bit to one at a time.
///
/// # Panics
/// As [`search`].
pub fn search_many(
    rows: &[f32],
    dim: Dim,
    queries: &[Vector],
    k: usize,
    allowed: &FixedBitSet,
) -> Vec<Vec<Near>> {
    assert!(queries.iter().all(|q| q.dim() == dim), "queries were checked against the space");
    assert!(rows.len().is_multiple_of(dim.get()), "a segment holds whole rows");
    u32::try_from(rows.len() / dim.get()).expect("a segment holds fewer than 2^32 rows");
    queries.chunks(TOGETHER).flat_map(|block| Scan::new(rows, dim, block, k, allowed).run()).collect()
}

/// Scores `candidates` (rows of the same segment) exactly and sorts them: best first, ties by row.
/// Each score equals that of [`search`] in every bit.
///
/// # Panics
/// As [`search`], or if a candidate is no row.
pub fn rescore(
    rows: &[f32],
    dim: Dim,
    query: &Vector,
    candidates: impl IntoIterator<Item = u32>,
) -> Vec<Near> {
    assert_eq!(query.dim(), dim, "queries were checked against the space");
    let isa = Isa::current();
    let mut best = TopK::new(usize::MAX);
    for row in candidates {
        best.push(row, one(isa, query.as_slice(), rows, row as usize));
    }
    sorted(best)
}

/// Threads that one large scan is split over.
pub fn threads() -> usize {
    pool().map_or(1, rayon::ThreadPool::current_num_threads)
}

fn one(isa: Isa, query: &[f32], rows: &[f32], row: usize) -> f32 {
    let mut score = [0.0];
    dots(isa, query, &rows[row * query.len()..][..query.len()], &mut score);
    score[0]
}

fn sorted(best: TopK) -> Vec<Near> {
    best.into_sorted().into_iter().map(Near::from).collect()
}

/// One pass over the rows for a block of queries.
struct Scan<'a> {
    isa: Isa,
    rows: &'a [f32],
    dim: usize,
    /// `[q, dim]`
    queries: Vec<f32>,
    k: usize,
    allowed: &'a FixedBitSet,
    /// Rows that can be found: those that exist and have a bit.
    end: usize,
}

impl<'a> Scan<'a> {
    fn new(rows: &'a [f32], dim: Dim, queries: &[Vector], k: usize, allowed: &'a FixedBitSet) -> Self {
        let dim = dim.get();
        let end = (rows.len() / dim).min(allowed.len());
        let queries = queries.iter().flat_map(|q| q.as_slice()).copied().collect();
        Self { isa: Isa::current(), rows, dim, queries, k, allowed, end }
    }

    fn run(&self) -> Vec<Vec<Near>> {
        let words = self.end.div_ceil(WORD);
        let count = self.allowed.count_ones(..self.end);
        let bests = match pool() {
            _ if count == 0 || self.k == 0 => self.start(),
            Some(pool) if count * self.dim >= SPLIT => {
                // Pieces by allowed rows: a filter may leave few in each word.
                let per_word = (count * self.dim / words).max(1);
                let piece = (PIECE / per_word).max(1);
                pool.install(|| {
                    (0..words.div_ceil(piece))
                        .into_par_iter()
                        .fold(
                            || self.start(),
                            |bests, at| self.words(bests, at * piece, words.min((at + 1) * piece)),
                        )
                        .reduce(
                            || self.start(),
                            |a, b| a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect(),
                        )
                })
            }
            _ => self.words(self.start(), 0, words),
        };
        bests.into_iter().map(sorted).collect()
    }

    fn start(&self) -> Vec<TopK> {
        vec![TopK::new(self.k); self.queries.len() / self.dim]
    }

    /// Offers the allowed rows of the words `from..to`.
    fn words(&self, mut bests: Vec<TopK>, from: usize, to: usize) -> Vec<TopK> {
        let mut scores = vec![0.0; bests.len() * WORD];
        for word in from..to {
            let first = word * WORD;
            let here = (self.end - first).min(WORD);
            let bits = self.allowed.as_slice()[word] & (usize::MAX >> (WORD - here));
            if bits.count_ones() >= DENSE.min(here as u32) {
                let scores = &mut scores[..bests.len() * here];
                let rows = &self.rows[first * self.dim..][..here * self.dim];
                dots_many(self.isa, self.dim, &self.queries, rows, scores);
                for (best, scores) in bests.iter_mut().zip(scores.chunks(here)) {
                    offer(best, first, scores, bits);
                }
            } else {
                self.single(&mut bests, first, bits);
            }
        }
        bests
    }

    /// Offers the rows of one word one by one.
    fn single(&self, bests: &mut [TopK], first: usize, mut bits: usize) {
        while bits != 0 {
            let row = first + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            for (best, query) in bests.iter_mut().zip(self.queries.chunks(self.dim)) {
                best.push(row as u32, one(self.isa, query, self.rows, row));
            }
        }
    }
}

fn offer(best: &mut TopK, first: usize, scores: &[f32], bits: usize) {
    if bits.count_ones() as usize == scores.len() {
        return best.offer(first as u32, scores);
    }
    for (at, &score) in scores.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1) {
        best.push((first + at) as u32, score);
    }
}

/// The scan's own threads, so that a long import on other pools never delays a search; `None` (one core, or no
/// thread to be had): scans run where they are called.
fn pool() -> Option<&'static rayon::ThreadPool> {
    static POOL: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    POOL.get_or_init(|| {
        // One for each core, or as many as SIMILE_THREADS says.
        let cores = rayon::current_num_threads();
        let builder = rayon::ThreadPoolBuilder::new().num_threads(cores).thread_name(|i| format!("scan-{i}"));
        (cores > 1).then(|| builder.build().ok()).flatten()
    })
    .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing::{Rng, clustered};
    use crate::types::Score;

    fn dim(n: usize) -> Dim {
        Dim::new(n).unwrap()
    }

    fn all(n: usize) -> FixedBitSet {
        let mut bits = FixedBitSet::with_capacity(n);
        bits.insert_range(..);
        bits
    }

    /// Three plain loops.
    fn naive(rows: &[f32], query: &Vector, k: usize, allowed: &FixedBitSet) -> Vec<Near> {
        let d = query.dim().get();
        let mut near: Vec<(u32, f64)> = rows
            .chunks(d)
            .enumerate()
            .filter(|(row, _)| allowed.contains(*row))
            .map(|(row, v)| {
                (row as u32, v.iter().zip(query.as_slice()).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum())
            })
            .collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(k);
        near.into_iter().map(|(row, score)| Near { row, score: Score(score as f32) }).collect()
    }

    fn same(got: &[Near], want: &[Near], what: &str) {
        assert_eq!(got.len(), want.len(), "{what}");
        for (got, want) in got.iter().zip(want) {
            assert!((got.score.0 - want.score.0).abs() <= 2e-6, "{what}: {got:?}, not {want:?}");
        }
        assert!(
            got.is_sorted_by(|a, b| (b.score, a.row) < (a.score, b.row)),
            "{what}: best first, ties by row"
        );
    }

    #[test]
    fn the_nearest_allowed_rows_come_best_first() {
        let mut rng = Rng(7);
        // The last two are large enough to be split over threads.
        for (n, d) in [(0, 3), (1, 1), (63, 5), (64, 16), (65, 33), (1000, 48), (9000, 128), (700, 2048)] {
            let rows = clustered(n, d, 20, &mut rng);
            let query = rng.vector(dim(d));
            for percent in [0, 1, 50, 90, 100] {
                let mut allowed = all(n);
                (0..n).for_each(|i| allowed.set(i, rng.below(100) < percent));
                for k in [0, 1, 10, n + 5] {
                    let got = search(&rows, dim(d), &query, k, &allowed);
                    same(&got, &naive(&rows, &query, k, &allowed), &format!("{n}x{d} {percent}% k {k}"));
                    assert!(got.iter().all(|near| allowed.contains(near.row as usize)));
                }
            }
        }
    }

    #[test]
    fn equal_rows_come_in_order_of_row_however_the_scan_is_split() {
        let row = Rng(1).vector(dim(256)).into_inner();
        let rows = row.repeat(8000);
        let query = Vector::unit(row, dim(256)).unwrap();
        for _ in 0..5 {
            let got = search(&rows, dim(256), &query, 300, &all(8000));
            assert_eq!(got.iter().map(|n| n.row).collect::<Vec<_>>(), (0..300).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bits_beyond_the_rows_and_rows_beyond_the_bits_do_not_count() {
        let mut rng = Rng(3);
        let rows = clustered(100, 8, 5, &mut rng);
        let query = rng.vector(dim(8));
        assert_eq!(search(&rows, dim(8), &query, 1000, &all(5000)).len(), 100);
        assert_eq!(search(&rows, dim(8), &query, 1000, &all(70)).len(), 70);
        assert_eq!(search(&rows, dim(8), &query, 1000, &FixedBitSet::new()).len(), 0);
    }

    #[test]
    fn a_row_of_nan_is_never_found_and_disturbs_nothing() {
        let mut rng = Rng(4);
        let mut rows = clustered(200, 8, 5, &mut rng);
        rows[80..88].fill(f32::NAN);
        rows[160] = f32::NAN;
        let query = rng.vector(dim(8));
        let got = search(&rows, dim(8), &query, 200, &all(200));
        assert_eq!(got.len(), 198);
        assert!(got.iter().all(|n| n.row != 10 && n.row != 20));
        assert!(got.is_sorted_by(|a, b| a.score >= b.score));
    }

    #[test]
    fn many_queries_alone_filtered_or_rescored_give_equal_bits() {
        let mut rng = Rng(5);
        let (n, d) = (3000, 99);
        let rows = clustered(n, d, 30, &mut rng);
        let queries: Vec<Vector> = (0..70).map(|_| rng.vector(dim(d))).collect();
        let mut some = all(n);
        (0..n).for_each(|i| some.set(i, rng.below(3) == 0));
        for allowed in [all(n), some] {
            let together = search_many(&rows, dim(d), &queries, 12, &allowed);
            for (query, got) in queries.iter().zip(together) {
                assert_eq!(got, search(&rows, dim(d), query, 12, &allowed));
                let mut shuffled: Vec<u32> = got.iter().map(|n| n.row).collect();
                shuffled.reverse();
                assert_eq!(got, rescore(&rows, dim(d), query, shuffled));
            }
        }
    }

    #[test]
    fn searches_may_come_from_many_threads() {
        let mut rng = Rng(6);
        let rows = clustered(9000, 128, 30, &mut rng);
        let query = rng.vector(dim(128));
        let want = search(&rows, dim(128), &query, 10, &all(9000));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        assert_eq!(search(&rows, dim(128), &query, 10, &all(9000)), want);
                    }
                });
            }
        });
    }
}
