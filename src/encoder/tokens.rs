//! Texts become token ids, cut at the model's length. Knows no network.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use tokenizers::{PostProcessor, Tokenizer, TruncationParams};

use super::EncoderError;

/// A tokenizer with the model's own length; the file's truncation and padding do not count.
pub struct Tokens {
    tokenizer: Box<Tokenizer>,
}

/// One text as the network reads it.
pub struct Ids {
    pub ids: Vec<u32>,
    /// Its end was cut off.
    pub truncated: bool,
}

impl Tokens {
    /// `path` is a `tokenizer.json`, or a BERT `vocab.txt` beside its `tokenizer_config.json`;
    /// `max_tokens` counts special tokens, every id must be below `vocabulary`.
    ///
    /// # Errors
    /// `Unreadable`; `Tokenizer` for a file that is not understood, that leaves no room for a token, or
    /// whose tokens the model does not have.
    pub fn open(path: &Path, max_tokens: usize, vocabulary: usize) -> Result<Self, EncoderError> {
        let broken = |why: String| EncoderError::Tokenizer { file: path.to_owned(), why };
        let unreadable = |source| EncoderError::Unreadable { file: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let mut tokenizer = match path.extension() {
            Some(end) if end == "txt" => wordpiece(path, &bytes),
            _ => Tokenizer::from_bytes(&bytes),
        }
        .map_err(|e| broken(e.to_string()))?;
        let added = tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(false));
        if max_tokens <= added {
            return Err(broken(format!("{added} special tokens leave no room in {max_tokens}")));
        }
        let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
        if highest as usize >= vocabulary {
            return Err(broken(format!("it has token {highest}, the model only {vocabulary}")));
        }
        let cut = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|e| broken(e.to_string()))?.with_padding(None);
        Ok(Self { tokenizer: Box::new(tokenizer) })
    }

    /// The token that stands between two texts of one input.
    pub fn separator(&self) -> Option<&'static str> {
        ["[SEP]", "</s>"].into_iter().find(|token| self.tokenizer.token_to_id(token).is_some())
    }

    /// `None` for a text without a single token of its own. `Err` says why the tokenizer failed.
    pub fn ids(&self, prefix: &str, text: &str) -> Result<Option<Ids>, String> {
        let whole = format!("{prefix}{text}");
        let encoding = self.tokenizer.encode_fast(whole, true).map_err(|e| e.to_string())?;
        let blank = encoding.get_special_tokens_mask().iter().all(|&special| special == 1);
        let truncated = !encoding.get_overflowing().is_empty();
        Ok((!blank).then(|| Ids { ids: encoding.get_ids().to_vec(), truncated }))
    }
}

/// BERT's own tokenizer, for models that come with a word list only: `tokenizer_config.json` beside it tells how texts
/// are cleaned and what the special tokens are called, in transformers' defaults where it is silent.
fn wordpiece(path: &Path, vocabulary: &[u8]) -> tokenizers::Result<Tokenizer> {
    let vocab: HashMap<&str, u32> = std::str::from_utf8(vocabulary)?.lines().zip(0..).collect();
    let config = std::fs::read(path.with_file_name("tokenizer_config.json")).unwrap_or_default();
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    let flag = |name: &str| config.get(name).and_then(Value::as_bool);
    let named = |field: &str, usual: &str| {
        let token = config.get(field).map(|token| token.get("content").unwrap_or(token));
        token.and_then(Value::as_str).unwrap_or(usual).to_owned()
    };
    let special = [("cls_token", "[CLS]"), ("sep_token", "[SEP]"), ("unk_token", "[UNK]")];
    let [cls, sep, unknown] = special.map(|(field, usual)| named(field, usual));
    let id = |token: &str| vocab.get(token).copied().ok_or_else(|| format!("it has no {token}"));
    let (cls, sep) = ((&cls, id(&cls)?), (&sep, id(&sep)?));
    id(&unknown)?;
    let others = [named("pad_token", "[PAD]"), named("mask_token", "[MASK]")];
    let added: Vec<_> = [cls.0, sep.0, &unknown]
        .into_iter()
        .chain(&others)
        .filter_map(|token| {
            let id = vocab.get(token.as_str())?;
            Some(json!({ "id": id, "content": token, "special": true, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false }))
        })
        .collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "decoder": null, "added_tokens": added,
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "strip_accents": flag("strip_accents"),
            "handle_chinese_chars": flag("tokenize_chinese_chars").unwrap_or(true),
            "lowercase": flag("do_lower_case").unwrap_or(true) },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "BertProcessing", "sep": sep, "cls": cls },
        "model": { "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab },
    });
    Tokenizer::from_bytes(serde_json::to_vec(&tokenizer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_list_cuts_texts_as_transformers_does() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/wordpiece");
        let expected: Value =
            serde_json::from_slice(&std::fs::read(fixture.join("expected.json")).unwrap()).unwrap();
        let texts = expected["texts"].as_array().unwrap();
        for case in expected["cases"].as_array().unwrap() {
            let folder = tempfile::tempdir().unwrap();
            let words = folder.path().join("vocab.txt");
            std::fs::copy(fixture.join("vocab.txt"), &words).unwrap();
            if case["config"].is_object() {
                let config = serde_json::to_vec(&case["config"]).unwrap();
                std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
            }
            let tokens = Tokens::open(&words, 512, 1000).unwrap();
            for (text, want) in texts.iter().zip(case["ids"].as_array().unwrap()) {
                let got = tokens.ids("", text.as_str().unwrap()).unwrap().unwrap();
                assert_eq!(serde_json::to_value(got.ids).unwrap(), *want, "{text} with {}", case["config"]);
            }
        }
    }

    #[test]
    fn special_tokens_may_have_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let words = folder.path().join("vocab.txt");
        std::fs::write(&words, "<s>\n</s>\n<unk>\nred\n").unwrap();
        let e = Tokens::open(&words, 512, 1000).err().unwrap().to_string();
        assert!(e.contains("[CLS]"), "{e}");
        let config = r#"{"cls_token": "<s>", "sep_token": {"content": "</s>"}, "unk_token": "<unk>"}"#;
        std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        let tokens = Tokens::open(&words, 512, 1000).unwrap();
        assert_eq!(tokens.ids("", "red blue").unwrap().unwrap().ids, [0, 3, 2, 1]);
    }
}
