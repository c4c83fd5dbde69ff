//! How early an FAQ's right entry comes for questions that users ask. Knows no collection.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::agreement::{Seen, first};
use super::metrics::{hit_at, mrr};
use super::{EvalError, Told, cosine, encode, fitted_on};
use crate::encoder::{Encoder, Role};
use crate::text::table::FaqRow;
use crate::text::table::questions::Question;
use crate::types::{EncoderName, Vector};

/// What `simile eval retrieval` prints of an FAQ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaqReport {
    pub encoder: EncoderName,
    /// On how many texts the encoder was fitted, where it is one that can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fitted_on: Option<u64>,
    pub entries: usize,
    pub questions: usize,
    /// Share of questions whose entry comes first, or among the first five.
    pub hit_at_1: f64,
    pub hit_at_5: f64,
    /// Mean reciprocal rank.
    pub mrr: f64,
}

/// Ranks all entries for each question, an entry by its best wording, as search does. Both sides are questions: they
/// are encoded as passages.
///
/// # Errors
/// `UnknownEntry` for a question whose entry is not there; `EmptyText` names the line.
pub fn run(
    encoder: &Encoder,
    entries: &[FaqRow],
    questions: &[Question],
    told: Told,
) -> Result<FaqReport, EvalError> {
    Ok(see(encoder, entries, questions, told)?.report)
}

/// [`run`], with the vectors and which entries came first.
///
/// # Errors
/// As there.
pub fn see(
    encoder: &Encoder,
    entries: &[FaqRow],
    questions: &[Question],
    told: Told,
) -> Result<Seen<FaqReport>, EvalError> {
    let keys =
        entries.iter().enumerate().map(|(i, row)| (String::from(row.key()), i)).collect::<HashMap<_, _>>();
    let right = |q: &Question| {
        let unknown = || EvalError::UnknownEntry { line: q.line, id: q.faq_id.clone() };
        keys.get(&q.faq_id).copied().ok_or_else(unknown)
    };
    let right = questions.iter().map(right).collect::<Result<Vec<_>, _>>()?;
    let parts = entries.iter().enumerate().flat_map(|(i, row)| {
        std::iter::once(&row.question).chain(&row.wordings).map(move |wording| (i, wording.as_str()))
    });
    let (owners, wordings): (Vec<usize>, Vec<&str>) = parts.unzip();
    let place = |at: usize| format!("FAQ, line {}, a wording", entries[owners[at]].line);
    let rows = encode(encoder, &wordings, Role::Passage, &place, told)?;
    let asked = questions.iter().map(|q| q.query.as_str()).collect::<Vec<_>>();
    let place = |at: usize| format!("questions, line {}", questions[at].line);
    let asked = encode(encoder, &asked, Role::Passage, &place, told)?;
    let best = asked.par_iter().map(|query| best(query, &rows, &owners, entries.len())).collect::<Vec<_>>();
    let ranks = best.iter().zip(&right).map(|(best, &right)| Some(rank(best, right))).collect::<Vec<_>>();
    let told = |figure: Option<f64>| figure.unwrap_or_default();
    let report = FaqReport {
        encoder: encoder.name().clone(),
        fitted_on: fitted_on(encoder),
        entries: entries.len(),
        questions: questions.len(),
        hit_at_1: told(hit_at(1, &ranks)),
        hit_at_5: told(hit_at(5, &ranks)),
        mrr: told(mrr(&ranks)),
    };
    let rankings = best.into_iter().map(|best| first(best.into_iter().enumerate())).collect();
    Ok(Seen { report, vectors: rows.into_iter().chain(asked).collect(), rankings })
}

/// Each entry's score: that of its best wording.
fn best(query: &Vector, rows: &[Vector], owners: &[usize], entries: usize) -> Vec<f32> {
    let mut best = vec![f32::NEG_INFINITY; entries];
    for (row, &owner) in rows.iter().zip(owners) {
        best[owner] = best[owner].max(cosine(query, row));
    }
    best
}

/// From 1; of equal scores the earlier entry comes first.
fn rank(best: &[f32], right: usize) -> usize {
    let before = |(i, &score): (usize, &f32)| score > best[right] || (score == best[right] && i < right);
    1 + best.iter().enumerate().filter(|&entry| before(entry)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::table::questions::read_questions;
    use crate::text::table::{Format, read_faq};
    use crate::types::Coded;

    fn measure(questions: &str) -> Result<FaqReport, EvalError> {
        let faq = "id,question,answer,wordings\n1,How do I pay?,x,Which cards do you take?\n2,Where is my parcel?,x,\n";
        let table = read_faq(faq.as_bytes(), Format::Csv, "faq.csv").unwrap();
        let questions = read_questions(questions.as_bytes(), "q.csv").unwrap();
        run(&Encoder::ngram_hash(None), &table.rows, &questions, &|_, _| {})
    }

    #[test]
    fn an_entry_ranks_by_its_best_wording() {
        let report = measure("query,faq_id\ntake my card,1\nmy parcel,2\nwhere is it,1\n").unwrap();
        assert_eq!((report.entries, report.questions), (2, 3));
        assert_eq!((report.hit_at_1, report.hit_at_5), (2.0 / 3.0, 1.0));
        assert!((report.mrr - 2.5 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_question_without_its_entry_cannot_be_measured() {
        let why = measure("query,faq_id\nmy parcel,3\n").unwrap_err();
        assert_eq!((why.code(), why.to_string().contains("line 2")), ("eval.unknown_entry", true));
    }
}
