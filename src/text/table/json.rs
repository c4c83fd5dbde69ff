//! JSON objects, one on a line or in one array, as entries. Knows nothing of files.

use serde_json::{Map, Value};

use super::columns::{Meaning, extras, meanings, require};
use super::encoding::Decoded;
use super::row::{Draft, Rows};
use super::{TableError, normalise};

/// Reads `decoded` into `rows`; gives the names of the unknown fields.
///
/// # Errors
/// `Empty`; `MissingColumn` if no object has a question or an answer; `Json` if an array breaks off.
pub(super) fn read(decoded: &Decoded, name: &str, rows: &mut Rows) -> Result<Vec<String>, TableError> {
    let mut fields = Fields::default();
    if decoded.text.trim_start().starts_with('[') {
        array(decoded, name, |line, value| fields.take(line, value, rows))?;
    } else {
        for (line, start, text) in lines(&decoded.text) {
            if let Some(broken) = decoded.broken_in(start, start + text.len()) {
                let reason = format!(
                    "byte {} of the file cannot be read as {}; save it as UTF-8",
                    broken.byte, decoded.encoding
                );
                rows.reject(line, "table.encoding", reason);
                continue;
            }
            match serde_json::from_str(text) {
                Ok(value) => fields.take(line, value, rows),
                Err(why) => rows.reject(line, "table.json", format!("no JSON: {}; correct it", told(&why))),
            }
        }
    }
    if fields.objects > 0 {
        require(&fields.meanings(), name, &fields.names)?;
    }
    Ok(extras(&fields.meanings()))
}

/// Not blank lines: number, byte where it starts, text.
fn lines(text: &str) -> impl Iterator<Item = (u64, usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').zip(1u64..).filter_map(move |(line, number)| {
        let at = start;
        start += line.len();
        (!line.trim().is_empty()).then_some((number, at, line))
    })
}

/// Hands each entry of the array to `take`, with the line it begins on.
fn array(decoded: &Decoded, name: &str, mut take: impl FnMut(u64, Value)) -> Result<(), TableError> {
    let text = decoded.text.as_str();
    let line_at = |at: usize| 1 + text[..at].matches('\n').count() as u64;
    let fail = |at, reason: String| TableError::Json { name: name.to_owned(), line: line_at(at), reason };
    let skip = |at: usize| text.len() - text[at..].trim_start().len();
    let broken = |b: super::encoding::Broken| TableError::Encoding {
        name: name.to_owned(),
        byte: b.byte,
        encoding: decoded.encoding,
    };
    if let Some(first) = decoded.broken_in(0, text.len()) {
        return Err(broken(first));
    }
    let (mut at, mut line, mut counted) = (skip(skip(0) + 1), 1, 0);
    while !text[at..].starts_with(']') {
        line += text[counted..at].matches('\n').count() as u64;
        counted = at;
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        let value = values.next().unwrap_or(Ok(Value::Null)).map_err(|why| fail(at, told(&why)))?;
        at = skip(at + values.byte_offset());
        take(line, value);
        match text[at..].chars().next() {
            Some(',') => at = skip(at + 1),
            Some(']') => {}
            _ => return Err(fail(at, "the list breaks off, or lacks a comma".to_owned())),
        }
    }
    Ok(())
}

/// serde_json's sentence without its own line and column, which count from the entry.
fn told(why: &serde_json::Error) -> String {
    let text = why.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The fields met so far, in the order they were met.
#[derive(Default)]
struct Fields {
    names: Vec<String>,
    objects: usize,
}

impl Fields {
    fn meanings(&self) -> Vec<Meaning> {
        meanings(self.names.iter().map(String::as_str))
    }

    fn take(&mut self, line: u64, value: Value, rows: &mut Rows) {
        let Value::Object(object) = value else {
            return rows.reject(
                line,
                "table.json",
                "not a JSON object; write {\"question\": …, \"answer\": …}".to_owned(),
            );
        };
        self.objects += 1;
        for name in object.keys() {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
        match draft(object) {
            Ok(draft) => rows.add(line, draft),
            Err(field) => {
                let reason =
                    format!("{:?} is neither text nor a number; write it as text", normalise(&field));
                rows.reject(line, "table.json_type", reason);
            }
        }
    }
}

/// # Errors
/// The name of a known field whose value has no text.
fn draft(object: Map<String, Value>) -> Result<Draft, String> {
    let mut draft = Draft::default();
    let columns = meanings(object.keys().map(String::as_str));
    for ((name, value), meaning) in object.into_iter().zip(columns) {
        match (&meaning, value) {
            (Meaning::Extra(column), value) => draft.extra(column, value),
            (_, Value::Null) => {}
            (Meaning::Tags | Meaning::Category | Meaning::Wordings, Value::Array(entries)) => {
                for entry in entries {
                    draft.entry(&meaning, &plain(entry).ok_or_else(|| name.clone())?);
                }
            }
            (_, value) => draft.cell(&meaning, &plain(value).ok_or(name)?),
        }
    }
    Ok(draft)
}

fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
