//! RFC 4180 with a header: cells by column, with the line each record begins on. Knows nothing of entries' rules.

use super::columns::{Meaning, extras, meanings, require};
use super::encoding::Decoded;
use super::row::{Draft, Rows, ragged};
use super::{TableError, normalise};

/// A quote that is never closed swallows the rest of the file: reading goes on at the next line, so often at most.
const MAX_RESTARTS: usize = 100;

/// Reads `decoded` into `rows`; gives the names of the unknown columns.
///
/// # Errors
/// `Empty`, `MissingColumn` and, for a broken header, `Encoding`.
pub(super) fn read(decoded: &Decoded, name: &str, rows: &mut Rows) -> Result<Vec<String>, TableError> {
    let empty = || TableError::Empty { name: name.to_owned() };
    let delimiter = sniff(&decoded.text).ok_or_else(empty)?;
    let mut records = Records::new(&decoded.text, delimiter);
    let header = records.next().ok_or_else(empty)?;
    if let Some(broken) = decoded.broken_in(header.start, header.end) {
        let (name, encoding) = (name.to_owned(), decoded.encoding);
        return Err(TableError::Encoding { name, byte: broken.byte, encoding });
    }
    let columns = meanings(header.cells.iter());
    require(&columns, name, &header.cells.iter().map(normalise).collect::<Vec<_>>())?;
    for record in records {
        if let Some(broken) = decoded.broken_in(record.start, record.end) {
            let reason = format!(
                "byte {} of the file cannot be read as {}; save it as UTF-8",
                broken.byte, decoded.encoding
            );
            rows.reject(record.line, "table.encoding", reason);
        } else if record.open {
            let reason =
                "a quote is opened and never closed; close it, or write \"\" for a quote within quotes";
            rows.reject(record.line, "table.open_quote", reason.to_owned());
        } else if record.cells.len() < columns.len()
            || record.cells.iter().skip(columns.len()).any(|c| !c.is_empty())
        {
            rows.reject(record.line, "table.ragged", ragged(record.cells.len(), columns.len()));
        } else {
            rows.add(record.line, draft(&columns, &record.cells));
        }
    }
    Ok(extras(&columns))
}

fn draft(columns: &[Meaning], cells: &csv::StringRecord) -> Draft {
    let mut draft = Draft::default();
    columns.iter().zip(cells).for_each(|(meaning, cell)| draft.cell(meaning, cell));
    draft
}

/// The delimiter under which the header has a question and an answer, else the one that cuts it most; `None`
/// without a header.
fn sniff(text: &str) -> Option<u8> {
    sniff_for(text, |header| require(&meanings(header), "", &[]).is_ok())
}

/// The delimiter under which `known` likes the header's cells, else the one that cuts it most.
pub(super) fn sniff_for(text: &str, known: impl Fn(csv::StringRecordIter<'_>) -> bool) -> Option<u8> {
    let read = |delimiter| {
        let header = Records::new(text, delimiter).next()?;
        Some((known(header.cells.iter()), header.cells.len(), delimiter))
    };
    // max_by_key keeps the last of equals: the comma.
    b"\t;,".iter().filter_map(|&d| read(d)).max_by_key(|&(known, cells, _)| (known, cells)).map(|(_, _, d)| d)
}

/// One record and where it stands in the text.
pub(super) struct Record {
    pub cells: csv::StringRecord,
    /// Byte of the text.
    pub start: usize,
    pub end: usize,
    pub line: u64,
    /// One of its cells begins a quote that is not closed as it should be.
    pub open: bool,
}

/// The records of a text, blank lines and rows of empty cells left out.
pub(super) struct Records<'a> {
    text: &'a str,
    delimiter: u8,
    reader: csv::Reader<&'a [u8]>,
    /// Where `reader` began in the text.
    base: usize,
    /// Line breaks are counted up to here.
    counted: usize,
    line: u64,
    restarts: usize,
}

impl<'a> Records<'a> {
    pub fn new(text: &'a str, delimiter: u8) -> Self {
        let base = separator_line(text);
        let reader = reader(&text[base..], delimiter);
        Self { text, delimiter, reader, base, counted: 0, line: 1, restarts: 0 }
    }

    fn line_at(&mut self, at: usize) -> u64 {
        self.line += breaks(&self.text[self.counted..at]);
        self.counted = at;
        self.line
    }

    fn restart(&mut self, at: usize) {
        self.restarts += 1;
        self.base = at;
        self.reader = reader(&self.text[at..], self.delimiter);
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let from = self.base + self.reader.position().byte() as usize;
            let mut cells = csv::StringRecord::new();
            // A text of valid UTF-8 in memory, with rows of any length allowed, cannot fail to be read.
            if !self.reader.read_record(&mut cells).unwrap_or(false) {
                return None;
            }
            let end = self.base + self.reader.position().byte() as usize;
            let start = end - self.text[from..end].trim_start_matches(['\r', '\n']).len();
            let line = self.line_at(start);
            let open = is_open(&self.text[start..end], self.delimiter);
            if open
                && self.restarts < MAX_RESTARTS
                && let Some(next) = self.text[start..end].find('\n')
            {
                self.restart(start + next + 1);
                return Some(Record { cells, start, end: start + next, line, open });
            }
            if open || cells.iter().any(|cell| !cell.trim().is_empty()) {
                return Some(Record { cells, start, end, line, open });
            }
        }
    }
}

/// Bytes of a first line `sep=;`, which tells Excel the delimiter; the header tells it to us.
fn separator_line(text: &str) -> usize {
    let told = || {
        let (line, rest) = text.split_once('\n')?;
        let mark = line.trim_end().trim_matches('"').strip_prefix("sep=")?;
        (mark.chars().count() <= 1).then_some(text.len() - rest.len())
    };
    told().unwrap_or(0)
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
}

/// Whether a quote of this record was opened by mistake: it never closes, or it closes lines below and text follows it.
fn is_open(raw: &str, delimiter: u8) -> bool {
    let (mut quoted, mut fresh, mut lines) = (false, true, 0);
    let mut bytes = raw.bytes().peekable();
    while let Some(b) = bytes.next() {
        lines += usize::from(b == b'\n');
        if quoted {
            if b == b'"' && bytes.next_if_eq(&b'"').is_none() {
                quoted = false;
                let ends = bytes.peek().is_none_or(|&b| b == delimiter || matches!(b, b'\r' | b'\n' | b' '));
                if lines > 0 && !ends {
                    return true;
                }
            }
        } else if fresh && b == b'"' {
            (quoted, lines) = (true, 0);
        }
        fresh = !quoted && b == delimiter;
    }
    quoted
}

/// Line breaks: `\n`, `\r\n`, or a lone `\r`.
fn breaks(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let lone = |i: usize| bytes[i] == b'\r' && bytes.get(i + 1) != Some(&b'\n');
    (0..bytes.len()).filter(|&i| bytes[i] == b'\n' || lone(i)).count() as u64
}
