//! Test questions of an FAQ: what somebody asks, and the entry that answers it. Knows no entries.

use super::csv::Records;
use super::encoding::decode;
use super::{TableError, normalise};

/// A question of the kind that users ask, with the key of the right entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub line: u64,
    pub query: String,
    pub faq_id: String,
}

/// Reads the columns `query` (or `question`) and `faq_id` (or `id`), in any case and order, from CSV.
///
/// # Errors
/// `Empty`, `MissingColumn`, `Encoding`; `Pair` for a line without one of the two. Evaluation leaves no line out.
pub fn read_questions(bytes: &[u8], name: &str) -> Result<Vec<Question>, TableError> {
    let decoded = decode(bytes);
    if let Some(broken) = decoded.broken_in(0, decoded.text.len()) {
        let (name, encoding) = (name.to_owned(), decoded.encoding);
        return Err(TableError::Encoding { name, byte: broken.byte, encoding });
    }
    let empty = || TableError::Empty { name: name.to_owned() };
    let mut records = Records::new(&decoded.text, b',');
    let header = records.next().ok_or_else(empty)?;
    let names = header.cells.iter().map(|h| normalise(h).to_lowercase()).collect::<Vec<_>>();
    let find = |known: [&str; 2], wanted| {
        let missing = || TableError::MissingColumn { name: name.to_owned(), wanted, found: names.clone() };
        names.iter().position(|n| known.contains(&n.as_str())).ok_or_else(missing)
    };
    let query = find(["query", "question"], "query (or question)")?;
    let id = find(["faq_id", "id"], "faq_id (or id)")?;
    let read = |record: super::csv::Record| {
        let cell =
            |at| record.cells.get(at).map(str::trim).filter(|c| !normalise(c).is_empty()).map(str::to_owned);
        match (cell(query), cell(id)) {
            (Some(query), Some(faq_id)) => Ok(Question { line: record.line, query, faq_id }),
            _ => {
                let reason = "a query or its faq_id is missing; write both, or remove the line".to_owned();
                Err(TableError::Pair { name: name.to_owned(), line: record.line, reason })
            }
        }
    };
    let questions = records.map(read).collect::<Result<Vec<_>, _>>()?;
    if questions.is_empty() { Err(empty()) } else { Ok(questions) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Coded;

    #[test]
    fn each_question_has_its_entry() {
        let read = read_questions(b"faq_id,Query\n7,\"a, b\"\n8,c\n", "q.csv").unwrap();
        assert_eq!((read[0].query.as_str(), read[0].faq_id.as_str(), read[1].line), ("a, b", "7", 3));
        for (text, code) in [
            ("query,faq_id\n", "table.empty"),
            ("query,answer\nx,y\n", "table.missing_column"),
            ("query,faq_id\nx,\n", "pairs.line"),
        ] {
            assert_eq!(read_questions(text.as_bytes(), "q").unwrap_err().code(), code, "{text:?}");
        }
    }
}
