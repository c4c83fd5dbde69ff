//! A text as words for keyword search. Knows no dictionary: Han runs become characters and pairs.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::Script;

/// Lower-case words in the order of the text, width folded (`Ａ` is `a`), punctuation left out. A run of Han
/// characters gives each character and each neighbouring pair: `退款吗` → `退 退款 款 款吗 吗`.
pub fn words(text: &str) -> Vec<String> {
    let folded = text.nfkc().flat_map(char::to_lowercase).collect::<String>();
    let mut out = Vec::new();
    let mut before: Option<(usize, char)> = None; // end and character of the Han character just seen
    for (at, word) in folded.split_word_bound_indices() {
        match lone_han(word) {
            Some(han) => {
                if let Some((end, first)) = before
                    && end == at
                {
                    out.push([first, han].iter().collect());
                }
                out.push(han.to_string());
                before = Some((at + word.len(), han));
            }
            None if word.chars().any(char::is_alphanumeric) => out.push(word.to_owned()),
            None => {}
        }
    }
    out
}

fn lone_han(word: &str) -> Option<char> {
    let mut chars = word.chars();
    let first = chars.next().filter(|&c| Script::of(c) == Some(Script::Han))?;
    chars.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_two_scripts() {
        assert_eq!(words("Don't  PANIC, 3.5-inch!"), ["don't", "panic", "3.5", "inch"]);
        assert_eq!(words("退款吗"), ["退", "退款", "款", "款吗", "吗"]);
        assert_eq!(words("用ＷｉＦｉ时，断线"), ["用", "wifi", "时", "断", "断线", "线"]);
        assert_eq!(words(" \n…!?"), Vec::<String>::new());
    }
}
