//! An approximate index over one segment, read from its sealed file: gives candidates, never final scores.

use std::path::Path;

use fixedbitset::FixedBitSet;
use simile_faiss::{FaissError, Index, SearchParams};

use super::{About, IndexError, Recipe, seal};
use crate::types::Vector;

/// Lists that are looked into at least; with fewer lists than this, all of them: exact but for the codes.
const MIN_PROBES: usize = 8;
/// Of all lists, one in this many is looked into.
const PROBE_SHARE: usize = 16;
/// Candidates that a graph keeps at least.
const MIN_EF: usize = 128;
/// A graph that must keep more than one row in this many is no faster than the flat scan.
const EF_SHARE: usize = 16;

/// Rows to score again exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// Row numbers, nearest first by the index's own reckoning.
    pub rows: Vec<u32>,
    /// The index could not find as many as were wanted and are allowed: the flat scan must serve.
    pub starved: bool,
}

/// A loaded Faiss index of one segment. Any number of threads may search it.
pub struct Ann {
    index: Index,
    about: About,
}

impl Ann {
    /// Reads an index file after verifying its seal: Faiss itself trusts what it reads, and a flipped bit may load as
    /// nonsense or never return.
    ///
    /// # Errors
    /// `Missing`, `Damaged`, `Stale` (of other rows than `about` says) and `Faiss`, which building anew heals; `Io`;
    /// `Processor`.
    pub fn open(path: &Path, about: &About) -> Result<Self, IndexError> {
        if !super::faiss_usable() {
            return Err(IndexError::Processor);
        }
        seal::verify(path, about)?;
        let index = Index::read(path).map_err(|e| failed(about.recipe, e))?;
        if index.dim() != about.dim.get() || index.len() as u64 != about.rows {
            let is = format!("{} x {}", index.len(), index.dim());
            return Err(IndexError::Stale { path: path.to_owned(), is, wanted: about.to_string() });
        }
        Ok(Self { index, about: about.clone() })
    }

    pub fn about(&self) -> &About {
        &self.about
    }

    pub fn recipe(&self) -> Recipe {
        self.about.recipe
    }

    /// Candidates for the `k` rows nearest to `query` among those allowed (`None`: all), more than `k` where the
    /// codes are coarse. The search widens until it has `k`, or all that are allowed, or is `starved`.
    ///
    /// # Errors
    /// `Faiss`, for a query of another dimension too.
    pub fn search(
        &self,
        query: &Vector,
        k: usize,
        allowed: Option<&FixedBitSet>,
    ) -> Result<Candidates, IndexError> {
        let rows = self.index.len();
        let count = allowed.map_or(rows, |bits| bits.count_ones(..bits.len().min(rows)));
        let wanted = k.min(count);
        if wanted == 0 {
            return Ok(Candidates { rows: Vec::new(), starved: false });
        }
        let selector = allowed.filter(|_| count < rows).map(bytes);
        let depth = self.depth(wanted).min(count);
        let mut effort = self.effort(depth, count as f64 / rows as f64);
        loop {
            let params = SearchParams {
                nprobe: effort,
                ef_search: effort,
                selector: selector.as_deref(),
                threads: 1, // the caller's: searches are spread over queries
            };
            let lists = self.index.search(query.as_slice(), depth, &params);
            let hits = lists.map_err(|e| failed(self.recipe(), e))?.pop().unwrap_or_default();
            let found: Vec<u32> = hits
                .iter()
                .filter_map(|&(row, _)| u32::try_from(row).ok())
                .filter(|&r| (r as usize) < rows)
                .collect();
            if found.len() >= wanted {
                return Ok(Candidates { rows: found, starved: false });
            }
            if effort >= self.most_effort() {
                return Ok(Candidates { rows: found, starved: true });
            }
            effort = (effort * 2).min(self.most_effort());
        }
    }

    /// Candidates for `k` hits: where the index reckons with codes, the true nearest are among some more.
    fn depth(&self, k: usize) -> usize {
        match self.recipe() {
            Recipe::Flat | Recipe::Ivf { .. } | Recipe::Hnsw { .. } => k,
            Recipe::IvfSq8 { .. } => 2 * k + 16,
            Recipe::IvfPq { .. } => 8 * k + 64,
        }
    }

    /// Lists or graph candidates to begin with. A filter that leaves the share `allowed` pushes the nearest allowed
    /// rows further out, so more is looked at from the start.
    fn effort(&self, depth: usize, allowed: f64) -> usize {
        let effort = match self.recipe().nlist() {
            Some(nlist) => {
                let probes = MIN_PROBES.max((nlist as usize).div_ceil(PROBE_SHARE));
                (probes as f64 / allowed.sqrt()).ceil() as usize
            }
            None => (MIN_EF.max(2 * depth) as f64 / allowed).ceil() as usize,
        };
        effort.min(self.most_effort())
    }

    fn most_effort(&self) -> usize {
        match self.recipe().nlist() {
            Some(nlist) => nlist as usize,
            None => (self.index.len() / EF_SHARE).max(8 * MIN_EF),
        }
    }
}

/// Faiss' bitmap: bit `row % 8` of byte `row / 8`.
fn bytes(bits: &FixedBitSet) -> Vec<u8> {
    bits.as_slice().iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn failed(recipe: Recipe, source: FaissError) -> IndexError {
    IndexError::Faiss { recipe, source }
}

#[cfg(test)]
mod tests;
