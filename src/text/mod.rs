//! Lines become words: normalise, guess script and language, cut into search words, read tables. Knows nothing of
//! encoders, stores and HTTP.

mod language;
pub mod ngram;
mod normalise;
pub mod table;
mod words;

pub use language::{Language, Script, Scripts, language, language_needed, language_of, scripts};
pub use normalise::normalise;
pub use words::words;
