//! How much an encoder tells of a pair that it reads as one input: a linear read-out is fitted on one half of the pairs
//! and told on the other. Knows no collection.

use serde::Serialize;

use super::metrics::{accuracy_at, auc, side, spearman};
use super::probe::{Link, Probe};
use super::{EvalError, Told};
use crate::encoder::Encoder;
use crate::text::table::pairs::{Pair, Pairs};
use crate::types::{EncoderName, Vector};

/// What `simile eval pairs --together` prints. A pair's one vector has no score of its own, as two vectors have their
/// cosine; hence the read-out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TogetherReport {
    pub encoder: EncoderName,
    /// The read-out was fitted on these many, and everything below is told on the others.
    pub fitted_on: usize,
    pub told_on: usize,
    /// Only for labels 0 and 1.
    pub accuracy: Option<f64>,
    pub auc: Option<f64>,
    pub spearman: Option<f64>,
}

/// Encodes each pair as one input.
///
/// # Errors
/// `NoPairs` for an encoder that reads one text at a time; `TooFew` if a half is empty.
pub fn run(encoder: &Encoder, pairs: &Pairs, told: Told) -> Result<TogetherReport, EvalError> {
    let vectors = encode(encoder, &pairs.pairs, told)?;
    let labels: Vec<f64> = pairs.pairs.iter().map(|pair| pair.label).collect();
    let half = |wanted: usize| -> (Vec<&[f32]>, Vec<f64>) {
        let mine = (0..labels.len()).filter(|&i| side(i as u64) == wanted);
        mine.map(|i| (vectors[i].as_slice(), labels[i])).unzip()
    };
    let ((rows, targets), (asked, right)) = (half(0), half(1));
    if rows.is_empty() || asked.is_empty() {
        return Err(EvalError::TooFew);
    }
    let probe = Probe::fit(&rows, &targets, if pairs.classes { Link::Logistic } else { Link::Identity });
    let scores: Vec<f32> = asked.iter().map(|row| probe.tell(row)).collect();
    let same: Option<Vec<bool>> = pairs.classes.then(|| right.iter().map(|&label| label == 1.0).collect());
    Ok(TogetherReport {
        encoder: encoder.name().clone(),
        fitted_on: rows.len(),
        told_on: asked.len(),
        accuracy: same.as_ref().and_then(|same| accuracy_at(0.0, same, &scores)),
        auc: same.as_ref().and_then(|same| auc(same, &scores)),
        spearman: spearman(&right, &scores),
    })
}

fn encode(encoder: &Encoder, pairs: &[Pair], told: Told) -> Result<Vec<Vector>, EvalError> {
    const BATCH: usize = 64;
    let mut vectors = Vec::with_capacity(pairs.len());
    for batch in pairs.chunks(BATCH) {
        let texts: Vec<(&str, &str)> = batch.iter().map(|pair| (pair.a.as_str(), pair.b.as_str())).collect();
        let rows = encoder.encode_pairs(&texts);
        let rows = rows.map_err(|why| EvalError::of(why, |at| format!("line {}", batch[at].line)))?;
        vectors.extend(rows.into_iter().map(|row| row.vector));
        told(vectors.len(), pairs.len());
    }
    Ok(vectors)
}
