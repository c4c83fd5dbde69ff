//! simile finds photos and answers by meaning, on one's own machine.
//!
//! Floors, lowest first (a module imports from lower floors only): `types`, `config`, `files`, `map`, `meter`; `photo`, `text`;
//! `encoder`, `index`, `store`; `library`; `ingest`, `search`, `faq`, `eval`; `web`, `cli`. See `docs/ARCHITECTURE.md`.

#![deny(unsafe_code)]
// They panic where nobody reads: `say!` and `tell!` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod config;
pub mod encoder;
pub mod eval;
pub mod faq;
pub mod files;
pub mod index;
pub mod ingest;
pub mod library;
#[allow(unsafe_code)]
mod map;
pub mod meter;
pub mod photo;
pub mod search;
pub mod store;
pub mod text;
pub mod types;
pub mod web;
