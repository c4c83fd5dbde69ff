//! Recipes alone.

#[path = "../../src/index/recipe.rs"]
mod recipe;

pub use recipe::{Recipe, RecipeError};
