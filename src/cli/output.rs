//! How things look in a terminal: no control character of a file name or an answer reaches it.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::search::{Answer, By, Hit, Match, Shown};

/// What a terminal acts on, and what turns the direction of a text.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text with control characters (and those that turn its direction) made visible.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) && c != '\n' { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// The same on one line.
pub fn one_line(text: &str) -> String {
    plain(&text.replace('\n', "\\n"))
}

/// A line on standard output. Its reader may have gone (`| head`), which is no fault of anybody.
pub fn line(text: std::fmt::Arguments) {
    if let Err(e) = writeln!(std::io::stdout().lock(), "{text}")
        && e.kind() != std::io::ErrorKind::BrokenPipe
    {
        tell!("simile: standard output cannot be written ({e})");
    }
}

/// A line on standard error. Where that is closed or broken, nothing is left to tell it to.
pub fn note(text: std::fmt::Arguments) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Rows of a table on standard output: aligned for a person at a terminal, with tabs for programs.
pub fn rows(rows: &[Vec<String>]) {
    let aligned = std::io::stdout().is_terminal();
    table(rows, aligned).iter().for_each(|line| say!("{line}"));
}

fn table(rows: &[Vec<String>], aligned: bool) -> Vec<String> {
    if !aligned {
        return rows.iter().map(|row| row.join("\t")).collect();
    }
    let wide = |text: &String| text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum::<usize>();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(wide).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let room = " ".repeat(width - wide(cell));
            format!("{cell}{room}")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Whether a terminal gives two columns to a character: Chinese, Japanese, Korean, emoji.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

/// What a command left out, and why, on standard error.
pub fn reject(path: &str, reason: &str, code: &str) {
    tell!("rejected {}: {} [{code}]", one_line(path), plain(reason));
}

/// One JSON value on one line of standard output.
pub fn json(value: &impl Serialize) {
    say!("{}", harmless(serde_json::to_string(value).expect("answers have a JSON form")));
}

/// JSON leaves some of what a terminal acts on as it is (U+007F to U+009F, and what turns the direction). Such
/// characters stand only within its texts, where they may be written as escapes.
fn harmless(json: String) -> String {
    if !json.chars().any(hidden) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hidden(c) { out.push_str(&format!("\\u{:04x}", u32::from(c))) } else { out.push(c) }
    }
    out
}

/// Hits as a person reads them.
pub fn answer(answer: &Answer) {
    for note in &answer.notes {
        tell!("note: {}", plain(&note.message));
    }
    if answer.hits.is_empty() {
        tell!("no match");
    }
    answer.hits.iter().for_each(hit);
    let t = &answer.timings_ms;
    tell!(
        "decode {:.1} ms, encode {:.1} ms, search {:.1} ms, load {:.1} ms; index {}",
        t.decode,
        t.encode,
        t.search,
        t.load,
        answer.index
    );
}

fn hit(hit: &Hit) {
    match &hit.shown {
        Shown::Photo { caption, .. } => {
            say!("{:>3}  {:.4}  {}", hit.rank, hit.score, one_line(hit.key.as_str()));
            if let Some(caption) = caption {
                say!("             {}", one_line(caption));
            }
            if !hit.matched.is_empty() {
                let by: Vec<String> = hit.matched.iter().map(matched).collect();
                say!("             found by its {}", by.join(", and its "));
            }
        }
        Shown::Faq { question, wording, answer, .. } => {
            say!("{:>3}  {:.4}  {}", hit.rank, hit.score, one_line(question));
            if wording != question {
                say!("             matched: {}", one_line(wording));
            }
            for line in answer.lines() {
                say!("             {}", plain(line));
            }
        }
    }
}

/// `caption (place 2, 0.8312)`.
fn matched(by: &Match) -> String {
    let what = match by.by {
        By::Picture => "picture",
        By::Caption => "caption",
        By::Words => "words",
    };
    format!("{what} (place {}, {:.4})", by.rank, by.score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_for_people_and_has_tabs_for_programs() {
        let rows =
            [["照片", "photos", "1"], ["faq-en", "faq", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, true), ["照片    photos  1", "faq-en  faq"]);
        assert_eq!(table(&rows, false), ["照片\tphotos\t1", "faq-en\tfaq\t"]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
        let json = serde_json::to_string("\u{1b}[2J\u{9b}31m\u{202e}\u{7f} 照片").unwrap();
        assert_eq!(harmless(json.clone()), r#""\u001b[2J\u009b31m\u202e\u007f 照片""#);
        assert_eq!(
            serde_json::from_str::<String>(&harmless(json)).unwrap(),
            "\u{1b}[2J\u{9b}31m\u{202e}\u{7f} 照片"
        );
        assert_eq!(one_line("照片\n🚚"), "照片\\n🚚");
    }
}
