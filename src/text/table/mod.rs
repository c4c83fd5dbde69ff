//! FAQ, pairs and caption tables: CSV or JSONL bytes become rows, with an error for each line that cannot. Knows no files.

pub mod captions;
mod columns;
mod csv;
mod encoding;
mod error;
mod json;
pub mod pairs;
pub mod questions;
mod row;

pub use error::{LineError, TableError};
pub use row::{FaqRow, distinct};

use super::normalise;
use row::Rows;

/// How a table is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header line; commas, or semicolons or tabs if the header has those.
    Csv,
    /// One JSON object on a line, or one array of objects.
    Jsonl,
}

impl Format {
    /// By the ending of a file's name: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json`, in any case.
    pub fn of(file_name: &str) -> Option<Self> {
        let (_, ending) = file_name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// An FAQ as read: what could be used, and why the rest could not.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// In the order of the file; keys are unique.
    pub rows: Vec<FaqRow>,
    /// In the order of the file.
    pub rejects: Vec<LineError>,
    /// Names of the columns that simile does not know, kept in each row's `extra`.
    pub columns: Vec<String>,
    /// What the bytes were read as: `UTF-8`, `GB18030`, `UTF-16LE` or `UTF-16BE`.
    pub encoding: &'static str,
}

/// Reads a whole FAQ file. `name` is what errors call it.
///
/// UTF-8 with or without a mark, GB18030 and UTF-16 are told apart by their bytes. Headers are known in English and
/// Chinese (question, 问题, answer, 答案, id, language, tags, category, 分类, wordings, 相似问 and their like).
///
/// # Errors
/// `Empty` without any entry, `MissingColumn` without questions or answers, `Encoding` if the header itself cannot
/// be decoded, `Json` if an array of entries breaks off. Everything else costs one line only, see [`Table::rejects`].
pub fn read_faq(bytes: &[u8], format: Format, name: &str) -> Result<Table, TableError> {
    let decoded = encoding::decode(bytes);
    let mut rows = Rows::default();
    let columns = match format {
        Format::Csv => csv::read(&decoded, name, &mut rows)?,
        Format::Jsonl => json::read(&decoded, name, &mut rows)?,
    };
    let (rows, mut rejects) = rows.finish();
    if rows.is_empty() && rejects.is_empty() {
        return Err(TableError::Empty { name: name.to_owned() });
    }
    rejects.sort_by_key(|reject| reject.line);
    Ok(Table { rows, rejects, columns, encoding: decoded.encoding })
}

#[cfg(test)]
mod tests;
