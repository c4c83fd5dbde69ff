//! The browser's and programs' face of a library, over HTTP: parse, call one use case, draw the answer.
//! Knows nothing of SQL, Faiss or tensors.

pub mod assets;
pub mod format;
pub mod gate;
pub mod guard;
pub mod lang;
pub mod link;
pub mod prefs;
pub mod problem;
pub mod texts;
