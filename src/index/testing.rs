//! Seeded rows and queries for the tests of this room.

use crate::types::{Dim, Vector};

/// A small linear congruential generator: repeatable, good enough for tests.
pub(super) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// About normal: mean 0, deviation 1.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.next() as f32 / (1u64 << 31) as f32).sum::<f32>() - 6.0
    }

    pub fn vector(&mut self, dim: Dim) -> Vector {
        Vector::unit((0..dim.get()).map(|_| self.normal()).collect(), dim).unwrap()
    }
}

/// `n` unit rows of `d` numbers around `clusters` centres, as pictures and sentences lie.
pub(super) fn clustered(n: usize, d: usize, clusters: usize, rng: &mut Rng) -> Vec<f32> {
    let dim = Dim::new(d).unwrap();
    let centres: Vec<Vector> = (0..clusters).map(|_| rng.vector(dim)).collect();
    (0..n)
        .flat_map(|_| {
            let centre = &centres[rng.below(clusters as u64) as usize];
            let noise = rng.vector(dim);
            let row = centre.as_slice().iter().zip(noise.as_slice()).map(|(c, n)| c + 0.8 * n).collect();
            Vector::unit(row, dim).unwrap().into_inner()
        })
        .collect()
}
