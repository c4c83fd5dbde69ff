//! Asking an FAQ: the entries whose wordings are nearest, each once, with their answers.

use crate::library::Library;
use crate::search::{self, Answer, Ask, Page, Query, SearchError};
use crate::store::Filter;
use crate::types::{CollectionName, Kind};

/// The `k` entries that answer best.
///
/// # Errors
/// `query.not_an_faq` for a collection of photos, else as [`search::run`].
pub fn ask(library: &Library, name: &CollectionName, text: &str, k: usize) -> Result<Answer, SearchError> {
    if library.collection(name)?.kind() != Kind::Faq {
        return Err(SearchError::NotAnFaq { collection: name.clone() });
    }
    let page = Page { k, ..Page::default() };
    search::run(library, name, &Query { ask: Ask::Text(text.to_owned()), page, filter: Filter::default() })
}
