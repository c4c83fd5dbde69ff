//! Captions: what a table tells of photos, one line each. Knows no photos.

use std::collections::HashMap;

use super::csv::{Record, Records, sniff_for};
use super::encoding::{Decoded, decode};
use super::row::{distinct, ragged, several};
use super::{LineError, TableError, normalise};
use crate::types::{Coded, Date};

/// What one line tells of one photo. `None`: the table has no such column, so what is known stays.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionRow {
    /// Where it begins in the file, 1 for the first line.
    pub line: u64,
    /// The photo as the table names it, with `/` between folders; not empty, and once in a table.
    pub photo: String,
    /// Empty: the caption is to go.
    pub caption: Option<String>,
    pub tags: Option<Vec<String>>,
    /// Inner `None`: the date is to go.
    pub date: Option<Option<Date>>,
}

/// A caption table as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Captions {
    pub rows: Vec<CaptionRow>,
    /// In the order of the file.
    pub rejects: Vec<LineError>,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    Photo,
    Caption,
    Tags,
    /// One tag, whatever it contains.
    Category,
    Date,
    /// Of an FAQ: a table with these is none of captions.
    Faq,
    Other,
}

impl Meaning {
    fn of(header: &str) -> Self {
        match normalise(header).to_lowercase().replace(['_', '-'], " ").as_str() {
            "photo" | "file" | "path" | "filename" | "file name" | "file path" | "image" | "picture"
            | "key" | "照片" | "图片" | "图像" | "文件" | "文件名" | "文件路径" | "路径" => {
                Self::Photo
            }
            "caption" | "captions" | "description" | "title" | "text" | "标题" | "说明" | "图片说明"
            | "照片说明" | "描述" | "文字" | "文字说明" => Self::Caption,
            "tags" | "tag" | "keywords" | "标签" | "关键词" => Self::Tags,
            "category" | "分类" | "类别" => Self::Category,
            "date" | "taken" | "date taken" | "time" | "日期" | "时间" | "拍摄日期" | "拍摄时间" => {
                Self::Date
            }
            "question" | "q" | "answer" | "a" | "问题" | "标准问" | "答案" | "回答" => Self::Faq,
            _ => Self::Other,
        }
    }
}

fn meanings<'a>(header: impl Iterator<Item = &'a str>) -> Vec<Meaning> {
    let mut out: Vec<Meaning> = Vec::new();
    for name in header {
        let meaning = Meaning::of(name);
        let once = matches!(meaning, Meaning::Photo | Meaning::Caption | Meaning::Date);
        out.push(if once && out.contains(&meaning) { Meaning::Other } else { meaning });
    }
    out
}

fn fits(columns: &[Meaning]) -> bool {
    columns.contains(&Meaning::Photo)
        && !columns.contains(&Meaning::Faq)
        && columns
            .iter()
            .any(|m| matches!(m, Meaning::Caption | Meaning::Tags | Meaning::Category | Meaning::Date))
}

/// Whether these bytes are a CSV with the columns of a caption table: a photo, and a caption, tags or a date.
pub fn is_captions(bytes: &[u8]) -> bool {
    // A header is short; the rest of a large file need not be decoded for this.
    let head = &bytes[..bytes.len().min(8 << 10)];
    let text = decode(head).text;
    let delimiter = sniff_for(&text, |header| fits(&meanings(header)));
    let header = delimiter.and_then(|delimiter| Records::new(&text, delimiter).next());
    header.is_some_and(|header| fits(&meanings(header.cells.iter())))
}

/// Reads a caption table: CSV with commas, semicolons or tabs; UTF-8, GB18030 or UTF-16.
///
/// # Errors
/// `Empty`, `MissingColumn`, and `Encoding` for a broken header. Everything else costs one line only.
pub fn read_captions(bytes: &[u8], name: &str) -> Result<Captions, TableError> {
    let decoded = decode(bytes);
    let empty = || TableError::Empty { name: name.to_owned() };
    let delimiter = sniff_for(&decoded.text, |header| fits(&meanings(header))).ok_or_else(empty)?;
    let mut records = Records::new(&decoded.text, delimiter);
    let header = records.next().ok_or_else(empty)?;
    if let Some(broken) = decoded.broken_in(header.start, header.end) {
        let (name, encoding) = (name.to_owned(), decoded.encoding);
        return Err(TableError::Encoding { name, byte: broken.byte, encoding });
    }
    let columns = meanings(header.cells.iter());
    if !fits(&columns) {
        let wanted = match columns.contains(&Meaning::Photo) {
            false => "photo (or file, path, 照片, 文件)",
            true => "caption (or description, 标题, 说明), tags or date",
        };
        let found = header.cells.iter().map(normalise).collect();
        return Err(TableError::MissingColumn { name: name.to_owned(), wanted, found });
    }
    let mut out = Captions { rows: Vec::new(), rejects: Vec::new() };
    let mut lines = HashMap::new();
    for record in records {
        let line = record.line;
        let row =
            row_of(&columns, &record, &decoded).and_then(|row| match lines.insert(row.photo.clone(), line) {
                None => Ok(row),
                Some(first) => {
                    lines.insert(row.photo.clone(), first);
                    let reason = format!("{:?} was told of in line {first} already; keep one", row.photo);
                    Err(LineError { line, code: "caption.duplicate", reason })
                }
            });
        match row {
            Ok(row) => out.rows.push(row),
            Err(why) => out.rejects.push(why),
        }
    }
    if out.rows.is_empty() && out.rejects.is_empty() { Err(empty()) } else { Ok(out) }
}

fn row_of(columns: &[Meaning], record: &Record, decoded: &Decoded) -> Result<CaptionRow, LineError> {
    let line = record.line;
    let fail = |code, reason: String| Err(LineError { line, code, reason });
    if let Some(broken) = decoded.broken_in(record.start, record.end) {
        let (byte, encoding) = (broken.byte, decoded.encoding);
        return fail(
            "table.encoding",
            format!("byte {byte} of the file cannot be read as {encoding}; save it as UTF-8"),
        );
    }
    if record.open {
        let reason = "a quote is opened and never closed; close it, or write \"\" for a quote within quotes";
        return fail("table.open_quote", reason.to_owned());
    }
    let (got, want) = (record.cells.len(), columns.len());
    if got < want || record.cells.iter().skip(want).any(|cell| !cell.is_empty()) {
        return fail("table.ragged", ragged(got, want));
    }
    let cell = |wanted: Meaning| {
        columns.iter().position(|m| *m == wanted).map(|at| record.cells[at].trim().to_owned())
    };
    let photo = cell(Meaning::Photo).unwrap_or_default().replace('\\', "/");
    if photo.is_empty() {
        return fail("caption.no_name", "no photo is named; write its file name or its path".to_owned());
    }
    let date = match cell(Meaning::Date) {
        Some(text) if !text.is_empty() => match text.parse::<Date>() {
            Ok(date) => Some(Some(date)),
            Err(why) => return fail(why.code(), why.to_string()),
        },
        Some(_) => Some(None),
        None => None,
    };
    Ok(CaptionRow { line, photo, caption: cell(Meaning::Caption), tags: tags(columns, record), date })
}

fn tags(columns: &[Meaning], record: &Record) -> Option<Vec<String>> {
    let mut tags = None::<Vec<String>>;
    for (meaning, cell) in columns.iter().zip(&record.cells) {
        match meaning {
            Meaning::Tags => tags.get_or_insert_default().extend(several(cell)),
            Meaning::Category => tags.get_or_insert_default().push(normalise(cell)),
            _ => {}
        }
    }
    tags.map(|tags| distinct(tags, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_in_both_languages_and_any_case() {
        let english =
            "Tags;FILE name;Caption;Date\nred, truck;a\\b.jpg;\"A red; truck\";2024/5/1\n;c.jpg;;\n";
        let read = read_captions(english.as_bytes(), "c.csv").unwrap();
        assert_eq!(
            read.rows[0],
            CaptionRow {
                line: 2,
                photo: "a/b.jpg".into(),
                caption: Some("A red; truck".into()),
                tags: Some(vec!["red".into(), "truck".into()]),
                date: Some(Some("2024-05-01".parse().unwrap())),
            }
        );
        assert_eq!((read.rows[1].caption.as_deref(), &read.rows[1].date), (Some(""), &Some(None)));
        let chinese = encoding_rs::GB18030.encode("照片,说明\n卡车.jpg,一辆红色的卡车\n").0.into_owned();
        assert!(is_captions(&chinese));
        let read = read_captions(&chinese, "c.csv").unwrap();
        assert_eq!((read.rows[0].photo.as_str(), &read.rows[0].tags), ("卡车.jpg", &None));
        assert_eq!(read.rows[0].caption.as_deref(), Some("一辆红色的卡车"));
    }

    #[test]
    fn a_bad_line_costs_itself_alone() {
        let text = "file,caption,date\na.jpg,x,soon\n,y,\na.jpg,z,2024\na.jpg,again,\nb.jpg,one,two,three\nc.jpg,\"open,\n";
        let read = read_captions(text.as_bytes(), "c").unwrap();
        let codes: Vec<(u64, &str)> = read.rejects.iter().map(|r| (r.line, r.code)).collect();
        assert_eq!(
            codes,
            [
                (2, "date.unreadable"),
                (3, "caption.no_name"),
                (5, "caption.duplicate"),
                (6, "table.ragged"),
                (7, "table.open_quote")
            ]
        );
        assert_eq!(read.rows.len(), 1);
    }

    #[test]
    fn other_tables_are_told_apart() {
        for (text, code) in [
            ("", "table.empty"),
            ("file,caption\n", "table.empty"),
            ("caption,tags\nx,y\n", "table.missing_column"),
            ("file,size\na.jpg,3\n", "table.missing_column"),
            ("question,answer,file,tags\nq,a,f,t\n", "table.missing_column"),
        ] {
            assert_eq!(read_captions(text.as_bytes(), "c").unwrap_err().code(), code, "{text:?}");
            assert_eq!(is_captions(text.as_bytes()), text == "file,caption\n", "{text:?}");
        }
        assert!(!is_captions(b"\xff\xd8\xff\xe0 no table"));
    }
}
