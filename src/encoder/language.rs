//! Which languages a model reads, where no card says so: its README, else its vocabulary; and their scripts. Knows no
//! network.

use std::path::Path;

use crate::text::{Script, Scripts};

/// What the head of a hub README says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FrontMatter {
    pub languages: Vec<String>,
    pub licence: Option<String>,
}

/// Reads `language` and `license` from the YAML between the first two lines of dashes.
pub fn front_matter(readme: &str) -> FrontMatter {
    let mut lines = readme.lines();
    let mut out = FrontMatter::default();
    if lines.next().map(str::trim_end) != Some("---") {
        return out;
    }
    let mut in_languages = false;
    for line in lines.map(str::trim_end).take_while(|&line| line != "---") {
        if let Some(item) = line.trim_start().strip_prefix("- ").filter(|_| in_languages) {
            out.languages.extend(code(item));
            continue;
        }
        in_languages = false;
        if let Some(value) = line.strip_prefix("language:") {
            in_languages = true;
            out.languages.extend(value.trim().trim_matches(['[', ']']).split(',').filter_map(code));
        } else if let Some(value) = line.strip_prefix("license:") {
            out.licence = Some(value.trim().trim_matches(['"', '\'']).to_owned()).filter(|l| !l.is_empty());
        }
    }
    out
}

/// `zh-CN` → `zh`, `multilingual` → `*`
fn code(name: &str) -> Option<String> {
    let name = name.trim().trim_matches(['"', '\'']).to_lowercase();
    if name == "multilingual" {
        return Some("*".to_owned());
    }
    let code = name.split(['-', '_']).next().unwrap_or_default();
    ((2..=3).contains(&code.len()) && code.is_ascii()).then(|| code.to_owned())
}

/// Chinese if it has single tokens for most common characters, English if it has common English words whole.
/// Empty when neither is so, or the file cannot be read.
pub fn of_vocabulary(tokenizer: &Path) -> Vec<String> {
    let Ok(bytes) = std::fs::read(tokenizer) else { return Vec::new() };
    if tokenizer.extension().is_some_and(|end| end == "txt") {
        let text = String::from_utf8_lossy(&bytes);
        return of_tokens(text.lines());
    }
    let Ok(file) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return Vec::new() };
    match file.pointer("/model/vocab") {
        Some(serde_json::Value::Object(vocab)) => of_tokens(vocab.keys().map(String::as_str)),
        // unigram: pairs of token and score
        Some(serde_json::Value::Array(vocab)) => {
            of_tokens(vocab.iter().filter_map(|pair| pair.get(0)?.as_str()))
        }
        _ => Vec::new(),
    }
}

fn of_tokens<'a>(tokens: impl Iterator<Item = &'a str>) -> Vec<String> {
    // Words that other languages do not share with English, and do not borrow.
    const ENGLISH: [&str; 8] =
        ["because", "through", "although", "whether", "would", "enough", "together", "nothing"];
    // bert-base-chinese has 7,000, English vocabularies a few hundred.
    const HAN: usize = 3000;
    let (mut words, mut han) = (0, 0);
    for token in tokens {
        let token = token.trim_start_matches('▁');
        let mut chars = token.chars();
        let one = chars.next().filter(|_| chars.next().is_none());
        han += usize::from(one.is_some_and(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)));
        words += usize::from(ENGLISH.contains(&token));
    }
    let zh = (han >= HAN).then(|| "zh".to_owned());
    let en = (words >= ENGLISH.len()).then(|| "en".to_owned());
    zh.into_iter().chain(en).collect()
}

/// The scripts of these languages; `None`, which is all, if there is none or one whose script is not known here.
pub fn scripts(languages: &[String]) -> Option<Scripts> {
    let mut known = Scripts::NONE.with(Script::Latin);
    for language in languages {
        let own: &[Script] = match language.as_str() {
            "en" | "de" | "fr" | "es" | "it" | "pt" | "nl" | "pl" | "cs" | "sv" | "da" | "nb" | "fi"
            | "hu" | "ro" | "tr" | "vi" | "id" => &[],
            "zh" => &[Script::Han],
            "ja" => &[Script::Kana, Script::Han],
            "ko" => &[Script::Hangul],
            "ru" | "uk" | "bg" => &[Script::Cyrillic],
            "el" => &[Script::Greek],
            "ar" | "fa" | "ur" => &[Script::Arabic],
            "he" => &[Script::Hebrew],
            "th" => &[Script::Thai],
            "hi" | "mr" | "ne" => &[Script::Devanagari],
            _ => return None,
        };
        known = own.iter().fold(known, |known, &script| known.with(script));
    }
    (!languages.is_empty()).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_tells_languages_and_licence() {
        let list =
            front_matter("---\nlanguage:\n- en\n- zh-CN\nlicense: mit\ntags:\n- x\n---\nlanguage: fr\n");
        assert_eq!(list.languages, ["en", "zh"]);
        assert_eq!(list.licence.as_deref(), Some("mit"));
        assert_eq!(front_matter("---\nlanguage: [en, \"de\"]\n---").languages, ["en", "de"]);
        assert_eq!(front_matter("---\nlanguage: multilingual\n---").languages, ["*"]);
        assert_eq!(front_matter("# A title\nlanguage: en"), FrontMatter::default());
    }

    #[test]
    fn a_vocabulary_tells_what_it_has_words_for() {
        let english = ["because", "through", "although", "whether", "would", "enough", "together", "nothing"];
        let han: Vec<String> = ('\u{4e00}'..='\u{6000}').map(String::from).collect();
        assert_eq!(of_tokens(english.into_iter()), ["en"]);
        assert_eq!(of_tokens(han.iter().map(String::as_str)), ["zh"]);
        assert_eq!(of_tokens(han.iter().map(String::as_str).chain(english)), ["zh", "en"]);
        assert!(of_tokens(["und", "nicht"].into_iter()).is_empty());
    }
}
