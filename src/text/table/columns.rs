//! What a table's headers mean, in English and in Chinese. Knows nothing of rows.

use super::{TableError, normalise};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Id,
    Question,
    Answer,
    Language,
    /// Several tags in one cell.
    Tags,
    /// One tag, whatever it contains.
    Category,
    Wordings,
    /// Unknown; kept under this name.
    Extra(String),
}

impl Meaning {
    pub fn of(header: &str) -> Self {
        let name = normalise(header);
        let lower = name.to_lowercase();
        // Similar 1, Similar 2, … are all wordings.
        let stem = lower.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '_' | '-'));
        match lower.as_str() {
            "id" | "key" | "编号" | "序号" => Self::Id,
            "question" | "q" | "问题" | "标准问" | "标准问题" | "问" => Self::Question,
            "answer" | "a" | "答案" | "回答" | "标准答案" | "答" => Self::Answer,
            "language" | "lang" | "语言" => Self::Language,
            "tags" | "tag" | "标签" => Self::Tags,
            "category" | "分类" | "类别" => Self::Category,
            _ => match stem {
                "wordings" | "wording" | "similar" | "相似问" | "相似问题" | "相似问法" => {
                    Self::Wordings
                }
                _ => Self::Extra(name),
            },
        }
    }

    /// The names under which a field is sought, for messages.
    fn wanted(&self) -> &'static str {
        match self {
            Self::Question => "question (or 问题, 标准问)",
            _ => "answer (or 答案, 回答)",
        }
    }
}

/// The meaning of each header. A second column of the same single meaning is kept as unknown, and nameless ones are
/// called by their place.
pub(super) fn meanings<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Meaning> {
    let mut out: Vec<Meaning> = Vec::new();
    for (i, header) in headers.into_iter().enumerate() {
        let meaning = match Meaning::of(header) {
            Meaning::Extra(name) if name.is_empty() => Meaning::Extra(format!("column {}", i + 1)),
            many @ (Meaning::Tags | Meaning::Category | Meaning::Wordings | Meaning::Extra(_)) => many,
            one if out.contains(&one) => Meaning::Extra(normalise(header)),
            one => one,
        };
        out.push(meaning);
    }
    out
}

/// # Errors
/// `MissingColumn` unless there are questions and answers.
pub(super) fn require(meanings: &[Meaning], name: &str, found: &[String]) -> Result<(), TableError> {
    for wanted in [Meaning::Question, Meaning::Answer] {
        if !meanings.contains(&wanted) {
            let (name, found) = (name.to_owned(), found.to_vec());
            return Err(TableError::MissingColumn { name, wanted: wanted.wanted(), found });
        }
    }
    Ok(())
}

/// The names of the unknown columns.
pub(super) fn extras(meanings: &[Meaning]) -> Vec<String> {
    let name = |m: &Meaning| if let Meaning::Extra(name) = m { Some(name.clone()) } else { None };
    meanings.iter().filter_map(name).collect()
}
