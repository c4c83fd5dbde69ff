//! Measures simile itself: how good are the scores, how early comes the right answer. Knows neither HTTP nor terminal.

pub mod agreement;
pub mod copies;
mod error;
pub mod faq;
pub mod keep;
pub mod metrics;
pub mod pairs;
pub mod photos;
mod probe;
pub mod speed;
pub mod together;

pub use error::EvalError;

use crate::encoder::{Encoder, Role};
use crate::types::Vector;

/// Told how many texts of how many are encoded.
pub type Told<'a> = &'a dyn Fn(usize, usize);

/// One vector per text; equal texts are encoded once. `place` says what text `at` is, for errors.
fn encode(
    encoder: &Encoder,
    texts: &[&str],
    role: Role,
    place: &dyn Fn(usize) -> String,
    told: Told,
) -> Result<Vec<Vector>, EvalError> {
    const BATCH: usize = 64;
    let mut first = std::collections::HashMap::new();
    let distinct = (0..texts.len()).filter(|&i| *first.entry(texts[i]).or_insert(i) == i).collect::<Vec<_>>();
    let mut vectors = std::collections::HashMap::with_capacity(distinct.len());
    for batch in distinct.chunks(BATCH) {
        let batch_texts = batch.iter().map(|&i| texts[i]).collect::<Vec<_>>();
        let rows = encoder
            .encode_texts(&batch_texts, role)
            .map_err(|why| EvalError::of(why, |at| place(batch[at])))?;
        vectors.extend(batch_texts.into_iter().zip(rows.into_iter().map(|row| row.vector)));
        told(vectors.len(), distinct.len());
    }
    Ok(texts.iter().map(|text| vectors[text].clone()).collect())
}

fn fitted_on(encoder: &Encoder) -> Option<u64> {
    encoder.ngram_weights().map(crate::text::ngram::Weights::texts)
}

/// The encoder with its table fitted on these texts, as a collection of them has it.
///
/// # Errors
/// `NotFitted` for an encoder that has no such table.
pub fn fit<T: AsRef<str>>(encoder: &Encoder, texts: &[T]) -> Result<Encoder, EvalError> {
    match encoder.ngram_weights() {
        Some(_) => Ok(Encoder::ngram_hash(Some(crate::text::ngram::Weights::fit(texts)))),
        None => Err(EvalError::NotFitted(encoder.name().clone())),
    }
}

fn cosine(a: &Vector, b: &Vector) -> f32 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a * b).sum()
}
