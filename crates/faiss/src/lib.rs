//! A safe wrapper over Faiss: searches through `&self`, parameters per call, sizes checked. Knows nothing of recipes
//! beyond Faiss' own text, nor of what a row stands for.
//!
//! Faiss is compiled for AVX2: on an x86-64 processor without it nothing of this crate may be called, see [`usable`].
//! C++ exceptions become [`FaissError`]; an exception within one of Faiss' own parallel regions (out of memory)
//! ends the process, so indexes are best built in a child.

mod ffi;
mod index;
mod process;

pub use index::{FaissError, Hits, Index, SearchParams};
pub use process::{exit_now, lower_priority, set_build_threads, usable, versions};
