//! Any text is a recipe that reads back as itself, or an error; judging it for any rows ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use simile_fuzz::index::Recipe;
use simile_fuzz::types::Dim;

fuzz_target!(|given: (&str, u16, usize)| {
    let (text, dim, rows) = given;
    let Ok(recipe) = text.parse::<Recipe>() else { return };
    assert_eq!(recipe.to_string().parse::<Recipe>().unwrap(), recipe);
    if let Some(dim) = Dim::new(usize::from(dim)) {
        let _ = recipe.check(dim, rows);
    }
});
