//! A model's folder, as simile, sentence-transformers or timm lay it out, becomes a spec. Knows no search order.

mod files;
mod sentences;
mod timm;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::card::{Card, Family, Parity};
use super::check::check;
use super::language;
use super::weights::Weights;
use super::{
    Architecture, BertConfig, Block, EncoderError, EncoderSpec, Modality, Pooling, ResNetConfig, Step,
};
use crate::types::EncoderName;
use files::BERT_CONFIG;
pub use files::is_model;
use sentences::Sentences;

/// A card of ours within a model's folder.
pub const CARD: &str = "card.toml";
const CONFIG: &str = "config.json";
/// Configs are a few KB; more is something else.
const MAX_TEXT: u64 = 1 << 20;

/// A folder that can be loaded, and what is said of it.
#[derive(Debug, Clone)]
pub struct Described {
    pub spec: EncoderSpec,
    pub folder: PathBuf,
    pub parity: Vec<Parity>,
    pub title: Option<String>,
    pub licence: Option<String>,
    pub homepage: Option<String>,
    pub quality: u8,
    pub starter: bool,
}

/// The card of a folder that holds nothing else of a model: it only tells where to pull from.
pub fn bare_card(folder: &Path) -> Option<Card> {
    let at = Folder { path: folder };
    let beside = folder.join(CONFIG).exists() || at.weights().is_ok();
    let toml = at.text(CARD).ok()??;
    Card::parse(&toml).ok().filter(|card| !beside && !card.sources.is_empty())
}

/// Reads configs and the weights' header, no weights. `known` is simile's card of that name: it adds what the
/// folder leaves unsaid, unless the folder holds another network.
///
/// # Errors
/// `Unusable` with what to do, or what is wrong with the weights (`Damaged`, `MissingTensor`, `WrongShape`).
pub fn describe(name: &EncoderName, folder: &Path, known: Option<&Card>) -> Result<Described, EncoderError> {
    let at = Folder { path: folder };
    let own = at.text(CARD)?.map(|toml| Card::parse(&toml).map_err(|e| at.flaw(CARD, e))).transpose()?;
    // What to do about missing weights comes before what is wrong with a config.
    at.weights()?;
    let config = at.config()?;
    let (family, architecture) = at.architecture(config.as_ref(), own.as_ref())?;
    let head = if matches!(family, Family::ResNet(_)) { Vec::new() } else { at.head()? };
    let dim = Step::dim(&head).unwrap_or(architecture.dim());
    let same = |card: &&Card| card.architecture == family && card.dim.get() == dim;
    if let Some(card) = own.as_ref().filter(|card| !same(card)) {
        let why = format!("it says {} of {} numbers, {CONFIG} says otherwise", card.architecture, card.dim);
        return Err(at.flaw(CARD, why));
    }
    let card = own.as_ref().or(known.filter(same));
    let files = at.files(family)?;
    let (modality, preprocess) = match family {
        Family::ResNet(_) => (Modality::Photo, Some(at.preprocess(config.as_ref(), own.as_ref())?)),
        _ => (Modality::Text, None),
    };
    let sentences =
        if modality == Modality::Text { at.sentences(own.as_ref(), card)? } else { Sentences::default() };
    let readme = at.front_matter();
    let languages = match (modality, card) {
        (Modality::Photo, _) => Vec::new(),
        (_, Some(card)) if !card.languages.is_empty() => card.languages.clone(),
        _ if !readme.languages.is_empty() => readme.languages,
        _ => files.tokenizer.as_deref().map(language::of_vocabulary).unwrap_or_default(),
    };
    let spec = EncoderSpec {
        name: name.clone(),
        modality,
        architecture,
        pooling: sentences.pooling.unwrap_or(Pooling::Mean),
        head,
        max_tokens: sentences.max_tokens,
        query_prefix: sentences.query,
        passage_prefix: sentences.passage,
        preprocess,
        languages,
        files,
    };
    check(&spec).map_err(|what| EncoderError::Config { encoder: name.clone(), what })?;
    probe(&spec)?;
    Ok(Described {
        spec,
        folder: folder.to_owned(),
        parity: card.map(|c| c.parity.clone()).unwrap_or_default(),
        title: card.map(|c| c.title.clone()),
        licence: card
            .and_then(|c| c.licence.clone())
            .or(readme.licence)
            .or(config.as_ref().and_then(timm::licence)),
        homepage: card.and_then(|c| c.homepage.clone()),
        quality: card.map_or(Card::MIDDLING, |c| c.quality),
        starter: card.is_some_and(|c| c.starter),
    })
}

struct Folder<'a> {
    path: &'a Path,
}

impl Folder<'_> {
    fn unusable(&self, why: impl Into<String>) -> EncoderError {
        EncoderError::Unusable { folder: self.path.to_owned(), why: why.into() }
    }

    fn flaw(&self, file: &str, why: impl std::fmt::Display) -> EncoderError {
        self.unusable(format!("{file}: {why}; correct that file"))
    }

    /// `None` if there is no such file.
    fn text(&self, file: &str) -> Result<Option<String>, EncoderError> {
        let path = self.path.join(file);
        if !path.is_file() {
            return Ok(None);
        }
        let mut text = String::new();
        let read = File::open(&path).and_then(|f| f.take(MAX_TEXT).read_to_string(&mut text));
        match read {
            Ok(n) if n as u64 == MAX_TEXT => Err(self.flaw(file, "it is larger than 1 MiB")),
            Ok(_) => Ok(Some(text)),
            Err(source) => Err(EncoderError::Unreadable { file: path, source }),
        }
    }

    fn json<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>, EncoderError> {
        let parse = |text: String| serde_json::from_str(&text).map_err(|e| self.flaw(file, e));
        self.text(file)?.map(parse).transpose()
    }

    /// `config.json`; else Google's, which leaves out what everybody knew then.
    fn config(&self) -> Result<Option<Value>, EncoderError> {
        let Some(config) = self.json(CONFIG)? else {
            let mut google: Option<Value> = self.json(BERT_CONFIG)?;
            if let Some(fields) = google.as_mut().and_then(Value::as_object_mut) {
                fields.entry("model_type").or_insert_with(|| "bert".into());
            }
            return Ok(google);
        };
        Ok(Some(config))
    }

    fn architecture(
        &self,
        config: Option<&Value>,
        own: Option<&Card>,
    ) -> Result<(Family, Architecture), EncoderError> {
        let resnet = |depth| {
            let config = ResNetConfig::of_depth(depth).expect("a family has a known depth");
            (Family::ResNet(depth), Architecture::ResNet(config))
        };
        let Some(config) = config else {
            return match (own.map(|card| card.architecture), self.torchvision()) {
                (Some(Family::ResNet(depth)), _) => Ok(resnet(depth)),
                (None, Some(weights)) => Ok(resnet(weights.depth)),
                _ => {
                    Err(self
                        .unusable(format!("{CONFIG} is missing; copy it from where the weights came from")))
                }
            };
        };
        let field = |name: &str| config.get(name).and_then(Value::as_str);
        let parsed = |e: serde_json::Error| self.flaw(CONFIG, e);
        match (field("model_type"), field("architecture")) {
            (Some("bert"), _) => {
                let config = serde_json::from_value(config.clone()).map_err(parsed)?;
                Ok((Family::Bert, Architecture::Bert(config)))
            }
            (Some("xlm-roberta"), _) => {
                let mut network: BertConfig = serde_json::from_value(config.clone()).map_err(parsed)?;
                let pad = config.get("pad_token_id").and_then(Value::as_u64).unwrap_or(1);
                network.position_offset = (pad as usize).saturating_add(1);
                Ok((Family::XlmRoberta, Architecture::XlmRoberta(network)))
            }
            (Some("albert"), _) => {
                let config = serde_json::from_value(config.clone()).map_err(parsed)?;
                Ok((Family::Albert, Architecture::Albert(config)))
            }
            (Some(other), _) => Err(self.unusable(format!(
                "model_type {other:?} is not computed by simile; take a bert, xlm-roberta or albert, or a ResNet in timm's form"
            ))),
            (None, Some(name)) => match name.parse() {
                Ok(Family::ResNet(depth)) => Ok(resnet(depth)),
                Ok(_) => Err(self.flaw(CONFIG, "a text network is told by model_type, not architecture")),
                Err(why) => Err(self.unusable(format!("{why}; choose another model"))),
            },
            (None, None) => Err(self.unusable(format!("{CONFIG} names neither model_type nor architecture"))),
        }
    }

    /// A README is for people: one that cannot be read says nothing.
    fn front_matter(&self) -> language::FrontMatter {
        let mut head = Vec::new();
        let read =
            File::open(self.path.join("README.md")).and_then(|f| f.take(MAX_TEXT).read_to_end(&mut head));
        read.map(|_| language::front_matter(&String::from_utf8_lossy(&head))).unwrap_or_default()
    }
}

/// Whether the weights are whole and of this architecture, from their header: a few tensors tell.
fn probe(spec: &EncoderSpec) -> Result<(), EncoderError> {
    for step in &spec.head {
        if let Step::Dense { input, output, weights, .. } = step {
            Weights::open(weights, Device::Cpu)?.expect_shape("linear.weight", &[*output, *input])?;
        }
    }
    let weights = Weights::open(&spec.files.weights, Device::Cpu)?;
    let prefix = |p: &'static str| {
        if weights.has(&format!("{p}embeddings.word_embeddings.weight")) { p } else { "" }
    };
    match &spec.architecture {
        Architecture::Bert(c) | Architecture::XlmRoberta(c) => {
            let xlm = matches!(spec.architecture, Architecture::XlmRoberta(_));
            let (p, last) = (prefix(if xlm { "roberta." } else { "bert." }), c.num_hidden_layers - 1);
            let table = format!("{p}embeddings.word_embeddings.weight");
            weights.expect_shape(&table, &[c.vocab_size, c.hidden_size])?;
            let up = format!("{p}encoder.layer.{last}.intermediate.dense.weight");
            weights.expect_shape(&up, &[c.intermediate_size, c.hidden_size])
        }
        Architecture::Albert(c) => {
            let p = prefix("albert.");
            let table = format!("{p}embeddings.word_embeddings.weight");
            weights.expect_shape(&table, &[c.vocab_size, c.embedding_size])?;
            let widen = format!("{p}encoder.embedding_hidden_mapping_in.weight");
            weights.expect_shape(&widen, &[c.hidden_size, c.embedding_size])
        }
        Architecture::NgramHash(_) => Ok(()),
        Architecture::ResNet(c) => {
            weights.expect_shape("conv1.weight", &[c.width, 3, 7, 7])?;
            let (widest, last) = (c.width * 8, c.layers[3] - 1);
            match c.block {
                Block::Basic => {
                    weights.expect_shape(&format!("layer4.{last}.conv2.weight"), &[widest, widest, 3, 3])
                }
                Block::Bottleneck => {
                    weights.expect_shape(&format!("layer4.{last}.conv3.weight"), &[c.dim(), widest, 1, 1])
                }
            }
        }
    }
}
