//! Inner products of queries with the rows of a matrix.
//!
//! A row's product is summed in one fixed order per instruction set, whatever rows and queries stand beside it:
//! a filtered, split, batched or repeated scan gives bit-equal scores.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

use crate::Isa;
use crate::isa::Level;

/// `[d] · [n, d] → [n]`, rows one behind the other; for unit vectors ≤ 2e-6 from the scalar twin.
///
/// # Panics
/// If `query` is empty or `rows` does not hold `out.len()` rows of its length.
pub fn dots(isa: Isa, query: &[f32], rows: &[f32], out: &mut [f32]) {
    dots_many(isa, query.len(), query, rows, out);
}

/// `[q, d] · [n, d] → [q, n]`, all row-major; each product equals that of [`dots`].
///
/// Rows are read once for all queries: meant for blocks of some dozens, which stay in the cache.
///
/// # Panics
/// If `dim` is 0, or a length is no multiple of it, or `out` does not hold `q * n`.
pub fn dots_many(isa: Isa, dim: usize, queries: &[f32], rows: &[f32], out: &mut [f32]) {
    assert!(dim > 0 && queries.len().is_multiple_of(dim) && rows.len().is_multiple_of(dim), "whole rows");
    assert_eq!(out.len(), (queries.len() / dim) * (rows.len() / dim), "one product per query and row");
    match isa.level() {
        Level::Scalar => scalar::dots_many(dim, queries, rows, out),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a value of `Isa` at this level exists only where AVX2 and FMA were detected.
        Level::Avx2 => unsafe { avx2::dots_many(dim, queries, rows, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a value of `Isa` at this level exists only where AVX-512F was detected.
        Level::Avx512 => unsafe { avx512::dots_many(dim, queries, rows, out) },
    }
}

/// The driver that every level shares: tiles of `Q` queries by `R` rows, the edges by smaller tiles. One query goes
/// row by row: four rows at once are four streams of memory, which is slower (bench scan).
/// A macro and not a function, since a function would lose the caller's target features.
macro_rules! tiled {
    ($tile:ident, $q:literal x $r:literal, $dim:ident, $queries:ident, $rows:ident, $out:ident) => {{
        let (m, n) = ($queries.len() / $dim, $rows.len() / $dim);
        let query = |j: usize| &$queries[j * $dim..(j + 1) * $dim];
        let row = |i: usize| &$rows[i * $dim..(i + 1) * $dim];
        let mut i = 0;
        while m > 1 && i + $r <= n {
            let rows: [&[f32]; $r] = std::array::from_fn(|r| row(i + r));
            let mut j = 0;
            while j + $q <= m {
                let queries: [&[f32]; $q] = std::array::from_fn(|q| query(j + q));
                for (q, products) in $tile(queries, rows).iter().enumerate() {
                    $out[(j + q) * n + i..][..$r].copy_from_slice(products);
                }
                j += $q;
            }
            while j < m {
                let [products] = $tile([query(j)], rows);
                $out[j * n + i..][..$r].copy_from_slice(&products);
                j += 1;
            }
            i += $r;
        }
        while i < n {
            for j in 0..m {
                [[$out[j * n + i]]] = $tile([query(j)], [row(i)]);
            }
            i += 1;
        }
    }};
}
use tiled;

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors, seeded.
    fn unit_rows(n: usize, d: usize, mut seed: u64) -> Vec<f32> {
        let mut rows = Vec::with_capacity(n * d);
        for _ in 0..n {
            let row: Vec<f32> = (0..d)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
                })
                .collect();
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-9);
            rows.extend(row.iter().map(|v| v / norm));
        }
        rows
    }

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    fn agree(isa: Isa, q: usize, n: usize, d: usize) {
        let (queries, rows) = (unit_rows(q, d, 3), unit_rows(n, d, 9));
        let (mut got, mut twin) = (vec![f32::NAN; q * n], vec![f32::NAN; q * n]);
        dots_many(isa, d, &queries, &rows, &mut got);
        dots_many(Isa::SCALAR, d, &queries, &rows, &mut twin);
        for (at, (&got, &twin)) in got.iter().zip(&twin).enumerate() {
            let want = exact(&queries[at / n * d..][..d], &rows[at % n * d..][..d]);
            assert!((got - twin).abs() <= 2e-6, "{isa} {q}x{n}x{d} at {at}: {got}, twin {twin}");
            assert!((f64::from(got) - want).abs() <= 2e-6, "{isa} {q}x{n}x{d} at {at}: {got}, exact {want}");
        }
    }

    #[test]
    fn every_level_agrees_with_its_scalar_twin() {
        for isa in Isa::available() {
            println!("ran {isa}");
            for d in (1..=130).chain([255, 768, 2048]) {
                for n in [0, 1, 7, 33] {
                    for q in [1, 2, 5] {
                        agree(isa, q, n, d);
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_does_not_depend_on_what_stands_beside_it() {
        for isa in Isa::available() {
            for d in [5, 64, 99, 768] {
                let (queries, rows) = (unit_rows(7, d, 1), unit_rows(11, d, 2));
                let mut all = vec![0.0; 77];
                dots_many(isa, d, &queries, &rows, &mut all);
                for (j, query) in queries.chunks(d).enumerate() {
                    for from in 0..11 {
                        let mut some = vec![0.0; 11 - from];
                        dots(isa, query, &rows[from * d..], &mut some);
                        assert_eq!(some, all[j * 11 + from..(j + 1) * 11], "{isa} d {d} from {from}");
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "one product per query and row")]
    fn sizes_are_checked() {
        dots(Isa::best(), &[1.0, 0.0], &[1.0; 6], &mut [0.0; 2]);
    }
}
