//! One segment searched the best way there is: its index where that pays, the flat scan otherwise.

use std::fmt;

use fixedbitset::FixedBitSet;

use super::{Ann, Near, Recipe, flat};
use crate::types::{Dim, Vector};

/// So few allowed rows are scanned in a millisecond or two; a filtered index would be slower and miss some.
const FEW: usize = 4096;

/// The nearest rows, and what found them.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Best first, ties by row, with exact scores.
    pub near: Vec<Near>,
    pub by: By,
}

/// What searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The flat scan: exact.
    Flat,
    /// An index gave candidates, which were scored again exactly.
    Index(Recipe),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat => f.write_str("Flat"),
            Self::Index(recipe) => recipe.fmt(f),
        }
    }
}

/// The `k` rows nearest to `query` among those whose bit is set, by `ann` where it is of these rows and suits the
/// filter, else by the flat scan. An index that fails is a warning, never an error.
///
/// # Panics
/// As [`flat::search`].
pub fn nearest(
    rows: &[f32],
    dim: Dim,
    ann: Option<&Ann>,
    query: &Vector,
    k: usize,
    allowed: &FixedBitSet,
) -> Found {
    let n = rows.len() / dim.get();
    let count = allowed.count_ones(..allowed.len().min(n));
    // A recipe that was asked for is used, over a few rows too; not where a filter leaves few, or most are wanted of many.
    let scan_is_better = if count > FEW { k >= count / 4 } else { count * 2 < n };
    let suits = |ann: &&Ann| ann.about().rows == n as u64 && ann.about().dim == dim && !scan_is_better;
    if let Some(ann) = ann.filter(suits) {
        match ann.search(query, k, Some(allowed)) {
            Ok(found) if !found.starved => {
                let mut near = flat::rescore(rows, dim, query, found.rows);
                near.truncate(k);
                return Found { near, by: By::Index(ann.recipe()) };
            }
            Ok(_) => tracing::debug!(recipe = %ann.recipe(), "index starved under a filter, scanning"),
            Err(error) => tracing::warn!(%error, "index failed, scanning"),
        }
    }
    Found { near: flat::search(rows, dim, query, k, allowed), by: By::Flat }
}
