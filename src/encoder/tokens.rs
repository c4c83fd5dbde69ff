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

/// BERT's own tokenizer, for models that come with a word list only.
fn wordpiece(path: &Path, vocabulary: &[u8]) -> tokenizers::Result<Tokenizer> {
    let vocab: HashMap<&str, u32> = std::str::from_utf8(vocabulary)?.lines().zip(0..).collect();
    let special =
        |token: &str| vocab.get(token).map(|id| json!([token, id])).ok_or(format!("it has no {token}"));
    let (cls, sep, _) = (special("[CLS]")?, special("[SEP]")?, special("[UNK]")?);
    let added: Vec<_> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        .iter()
        .filter_map(|&token| {
            let id = vocab.get(token)?;
            Some(json!({ "id": id, "content": token, "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false }))
        })
        .collect();
    let config = std::fs::read(path.with_file_name("tokenizer_config.json")).unwrap_or_default();
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    let flag = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or(true);
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "decoder": null, "added_tokens": added,
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "strip_accents": null,
            "handle_chinese_chars": flag("tokenize_chinese_chars"), "lowercase": flag("do_lower_case") },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "BertProcessing", "sep": sep, "cls": cls },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab },
    });
    Tokenizer::from_bytes(serde_json::to_vec(&tokenizer)?)
}
