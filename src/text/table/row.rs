//! One FAQ entry from the cells of one line, checked. Knows nothing of how the line was written.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::columns::Meaning;
use super::{LineError, normalise};
use crate::types::{Coded, ItemKey};

/// One entry of an FAQ. Question and answer are not empty.
#[derive(Debug, Clone, PartialEq)]
pub struct FaqRow {
    /// Where it begins in the file, 1 for the first line.
    pub line: u64,
    /// A valid item key, if the table gave one.
    pub id: Option<String>,
    pub question: String,
    pub answer: String,
    pub language: Option<String>,
    pub tags: Vec<String>,
    /// Further ways to ask, without the question itself and without repetition.
    pub wordings: Vec<String>,
    /// Unknown columns, as they were.
    pub extra: serde_json::Map<String, Value>,
}

impl FaqRow {
    /// The id, else the first 16 hexadecimal digits of the BLAKE3 of the normalised question.
    pub fn key(&self) -> ItemKey {
        let key = match &self.id {
            Some(id) => id.clone(),
            None => blake3::hash(normalise(&self.question).as_bytes()).to_hex()[..16].to_owned(),
        };
        key.try_into().expect("an id was checked when its row was read")
    }
}

/// The cells of one line by their meaning, not yet checked.
#[derive(Default)]
pub(super) struct Draft {
    id: String,
    question: String,
    answer: String,
    language: String,
    tags: Vec<String>,
    wordings: Vec<String>,
    extra: serde_json::Map<String, Value>,
}

impl Draft {
    /// Takes one cell of text.
    pub fn cell(&mut self, meaning: &Meaning, text: &str) {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return;
        }
        match meaning {
            Meaning::Id => self.id = trimmed.to_owned(),
            Meaning::Question => self.question = trimmed.to_owned(),
            Meaning::Answer => self.answer = trimmed.to_owned(),
            Meaning::Language => self.language = trimmed.to_owned(),
            Meaning::Tags => self.tags.extend(several(trimmed)),
            Meaning::Category => self.tags.push(normalise(trimmed)),
            Meaning::Wordings => self.wordings.extend(trimmed.lines().map(normalise)),
            Meaning::Extra(name) => self.extra(name, Value::from(text)),
        }
    }

    /// Takes one entry of a list of tags or wordings.
    pub fn entry(&mut self, meaning: &Meaning, text: &str) {
        match meaning {
            Meaning::Tags => self.tags.push(normalise(text)),
            Meaning::Wordings => self.wordings.push(normalise(text)),
            other => self.cell(other, text),
        }
    }

    pub fn extra(&mut self, name: &str, value: Value) {
        self.extra.insert(name.to_owned(), value);
    }

    fn check(self, line: u64) -> Result<FaqRow, LineError> {
        let fail = |code, reason: &str| Err(LineError { line, code, reason: reason.to_owned() });
        let question = normalise(&self.question);
        if question.is_empty() {
            return fail("faq.question_empty", "the question is empty; write one, or remove the line");
        }
        if normalise(&self.answer).is_empty() {
            return fail("faq.answer_empty", "the answer is empty; write one, or remove the line");
        }
        if !self.id.is_empty()
            && let Err(why) = self.id.parse::<ItemKey>()
        {
            return fail(why.code(), &format!("the id cannot be used: {why}"));
        }
        let some = |text: String| (!text.is_empty()).then_some(text);
        Ok(FaqRow {
            line,
            id: some(self.id),
            wordings: distinct(self.wordings, Some(&question)),
            question: self.question,
            answer: self.answer,
            language: some(self.language),
            tags: distinct(self.tags, None),
            extra: self.extra,
        })
    }
}

/// The tags of one cell.
pub(super) fn several(cell: &str) -> impl Iterator<Item = String> {
    cell.split([',', ';', '，', '；', '、', '|', '\n']).map(normalise)
}

/// What is wrong with a line that does not fit its header.
pub(super) fn ragged(got: usize, want: usize) -> String {
    let cells = if got == 1 { "1 cell".to_owned() } else { format!("{got} cells") };
    let cure = if got < want {
        "add those that are missing, empty if need be"
    } else {
        "put cells that contain a comma in quotes"
    };
    format!("{cells} where the header has {want}; {cure}")
}

/// Drops what is empty or repeats, by lower case, an earlier text or `taken`.
pub fn distinct(texts: Vec<String>, taken: Option<&str>) -> Vec<String> {
    let mut seen = taken.map(str::to_lowercase).into_iter().collect::<HashSet<_>>();
    texts.into_iter().filter(|text| !text.is_empty() && seen.insert(text.to_lowercase())).collect()
}

/// The rows read so far, each key once.
#[derive(Default)]
pub(super) struct Rows {
    rows: Vec<FaqRow>,
    rejects: Vec<LineError>,
    lines: HashMap<ItemKey, u64>,
}

impl Rows {
    pub fn add(&mut self, line: u64, draft: Draft) {
        match draft.check(line) {
            Ok(row) => self.add_new(row),
            Err(why) => self.rejects.push(why),
        }
    }

    fn add_new(&mut self, row: FaqRow) {
        let (line, key) = (row.line, row.key());
        if let Some(first) = self.lines.get(&key) {
            let reason = match &row.id {
                Some(id) => {
                    format!("the id {id:?} was given to line {first} already; give each entry its own")
                }
                None => format!("the question of line {first} again; merge the two, or give both an id"),
            };
            return self.reject(line, "faq.duplicate_id", reason);
        }
        self.lines.insert(key, line);
        self.rows.push(row);
    }

    pub fn reject(&mut self, line: u64, code: &'static str, reason: String) {
        self.rejects.push(LineError { line, code, reason });
    }

    pub fn finish(self) -> (Vec<FaqRow>, Vec<LineError>) {
        (self.rows, self.rejects)
    }
}
