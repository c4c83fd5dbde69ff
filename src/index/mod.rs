//! Vectors become nearest rows: recipes, the flat scan, Faiss indexes. Knows nothing of items, SQL or encoders.

pub mod flat;
mod recipe;
#[cfg(test)]
mod testing;

pub use recipe::{Recipe, RecipeError};

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
