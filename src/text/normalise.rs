//! One spelling for texts that look alike. Knows nothing of languages.

use unicode_normalization::UnicodeNormalization;

/// NFC; each run of white space and control characters becomes one space; marks of no width (a byte order mark, a
/// zero-width space) go; the ends are trimmed. Empty if nothing visible was there.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.nfc().filter(|&c| !is_invisible(c)) {
        if c.is_whitespace() || c.is_control() {
            gap = true;
            continue;
        }
        if gap && !out.is_empty() {
            out.push(' ');
        }
        gap = false;
        out.push(c);
    }
    out
}

// The joiners U+200C and U+200D stay: they change what Persian words and emoji mean.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}' | '\u{200E}' | '\u{200F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_becomes_equal() {
        for (given, want) in [
            ("  a \t\r\n b\u{3000}c\u{0}d ", "a b c d"),
            ("cafe\u{301}", "café"),
            ("\u{feff}问\u{200b}题", "问题"),
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
            (" \u{200b}\u{feff}\n\u{a0}", ""),
        ] {
            assert_eq!(normalise(given), want, "{given:?}");
            assert_eq!(normalise(want), want, "normalising twice changes nothing");
        }
    }
}
