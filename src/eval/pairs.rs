//! How well an encoder tells pairs of like meaning from others. Knows no collection.

use serde::Serialize;

use super::agreement::Seen;
use super::metrics::{Threshold, auc, best_threshold, held_out, spearman};
use super::{EvalError, Told, cosine, encode, fitted_on};
use crate::encoder::{Encoder, Role};
use crate::text::table::pairs::Pairs;
use crate::types::EncoderName;

/// What `simile eval pairs` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairsReport {
    pub encoder: EncoderName,
    /// On how many texts the encoder was fitted, where it is one that can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fitted_on: Option<u64>,
    pub pairs: usize,
    /// Only for labels 0 and 1.
    pub classes: Option<Classes>,
    /// `None` if all scores are equal.
    pub spearman: Option<f64>,
}

/// Figures for pairs that are the same or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classes {
    /// Chosen on one half of the pairs.
    pub threshold: f32,
    /// Of that threshold, on the other half.
    pub accuracy: f64,
    /// Of the threshold that is best on all pairs, told on the same: what papers print.
    pub best_accuracy: f64,
    pub auc: f64,
}

/// The texts of all pairs, as a table of n-gram weights is fitted on.
pub fn texts(pairs: &Pairs) -> impl Iterator<Item = &str> {
    pairs.pairs.iter().flat_map(|pair| [pair.a.as_str(), pair.b.as_str()])
}

/// Encodes both sides apart and scores them by cosine. Neither side is a query for the other: both are encoded as
/// passages.
///
/// # Errors
/// `EmptyText` names the line; `TooFew` if a threshold cannot be chosen.
pub fn run(encoder: &Encoder, pairs: &Pairs, told: Told) -> Result<PairsReport, EvalError> {
    Ok(see(encoder, pairs, told)?.report)
}

/// [`run`], with the vectors.
///
/// # Errors
/// As there.
pub fn see(encoder: &Encoder, pairs: &Pairs, told: Told) -> Result<Seen<PairsReport>, EvalError> {
    let texts = texts(pairs).collect::<Vec<_>>();
    let place = |at: usize| format!("line {}, text {}", pairs.pairs[at / 2].line, ["a", "b"][at % 2]);
    let vectors = encode(encoder, &texts, Role::Passage, &place, told)?;
    let scores = vectors.chunks(2).map(|pair| cosine(&pair[0], &pair[1])).collect::<Vec<_>>();
    let labels = pairs.pairs.iter().map(|pair| pair.label).collect::<Vec<_>>();
    let report = PairsReport {
        encoder: encoder.name().clone(),
        fitted_on: fitted_on(encoder),
        pairs: labels.len(),
        classes: if pairs.classes { Some(classes(&labels, &scores)?) } else { None },
        spearman: spearman(&labels, &scores),
    };
    Ok(Seen { report, vectors, rankings: Vec::new() })
}

fn classes(labels: &[f64], scores: &[f32]) -> Result<Classes, EvalError> {
    let same = labels.iter().map(|&label| label == 1.0).collect::<Vec<_>>();
    let told = || {
        let Threshold { threshold, accuracy } = held_out(&same, scores)?;
        let best_accuracy = best_threshold(&same, scores)?.accuracy;
        Some(Classes { threshold, accuracy, best_accuracy, auc: auc(&same, scores)? })
    };
    told().ok_or(EvalError::TooFew)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::table::pairs::read_pairs;
    use crate::types::Coded;

    fn read(text: &str) -> Pairs {
        read_pairs(text.as_bytes(), "pairs.tsv").unwrap()
    }

    #[test]
    fn pairs_that_share_words_are_told_from_others() {
        let words = [
            "parcel", "refund", "invoice", "courier", "window", "garden", "bicycle", "lemon", "castle",
            "river",
        ];
        let pair = |(i, a): (usize, &&str)| {
            format!(
                "1\twhere is my {a}\tmy {a}, where is it\n0\twhere is my {a}\tsell a {}\n",
                words[(i + 3) % 10]
            )
        };
        let pairs = read(&format!("label\ta\tb\n{}", words.iter().enumerate().map(pair).collect::<String>()));
        let report = run(&Encoder::ngram_hash(None), &pairs, &|_, _| {}).unwrap();
        let classes = report.classes.unwrap();
        assert_eq!((report.pairs, classes.accuracy, classes.best_accuracy, classes.auc), (20, 1.0, 1.0, 1.0));
        assert!(report.spearman.unwrap() > 0.8 && classes.threshold > 0.0);
    }

    #[test]
    fn scores_give_a_correlation_only() {
        let pairs = read("score\ta\tb\n5\ta red car\ta red car\n3\ta red car\ta car\n0\ta red car\tmilk\n");
        let report = run(&Encoder::ngram_hash(None), &pairs, &|_, _| {}).unwrap();
        assert_eq!((report.classes, report.spearman), (None, Some(1.0)));
    }

    #[test]
    fn one_pair_gives_no_threshold() {
        let one = Pairs { pairs: read("score\ta\tb\n1\tx\ty\n").pairs, classes: true };
        assert_eq!(run(&Encoder::ngram_hash(None), &one, &|_, _| {}).unwrap_err().code(), "eval.too_few");
    }
}
