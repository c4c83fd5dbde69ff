//! Which of a folder's files are the weights and the tokenizer, and what to do with those that are not read.

use std::path::{Path, PathBuf};

use super::timm::Torchvision;
use super::{CARD, CONFIG, Folder};
use crate::encoder::card::Family;
use crate::encoder::weights::is_pytorch;
use crate::encoder::{EncoderError, ModelFiles};

/// Google's own name for BERT's config, beside a TensorFlow checkpoint and what is converted from it.
pub const BERT_CONFIG: &str = "bert_config.json";
const SAFETENSORS: &str = "model.safetensors";
const BIN: &str = "pytorch_model.bin";

/// Whether `folder` claims to hold a model: it may still be an unusable one.
pub fn is_model(folder: &Path) -> bool {
    let at = Folder { path: folder };
    [CARD, CONFIG, BERT_CONFIG, SAFETENSORS, BIN].iter().any(|file| folder.join(file).is_file())
        || at.torchvision().is_some()
        || at.tensorflow().is_some()
}

impl Folder<'_> {
    pub(super) fn files(&self, family: Family) -> Result<ModelFiles, EncoderError> {
        let there = |file: &str| Some(self.path.join(file)).filter(|path| path.is_file());
        let weights = self.weights()?;
        let tokenizer = match family {
            Family::ResNet(_) | Family::NgramHash => return Ok(ModelFiles { weights, tokenizer: None }),
            Family::Bert => there("tokenizer.json").or_else(|| there("vocab.txt")),
            Family::Albert | Family::XlmRoberta => there("tokenizer.json"),
        };
        if tokenizer.is_none() {
            return Err(self.unusable("tokenizer.json is missing; copy it from where the weights came from"));
        }
        Ok(ModelFiles { weights, tokenizer })
    }

    /// The one file of weights.
    pub(super) fn weights(&self) -> Result<PathBuf, EncoderError> {
        let whole =
            [SAFETENSORS, BIN].map(|file| self.path.join(file)).into_iter().find(|path| path.is_file());
        let safetensors = |path: &Path| path.extension().is_some_and(|end| end == "safetensors");
        // A lone .bin may be a trainer's notes; .pth and .pt are weights by custom.
        let pytorch = |path: &Path| is_pytorch(path) && path.extension().is_some_and(|end| end != "bin");
        whole
            .or_else(|| self.only(safetensors))
            .or_else(|| self.only(pytorch))
            .ok_or_else(|| self.no_weights())
    }

    /// torchvision's own weights, which need no config.
    pub(super) fn torchvision(&self) -> Option<Torchvision> {
        self.only(|path| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(|n| Torchvision::of(n).is_some())
        })
        .and_then(|path| Torchvision::of(path.file_name()?.to_str()?))
    }

    /// The only file of its kind.
    fn only(&self, kind: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let mut found = self.names().filter(|path| kind(path) && path.is_file());
        found.next().filter(|_| found.next().is_none())
    }

    fn names(&self) -> impl Iterator<Item = PathBuf> {
        std::fs::read_dir(self.path).into_iter().flatten().flatten().map(|entry| entry.path())
    }

    fn no_weights(&self) -> EncoderError {
        if let Some(command) = self.tensorflow() {
            return EncoderError::TensorFlow { folder: self.path.to_owned(), command };
        }
        let several = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];
        if several.iter().any(|file| self.path.join(file).is_file()) {
            return self.unusable("its weights are in several files; save them as one model.safetensors");
        }
        self.unusable("it has no weights; put model.safetensors there")
    }

    /// The command that converts TensorFlow's weights, where those lie here.
    fn tensorflow(&self) -> Option<String> {
        let folder = self.path.display();
        if self.path.join("tf_model.h5").is_file() {
            return Some(format!(
                "pip install 'transformers<5' torch tensorflow && python3 -c \"from transformers import AutoModel; \
                 AutoModel.from_pretrained('{folder}', from_tf=True).save_pretrained('{folder}')\""
            ));
        }
        let name = |path: PathBuf| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let part = |name: &str| {
            let (stem, rest) = name.rsplit_once('.')?;
            let ours = rest == "index" || rest == "meta" || rest.starts_with("data-");
            (ours && stem.contains(".ckpt")).then(|| stem.to_owned())
        };
        let stem = self.names().filter_map(name).filter_map(|name| part(&name)).min()?;
        Some(format!(
            "pip install 'transformers<5' torch tensorflow && \
             python3 -m transformers.models.bert.convert_bert_original_tf_checkpoint_to_pytorch \
             --tf_checkpoint_path '{folder}/{stem}' --bert_config_file '{folder}/{BERT_CONFIG}' \
             --pytorch_dump_path '{folder}/{BIN}'"
        ))
    }
}
