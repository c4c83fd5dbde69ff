//! simile's readers of foreign bytes, compiled from their own files: without candle and Faiss a fuzz build takes minutes, not
//! half an hour.

#![allow(dead_code, unused_imports)]

#[path = "../../src/files.rs"]
pub mod files;
pub mod index;
#[path = "../../src/photo/mod.rs"]
pub mod photo;
pub mod store;
#[path = "../../src/text/mod.rs"]
pub mod text;
#[path = "../../src/types/mod.rs"]
pub mod types;
