//! Pairs of texts with a label or a score, for evaluation. Knows no metric.

use super::csv::Records;
use super::encoding::{Decoded, decode};
use super::{TableError, normalise};

/// Two texts and how near people find them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub line: u64,
    /// Finite; larger is nearer.
    pub label: f64,
    pub a: String,
    pub b: String,
}

/// A pairs file as read; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    pub pairs: Vec<Pair>,
    /// Every label is 0 or 1, and both occur: accuracy and AUC make sense.
    pub classes: bool,
}

/// Reads columns `label` or `score`, `a`, `b` (in any case and order, others ignored). Where the header has tabs,
/// cells are taken as they are, without quoting; otherwise RFC 4180.
///
/// # Errors
/// `Empty`, `MissingColumn`, `Encoding`; `Label` for a label that is no finite number, `Pair` for a line without
/// both texts, `OneClass` if a column `label` holds the same number throughout. Evaluation leaves no line out.
pub fn read_pairs(bytes: &[u8], name: &str) -> Result<Pairs, TableError> {
    let decoded = decode(bytes);
    let empty = || TableError::Empty { name: name.to_owned() };
    let mut lines = cells(&decoded);
    let (_, header) = lines.next().ok_or_else(empty)?;
    let columns = Columns::find(&header, name)?;
    if let Some(broken) = decoded.broken_in(0, decoded.text.len()) {
        let (name, encoding) = (name.to_owned(), decoded.encoding);
        return Err(TableError::Encoding { name, byte: broken.byte, encoding });
    }
    let pairs = lines.map(|(line, cells)| columns.pair(line, &cells, name)).collect::<Result<Vec<_>, _>>()?;
    let first = pairs.first().ok_or_else(empty)?.label;
    let one = pairs.iter().all(|pair| pair.label == first);
    if one && columns.labelled {
        return Err(TableError::OneClass { name: name.to_owned(), only: first });
    }
    let classes = !one && pairs.iter().all(|pair| pair.label == 0.0 || pair.label == 1.0);
    Ok(Pairs { pairs, classes })
}

type Line = (u64, Vec<String>);

fn cells(decoded: &Decoded) -> Box<dyn Iterator<Item = Line> + '_> {
    let text = &decoded.text;
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if header.contains('\t') {
        let lines = (1u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        return Box::new(lines.map(|(number, line)| (number, line.split('\t').map(str::to_owned).collect())));
    }
    Box::new(Records::new(text, b',').map(|r| (r.line, r.cells.iter().map(str::to_owned).collect())))
}

struct Columns {
    label: usize,
    labelled: bool,
    a: usize,
    b: usize,
}

impl Columns {
    fn find(header: &[String], name: &str) -> Result<Self, TableError> {
        let names = header.iter().map(|h| normalise(h).to_lowercase()).collect::<Vec<_>>();
        let find = |wanted: &str| names.iter().position(|n| n == wanted);
        let need = |at: Option<usize>, wanted| {
            let missing =
                || TableError::MissingColumn { name: name.to_owned(), wanted, found: names.clone() };
            at.ok_or_else(missing)
        };
        Ok(Self {
            label: need(find("label").or(find("score")), "label (or score)")?,
            labelled: find("label").is_some(),
            a: need(find("a"), "a")?,
            b: need(find("b"), "b")?,
        })
    }

    fn pair(&self, line: u64, cells: &[String], name: &str) -> Result<Pair, TableError> {
        let cell = |at: usize| cells.get(at).map(|c| c.trim()).unwrap_or_default();
        let text = |at: usize, column: &str| match normalise(cell(at)).is_empty() {
            false => Ok(cell(at).to_owned()),
            true => {
                let reason = format!("text {column} is empty; write one, or remove the line");
                Err(TableError::Pair { name: name.to_owned(), line, reason })
            }
        };
        let got = cell(self.label);
        let label = got.parse::<f64>().ok().filter(|label| label.is_finite());
        let label =
            label.ok_or_else(|| TableError::Label { name: name.to_owned(), line, got: got.to_owned() })?;
        Ok(Pair { line, label, a: text(self.a, "a")?, b: text(self.b, "b")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Coded;

    #[test]
    fn tabs_or_commas_labels_or_scores() {
        let tsv = read_pairs("Label\tA\tB\r\n1\t6\" x\ty\r\n0\tp,q\tr\r\n".as_bytes(), "p.tsv").unwrap();
        assert!(tsv.classes);
        assert_eq!(tsv.pairs[0], Pair { line: 2, label: 1.0, a: "6\" x".into(), b: "y".into() });
        let csv = read_pairs("b,note,SCORE,a\n\"x, y\",n,2.5,z\nx,n,5,z\n".as_bytes(), "p.csv").unwrap();
        assert!(!csv.classes);
        assert_eq!((csv.pairs[0].b.as_str(), csv.pairs[0].label), ("x, y", 2.5));
    }

    #[test]
    fn what_cannot_be_evaluated_is_an_error() {
        for (text, code) in [
            ("", "table.empty"),
            ("label\ta\tb\n", "table.empty"),
            ("label\ta\n1\tx\n", "table.missing_column"),
            ("a,b\nx,y\n", "table.missing_column"),
            ("label\ta\tb\nyes\tx\ty\n", "pairs.label"),
            ("label\ta\tb\nNaN\tx\ty\n", "pairs.label"),
            ("label\ta\tb\n1\tx\n", "pairs.line"),
            ("label\ta\tb\n1\tx\t \n", "pairs.line"),
            ("label\ta\tb\n1\tx\ty\n1\tv\tw\n", "pairs.one_class"),
        ] {
            assert_eq!(read_pairs(text.as_bytes(), "p").unwrap_err().code(), code, "{text:?}");
        }
    }
}
