//! Why a table, or one line of it, cannot be used.

use crate::types::{Coded, Fault};

/// Why a whole table cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    #[error("{name} holds no entries; give it a header line and at least one line below")]
    Empty { name: String },
    #[error("{name} has no column {wanted}; its columns are: {}. Rename one of them", list(found))]
    MissingColumn { name: String, wanted: &'static str, found: Vec<String> },
    #[error("{name}: byte {byte} cannot be read as {encoding}, in the header line; save the file as UTF-8")]
    Encoding { name: String, byte: u64, encoding: &'static str },
    #[error("{name}, line {line}: {reason}; correct it, or write one JSON object on each line")]
    Json { name: String, line: u64, reason: String },
    #[error("{name}, line {line}: the label {got:?} is no number; use 0 and 1, or a score")]
    Label { name: String, line: u64, got: String },
    #[error("{name}, line {line}: {reason}")]
    Pair { name: String, line: u64, reason: String },
    #[error(
        "{name} has labels of one class only ({only}); accuracy needs pairs labelled 0 and pairs labelled 1"
    )]
    OneClass { name: String, only: f64 },
}

fn list(found: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut names = found.iter().take(SHOWN).map(|n| format!("{:.60}", n)).collect::<Vec<_>>().join(", ");
    if found.len() > SHOWN {
        names.push_str(" …");
    }
    if names.is_empty() { "none".to_owned() } else { names }
}

impl Coded for TableError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "table.empty",
            Self::MissingColumn { .. } => "table.missing_column",
            Self::Encoding { .. } => "table.encoding",
            Self::Json { .. } => "table.json",
            Self::Label { .. } => "pairs.label",
            Self::Pair { .. } => "pairs.line",
            Self::OneClass { .. } => "pairs.one_class",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
    fn item(&self) -> Option<String> {
        Some(match self {
            Self::Json { name, line, .. }
            | Self::Label { name, line, .. }
            | Self::Pair { name, line, .. } => {
                format!("{name}:{line}")
            }
            Self::Empty { name }
            | Self::MissingColumn { name, .. }
            | Self::Encoding { name, .. }
            | Self::OneClass { name, .. } => name.clone(),
        })
    }
}

/// Why one line of a table is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// Where the entry begins, 1 for the first line of the file.
    pub line: u64,
    /// Stable, as in [`Coded::code`].
    pub code: &'static str,
    /// One sentence with the cure, without the line.
    pub reason: String,
}

impl Coded for LineError {
    fn code(&self) -> &'static str {
        self.code
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
}
