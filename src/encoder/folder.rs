//! A model's folder, as simile, sentence-transformers or timm lay it out, becomes a spec. Knows no search order.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::card::{Card, CardPreprocess, Family};
use super::check::check;
use super::language;
use super::weights::Weights;
use super::{
    Architecture, BertConfig, Block, EncoderError, EncoderSpec, Modality, ModelFiles, Pooling, ResNetConfig,
};
use crate::photo::{Filter, Preprocess};
use crate::types::EncoderName;

/// A card of ours within a model's folder.
pub const CARD: &str = "card.toml";
const CONFIG: &str = "config.json";
/// Configs are a few KB; more is something else.
const MAX_TEXT: u64 = 1 << 20;

/// A folder that can be loaded, and what is said of it.
#[derive(Debug, Clone)]
pub struct Described {
    pub spec: EncoderSpec,
    pub title: Option<String>,
    pub licence: Option<String>,
    pub homepage: Option<String>,
    pub quality: u8,
    pub starter: bool,
}

/// Whether `folder` claims to hold a model: it may still be an unusable one.
pub fn is_model(folder: &Path) -> bool {
    [CARD, CONFIG, "model.safetensors", "pytorch_model.bin"].iter().any(|file| folder.join(file).is_file())
}

/// The card of a folder that holds nothing else of a model: it only tells where to pull from.
pub fn bare_card(folder: &Path) -> Option<Card> {
    let beside = [CONFIG, "model.safetensors"].iter().any(|file| folder.join(file).exists());
    let toml = Folder { path: folder }.text(CARD).ok()??;
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
    let config: Option<Value> = at.json(CONFIG)?;
    let (family, architecture) = at.architecture(config.as_ref(), own.as_ref())?;
    let same = |card: &&Card| card.architecture == family && card.dim.get() == architecture.dim();
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
        title: card.map(|c| c.title.clone()),
        licence: card.and_then(|c| c.licence.clone()).or(readme.licence),
        homepage: card.and_then(|c| c.homepage.clone()),
        quality: card.map_or(Card::MIDDLING, |c| c.quality),
        starter: card.is_some_and(|c| c.starter),
    })
}

struct Folder<'a> {
    path: &'a Path,
}

/// What sentence-transformers keeps beside the network's own config.
#[derive(Default)]
struct Sentences {
    pooling: Option<Pooling>,
    max_tokens: Option<usize>,
    query: String,
    passage: String,
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
            return match own.map(|card| card.architecture) {
                Some(Family::ResNet(depth)) => Ok(resnet(depth)),
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

    fn files(&self, family: Family) -> Result<ModelFiles, EncoderError> {
        let there = |file: &str| Some(self.path.join(file)).filter(|path| path.is_file());
        let tokenizer = match family {
            Family::ResNet(_) | Family::NgramHash => None,
            Family::Bert => there("tokenizer.json").or_else(|| there("vocab.txt")),
            Family::Albert | Family::XlmRoberta => there("tokenizer.json"),
        };
        let weights = there("model.safetensors").or_else(|| self.only_safetensors());
        let Some(weights) = weights else { return Err(self.no_weights()) };
        if !matches!(family, Family::ResNet(_)) && tokenizer.is_none() {
            return Err(self.unusable("tokenizer.json is missing; copy it from where the weights came from"));
        }
        Ok(ModelFiles { weights, tokenizer })
    }

    fn only_safetensors(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.path).ok()?.flatten().map(|e| e.path());
        let mut found =
            entries.filter(|p| p.extension().is_some_and(|end| end == "safetensors") && p.is_file());
        found.next().filter(|_| found.next().is_none())
    }

    fn no_weights(&self) -> EncoderError {
        if self.path.join("model.safetensors.index.json").is_file() {
            return self.unusable("its weights are in several files; save them as one model.safetensors");
        }
        if self.path.join("pytorch_model.bin").is_file() {
            return self.unusable("pytorch_model.bin is not read; save the weights as model.safetensors");
        }
        self.unusable("it has no weights; put model.safetensors there")
    }

    /// A card in the folder wins, then the folder's own files, then what simile knows of that name.
    fn sentences(&self, own: Option<&Card>, card: Option<&Card>) -> Result<Sentences, EncoderError> {
        let (mut query, mut passage) = self.prompts()?;
        if let Some(own) = own {
            (query, passage) = (own.prefixes.query.clone(), own.prefixes.passage.clone());
        } else if let Some(card) = card.filter(|_| query.is_empty() && passage.is_empty()) {
            (query, passage) = (card.prefixes.query.clone(), card.prefixes.passage.clone());
        }
        let pooling = match own.and_then(|card| card.pooling) {
            Some(pooling) => Some(pooling),
            None => self.pooling()?.or(card.and_then(|card| card.pooling)),
        };
        let max_tokens = match own.and_then(|card| card.max_tokens) {
            Some(max) => Some(max),
            None => self.max_tokens()?.or(card.and_then(|card| card.max_tokens)),
        };
        Ok(Sentences { pooling, max_tokens, query, passage })
    }

    fn prompts(&self) -> Result<(String, String), EncoderError> {
        let Some(config) = self.json::<Value>("config_sentence_transformers.json")? else {
            return Ok(Default::default());
        };
        let default = config.get("default_prompt_name").and_then(Value::as_str);
        let prompt = |names: &[&str]| {
            let all = names.iter().copied().chain(default);
            let found =
                all.filter_map(|name| config.get("prompts")?.get(name)?.as_str()).find(|p| !p.is_empty());
            found.unwrap_or_default().to_owned()
        };
        Ok((prompt(&["query"]), prompt(&["document", "passage", "corpus"])))
    }

    fn max_tokens(&self) -> Result<Option<usize>, EncoderError> {
        let sentence: Option<Value> = self.json("sentence_bert_config.json")?;
        if let Some(n) = sentence.as_ref().and_then(|c| c.get("max_seq_length")).and_then(Value::as_u64) {
            return Ok(Some(n as usize));
        }
        let tokenizer: Option<Value> = self.json("tokenizer_config.json")?;
        // Where nobody set it, transformers writes 1e30.
        let max = tokenizer.as_ref().and_then(|c| c.get("model_max_length")).and_then(Value::as_u64);
        Ok(max.filter(|&n| n <= 1 << 20).map(|n| n as usize))
    }

    fn pooling(&self) -> Result<Option<Pooling>, EncoderError> {
        #[derive(Deserialize)]
        struct Module {
            #[serde(rename = "type")]
            kind: String,
            path: String,
        }
        let modules: Vec<Module> = self.json("modules.json")?.unwrap_or_default();
        let kind = |module: &Module| module.kind.rsplit('.').next().unwrap_or_default().to_owned();
        if let Some(other) =
            modules.iter().map(kind).find(|k| !["Transformer", "Pooling", "Normalize"].contains(&k.as_str()))
        {
            return Err(self.unusable(format!(
                "it ends in a {other} layer, which is not computed; choose another model"
            )));
        }
        let place = modules.iter().find(|m| kind(m) == "Pooling").map_or("1_Pooling", |m| m.path.as_str());
        let inside = Path::new(place).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside {
            return Err(self.flaw("modules.json", format!("path {place:?} leads out of the folder")));
        }
        let file = format!("{place}/{CONFIG}");
        let Some(config) = self.json::<Value>(&file)? else { return Ok(None) };
        let on: Vec<&str> = match (config.get("pooling_mode").and_then(Value::as_str), config.as_object()) {
            (Some(mode), _) => vec![mode],
            (None, Some(fields)) => {
                let modes = fields.iter().filter(|(_, value)| value.as_bool() == Some(true));
                modes.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).collect()
            }
            _ => Vec::new(),
        };
        match on.as_slice() {
            ["cls" | "cls_token"] => Ok(Some(Pooling::Cls)),
            ["mean" | "mean_tokens"] => Ok(Some(Pooling::Mean)),
            ["max" | "max_tokens"] => Ok(Some(Pooling::Max)),
            other => {
                Err(self
                    .unusable(format!("{file}: pooling {other:?} is not computed; cls, mean and max are")))
            }
        }
    }

    fn preprocess(&self, config: Option<&Value>, own: Option<&Card>) -> Result<Preprocess, EncoderError> {
        let timm = match (own.and_then(|card| card.preprocess.clone()), config) {
            (Some(card), _) => card,
            (None, Some(config)) => self.timm(config)?,
            (None, None) => return Err(self.flaw(CARD, "[preprocess] is missing")),
        };
        timm.resolve().ok_or_else(|| {
            self.flaw(CONFIG, format!("input size {} with crop_pct {}", timm.input, timm.crop_pct))
        })
    }

    /// timm's `pretrained_cfg`; what it leaves out is as in timm's own ResNets.
    fn timm(&self, config: &Value) -> Result<CardPreprocess, EncoderError> {
        #[derive(Deserialize)]
        struct Timm {
            input_size: Option<[u32; 3]>,
            crop_pct: Option<f64>,
            crop_mode: Option<String>,
            interpolation: Option<String>,
            mean: Option<[f32; 3]>,
            std: Option<[f32; 3]>,
        }
        let fields = config.get("pretrained_cfg").unwrap_or(config).clone();
        let timm: Timm = serde_json::from_value(fields).map_err(|e| self.flaw(CONFIG, e))?;
        let [channels, height, width] = timm.input_size.unwrap_or([3, 224, 224]);
        if channels != 3 || height != width {
            return Err(
                self.flaw(CONFIG, format!("input {channels}x{height}x{width} is no square of three colours"))
            );
        }
        if let Some(mode) = timm.crop_mode.filter(|mode| mode != "center") {
            return Err(self.flaw(CONFIG, format!("crop_mode {mode:?} is not computed; center is")));
        }
        let filter = match timm.interpolation.as_deref() {
            None | Some("bilinear") => Filter::Bilinear,
            Some("bicubic") => Filter::Bicubic,
            Some(other) => {
                return Err(self.flaw(
                    CONFIG,
                    format!("interpolation {other:?} is not computed; bilinear and bicubic are"),
                ));
            }
        };
        Ok(CardPreprocess {
            input: width,
            crop_pct: timm.crop_pct.unwrap_or(0.875),
            filter,
            mean: timm.mean.unwrap_or([0.485, 0.456, 0.406]),
            std: timm.std.unwrap_or([0.229, 0.224, 0.225]),
        })
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
