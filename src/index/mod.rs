//! Vectors become nearest rows: recipes, the flat scan, Faiss indexes. Knows nothing of items, SQL or encoders.

mod ann;
mod build;
mod child;
mod error;
pub mod flat;
mod nearest;
mod protocol;
mod recipe;
mod seal;
#[cfg(test)]
mod testing;

pub use ann::{Ann, Candidates};
pub use build::{Build, build_in_child};
pub use child::child_main;
pub use error::IndexError;
pub use nearest::{By, Found, nearest};
pub use protocol::{Progress, SUBCOMMAND, Stage};
pub use recipe::{Recipe, RecipeError};
pub use seal::{About, check_file};

use crate::types::Score;

/// A row of a segment and its cosine to the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    pub row: u32,
    pub score: Score,
}

impl From<(u32, f32)> for Near {
    fn from((row, score): (u32, f32)) -> Self {
        Self { row, score: Score(score) }
    }
}

/// Whether this processor has what Faiss was compiled for (AVX2). Where not, the flat scan alone serves, and nothing
/// of Faiss is called.
pub fn faiss_usable() -> bool {
    simile_faiss::usable()
}
