//! Which scripts occur in a text, and from that a guess of its language. Knows no dictionary.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A script that an encoder may or may not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Script {
    Latin,
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Greek,
    Arabic,
    Hebrew,
    Thai,
    Devanagari,
    /// Letters of any other script.
    Other,
}

impl Script {
    pub const ALL: [Self; 11] = [
        Self::Latin,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::Cyrillic,
        Self::Greek,
        Self::Arabic,
        Self::Hebrew,
        Self::Thai,
        Self::Devanagari,
        Self::Other,
    ];

    /// The script of a letter; `None` for digits, signs, marks and emoji.
    pub fn of(c: char) -> Option<Self> {
        Some(match c as u32 {
            0x00..=0x7F if c.is_ascii_alphabetic() => Self::Latin,
            0x00..=0x7F => return None,
            0x3005 | 0x3007 | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF => {
                Self::Han
            }
            // U+30FB and U+30FC, a dot and a dash, also stand in Chinese names.
            0x3041..=0x3096
            | 0x309D..=0x309F
            | 0x30A1..=0x30FA
            | 0x30FD..=0x30FF
            | 0x31F0..=0x31FF
            | 0xFF66..=0xFF9D => Self::Kana,
            0x1100..=0x11FF | 0x3131..=0x318E | 0xA960..=0xA97F | 0xAC00..=0xD7FF => Self::Hangul,
            _ if !c.is_alphabetic() => return None,
            0x80..=0x24F | 0x1E00..=0x1EFF | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A => Self::Latin,
            0x370..=0x3FF | 0x1F00..=0x1FFF => Self::Greek,
            0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Self::Cyrillic,
            0x590..=0x5FF | 0xFB1D..=0xFB4F => Self::Hebrew,
            0x600..=0x6FF | 0x750..=0x77F | 0x8A0..=0x8FF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC => Self::Arabic,
            0x900..=0x97F => Self::Devanagari,
            0xE00..=0xE7F => Self::Thai,
            _ => Self::Other,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Latin => "Latin",
            Self::Han => "Chinese",
            Self::Kana => "Japanese",
            Self::Hangul => "Korean",
            Self::Cyrillic => "Cyrillic",
            Self::Greek => "Greek",
            Self::Arabic => "Arabic",
            Self::Hebrew => "Hebrew",
            Self::Thai => "Thai",
            Self::Devanagari => "Devanagari",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A small set of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scripts(u16);

impl Scripts {
    pub const NONE: Self = Self(0);

    pub fn contains(self, script: Script) -> bool {
        self.0 & (1 << script as u16) != 0
    }
    pub fn with(self, script: Script) -> Self {
        Self(self.0 | (1 << script as u16))
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Those in `self` that are not in `other`.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    pub fn iter(self) -> impl Iterator<Item = Script> {
        Script::ALL.into_iter().filter(move |&s| self.contains(s))
    }
}

impl FromIterator<Script> for Scripts {
    fn from_iter<I: IntoIterator<Item = Script>>(scripts: I) -> Self {
        scripts.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Which scripts' letters occur in `text`; empty for digits, signs and emoji alone.
pub fn scripts(text: &str) -> Scripts {
    text.chars().filter_map(Script::of).collect()
}

/// As much of a text's language as its script tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Zh,
    En,
    /// Much of both, as a collection's texts may be; never one text's.
    Mixed,
    /// Japanese, Korean, any further script, or no letters at all.
    Other,
}

impl Language {
    /// `zh`, `en`, `mixed` or `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
            Self::Mixed => "mixed",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The language of one text. Latin letters count as English: script alone cannot tell French from it.
pub fn language(text: &str) -> Language {
    let mut counts = Counts::default();
    counts.add(text);
    counts.verdict()
}

/// The language of most of the texts' words taken together, as for a collection; `Other` without any.
pub fn language_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Language {
    let mut counts = Counts::default();
    texts.into_iter().for_each(|text| counts.add(text));
    counts.verdict()
}

/// The language that an encoder of these texts must read: Chinese as soon as a fifth of them is, both as soon as a fifth is
/// English as well.
pub fn language_needed<'a>(texts: impl IntoIterator<Item = &'a str>) -> Language {
    let languages: Vec<Language> = texts.into_iter().map(language).collect();
    let count = |wanted: Language| languages.iter().filter(|&&l| l == wanted).count();
    let much = |count: usize| count * 5 >= languages.len().max(1);
    match (much(count(Language::Zh)), much(count(Language::En))) {
        (true, true) => Language::Mixed,
        (true, false) => Language::Zh,
        _ if count(Language::En) * 2 >= languages.len() => Language::En,
        _ => Language::Other,
    }
}

/// Han characters are counted one by one, other letters by the run: a character says about as much as a word.
#[derive(Default)]
struct Counts {
    han: usize,
    latin: usize,
    kana_hangul: usize,
    other: usize,
}

impl Counts {
    fn add(&mut self, text: &str) {
        let mut before = None;
        for c in text.chars() {
            let script = Script::of(c);
            match script {
                None => {}
                Some(Script::Han) => self.han += 1,
                Some(Script::Kana | Script::Hangul) => self.kana_hangul += 1,
                same if same == before => {}
                Some(Script::Latin) => self.latin += 1,
                Some(_) => self.other += 1,
            }
            before = script;
        }
    }

    fn verdict(&self) -> Language {
        // Japanese is at least a third kana; Chinese shop names borrow a の now and then.
        let east = self.han + self.kana_hangul;
        if self.kana_hangul * 8 > east {
            return if self.latin > 2 * east { Language::En } else { Language::Other };
        }
        match (self.han, self.latin, self.other) {
            (0, 0, _) => Language::Other,
            (han, latin, other) if other > han.max(latin) => Language::Other,
            (han, latin, _) if han >= latin => Language::Zh,
            _ => Language::En,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_in_chinese_needs_an_encoder_that_reads_it() {
        let needed = |zh: usize, en: usize| {
            let texts = [vec!["怎么退款"; zh], vec!["How do I pay?"; en]].concat();
            language_needed(texts)
        };
        assert_eq!(needed(5, 0), Language::Zh);
        assert_eq!(needed(1, 9), Language::En);
        assert_eq!(needed(1, 4), Language::Mixed);
        assert_eq!(needed(9, 1), Language::Zh);
    }

    #[test]
    fn the_script_tells_the_language() {
        for (text, want) in [
            ("How do I add a folder?", Language::En),
            ("怎么添加文件夹？", Language::Zh),
            ("如何在 Photoshop CC 2024 里打开 RAW 文件", Language::Zh),
            ("What does 你好 mean?", Language::En),
            ("大の字烤肉店的营业时间是几点到几点", Language::Zh),
            ("フォルダを追加するには？", Language::Other),
            ("東京へ行きます", Language::Other),
            ("폴더를 어떻게 추가하나요?", Language::Other),
            ("Как добавить папку?", Language::Other),
            ("café crème", Language::En),
            ("1234 !? 🚚", Language::Other),
            ("", Language::Other),
        ] {
            assert_eq!(language(text), want, "{text}");
        }
        assert_eq!(language_of(["怎么退款", "OK", "包裹在哪里"]), Language::Zh);
    }

    #[test]
    fn scripts_are_a_set_of_letters_alone() {
        let got = scripts("Ab3 中文, かな!").iter().collect::<Vec<_>>();
        assert_eq!(got, [Script::Latin, Script::Han, Script::Kana]);
        assert!(scripts("12 % 🚚 …，。").is_empty());
        let rest = scripts("中a").minus(Scripts::NONE.with(Script::Latin));
        assert_eq!(rest, scripts("字"));
    }
}
