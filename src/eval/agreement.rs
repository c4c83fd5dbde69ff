//! How far an encoder that computes in other numbers agrees with itself in f32. Knows no file.

use serde::Serialize;

use super::cosine;
use super::metrics::mean;
use crate::types::Vector;

/// Hits of a ranking that are compared.
pub const FIRST: usize = 10;

/// What one encoder made of a set: its figures and what they came from.
pub struct Seen<R> {
    pub report: R,
    /// Of everything encoded, in one order for every encoder.
    pub(super) vectors: Vec<Vector>,
    /// The [`FIRST`] hits of each query; none where nothing is ranked.
    pub(super) rankings: Vec<Vec<usize>>,
}

/// Vectors and rankings beside those in f32.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    pub lowest_cosine: f64,
    pub mean_cosine: f64,
    /// Share of the first ten hits that are among the first ten in f32; `None` where nothing is ranked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_at_10: Option<f64>,
}

impl<R> Seen<R> {
    /// How far this agrees with what the same encoder made of the same set in f32. `None` of an empty set.
    pub fn with(&self, exact: &Self) -> Option<Agreement> {
        let pairs = || self.vectors.iter().zip(&exact.vectors);
        let cosines = || pairs().map(|(a, b)| f64::from(cosine(a, b)).min(1.0));
        let recall = |(got, want): (&Vec<usize>, &Vec<usize>)| {
            got.iter().filter(|hit| want.contains(hit)).count() as f64 / want.len().max(1) as f64
        };
        Some(Agreement {
            lowest_cosine: cosines().reduce(f64::min)?,
            mean_cosine: mean(cosines())?,
            recall_at_10: mean(self.rankings.iter().zip(&exact.rankings).map(recall)),
        })
    }
}

/// The first hits, best score first; of equal scores the earlier one comes first, as in a search.
pub(super) fn first(scores: impl Iterator<Item = (usize, f32)>) -> Vec<usize> {
    let mut ranked: Vec<(usize, f32)> = scores.collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.into_iter().take(FIRST).map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Dim;

    fn seen(angles: &[f32], rankings: &[&[usize]]) -> Seen<()> {
        let vector = |a: &f32| Vector::unit(vec![a.cos(), a.sin()], Dim::new(2).unwrap()).unwrap();
        let vectors = angles.iter().map(vector).collect();
        Seen { report: (), vectors, rankings: rankings.iter().map(|r| r.to_vec()).collect() }
    }

    #[test]
    fn agreement_is_the_worst_vector_and_the_hits_in_common() {
        let exact = seen(&[0.0, 1.0], &[&[1, 2, 3, 4], &[5, 6]]);
        let got = seen(&[0.1, 1.0], &[&[4, 1, 9, 8], &[6, 5]]).with(&exact).unwrap();
        assert!((got.lowest_cosine - 0.1f64.cos()).abs() < 1e-6 && got.mean_cosine > got.lowest_cosine);
        assert_eq!(got.recall_at_10, Some(0.75));
        assert_eq!(seen(&[0.0], &[]).with(&seen(&[0.0], &[])).unwrap().recall_at_10, None);
        assert_eq!(seen(&[], &[]).with(&seen(&[], &[])), None);
    }

    #[test]
    fn the_first_hits_are_those_of_a_search() {
        let scores = [0.1, 0.9, 0.5, 0.9].into_iter().chain([0.0; 9]);
        assert_eq!(first(scores.enumerate()), [1, 3, 2, 0, 4, 5, 6, 7, 8, 9]);
    }
}
