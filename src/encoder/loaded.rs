//! A loaded encoder: what the rest of the program calls.

use super::blueprint::{Blueprint, Shape};
use super::check::check;
use super::device::device;
use super::digest::Digests;
use super::error::Loaded;
use super::head::Head;
use super::ngram_hash::NgramHash;
use super::packed::PackedCache;
use super::precision::How;
use super::resnet::ResNet;
use super::tokens::{Ids, Tokens};
use super::transformer::Transformer;
use super::weights::Unopened;
use super::{Architecture, Embedding, EncoderError, EncoderSpec, Modality, Pooling, Precision, Role, Space};
use super::{albert, bert, language, precision};
use crate::config::PrecisionSetting;
use crate::photo::{Crop, Preprocess};
use crate::text::{self, Script, Scripts, ngram};
use crate::types::{Dim, EncoderName, SpaceId, Vector};

/// Weights in memory, ready to encode; shared between threads as it is.
pub struct Encoder {
    network: Network,
    dim: Dim,
    space: Space,
    id: SpaceId,
    modality: Modality,
    languages: Vec<String>,
    /// `None`: all.
    scripts: Option<Scripts>,
}

enum Network {
    Text { network: Transformer, tokens: Tokens, pooling: Pooling, head: Head },
    Photo(ResNet),
    Ngrams(NgramHash),
}

impl Network {
    fn text<'a>(
        spec: &EncoderSpec,
        how: How<'_>,
        (shape, vocabulary): (Shape, usize),
        read: impl Fn() -> Loaded<Blueprint<'a>>,
    ) -> Loaded<Self> {
        let tokens = tokens(spec, vocabulary)?;
        let network = Transformer::load(&shape, read, how, || samples(&tokens, &spec.name))?;
        Ok(Self::Text { network, tokens, pooling: spec.pooling, head: Head::load(&spec.head)? })
    }

    /// The class of its vectors, and what it computes in.
    fn precision(&self) -> (Precision, &'static str) {
        match self {
            Self::Text { network, .. } => network.precision(),
            Self::Photo(resnet) => resnet.precision(),
            Self::Ngrams(_) => (Precision::F32, "f32"),
        }
    }
}

impl Encoder {
    /// [`Encoder::open_in`] f32.
    ///
    /// # Errors
    /// As there.
    pub fn open(spec: &EncoderSpec, digests: &Digests) -> Result<Self, EncoderError> {
        Self::open_in(spec, digests, PrecisionSetting::F32)
    }

    /// [`Encoder::open_kept`] without a cache: weights are packed anew.
    ///
    /// # Errors
    /// As there.
    pub fn open_in(
        spec: &EncoderSpec,
        digests: &Digests,
        setting: PrecisionSetting,
    ) -> Result<Self, EncoderError> {
        Self::open_kept(spec, digests, setting, None)
    }

    /// Loads what `spec` tells of, to be computed as `setting` says; every file is checked before it is computed with.
    /// Weights that were packed before, from a file of this hash, are taken from `cache`, others are put there.
    ///
    /// # Errors
    /// `Config` for an architecture that cannot be; else what is wrong with which file and tensor.
    pub fn open_kept(
        spec: &EncoderSpec,
        digests: &Digests,
        setting: PrecisionSetting,
        cache: Option<&PackedCache>,
    ) -> Result<Self, EncoderError> {
        let config = |what| EncoderError::Config { encoder: spec.name.clone(), what };
        check(spec).map_err(config)?;
        if let Architecture::NgramHash(_) = spec.architecture {
            return Ok(Self::ngram_hash(None));
        }
        let device = device();
        let sha256 = digests.of(&spec.files.weights)?;
        let shelf = cache.and_then(|cache| cache.shelf(spec, &sha256));
        let how = How { device: &device, setting, shelf: shelf.as_ref() };
        let file = Unopened::new(&spec.files.weights, &device);
        let network = match &spec.architecture {
            Architecture::Bert(c) => Network::text(spec, how, (bert::shape(c), c.vocab_size), || {
                bert::read(file.weights()?, c, "bert.")
            })?,
            Architecture::XlmRoberta(c) => Network::text(spec, how, (bert::shape(c), c.vocab_size), || {
                bert::read(file.weights()?, c, "roberta.")
            })?,
            Architecture::Albert(c) => Network::text(spec, how, (albert::shape(c), c.vocab_size), || {
                albert::read(file.weights()?, c)
            })?,
            Architecture::ResNet(c) => {
                let preprocess =
                    spec.preprocess.as_ref().expect("checked: a photo encoder has preprocessing");
                Network::Photo(ResNet::load(&file, c, preprocess, how)?)
            }
            Architecture::NgramHash(_) => unreachable!("made above"),
        };
        let (class, numbers) = network.precision();
        tracing::info!("{} computes in {numbers}", spec.name);
        let space = Space::of(spec, digests, class)?;
        Ok(Self {
            network,
            dim: Dim::new(spec.dim()).ok_or_else(|| config("a vector of no numbers".to_owned()))?,
            id: space.id(),
            space,
            modality: spec.modality,
            languages: spec.languages.clone(),
            scripts: language::scripts(&spec.languages),
        })
    }

    /// The encoder that needs no file, for texts of every script. Its vectors are better with weights fitted on the
    /// texts of the collection; they are part of its space. `None`: all weights are 1.
    pub fn ngram_hash(weights: Option<ngram::Weights>) -> Self {
        let hash = NgramHash::new(weights.unwrap_or_default());
        let space = hash.space();
        Self {
            network: Network::Ngrams(hash),
            dim: NgramHash::dim(),
            id: space.id(),
            space,
            modality: Modality::Text,
            languages: Vec::new(),
            scripts: None,
        }
    }

    /// The fitted table of [`Encoder::ngram_hash`]; `None` for other encoders.
    pub fn ngram_weights(&self) -> Option<&ngram::Weights> {
        if let Network::Ngrams(hash) = &self.network { Some(hash.weights()) } else { None }
    }

    /// What was fitted on a collection, as bytes that are kept with its space; `None` if nothing was.
    pub fn fitted(&self) -> Option<Vec<u8>> {
        self.ngram_weights().filter(|weights| weights.texts() > 0).map(ngram::Weights::to_bytes)
    }

    pub fn name(&self) -> &EncoderName {
        &self.space.encoder
    }
    pub fn modality(&self) -> Modality {
        self.modality
    }
    pub fn dim(&self) -> Dim {
        self.dim
    }
    pub fn languages(&self) -> &[String] {
        &self.languages
    }
    /// Whether at least half of the text's letters are of scripts that this encoder was trained on; true for a text
    /// without letters. A photo encoder reads no text.
    pub fn reads(&self, text: &str) -> bool {
        let letters = || text.chars().filter_map(Script::of);
        match (self.modality, self.scripts) {
            (Modality::Photo, _) => false,
            (Modality::Text, None) => true,
            (Modality::Text, Some(known)) => {
                letters().filter(|&s| known.contains(s)).count() * 2 >= letters().count()
            }
        }
    }
    /// All that makes this encoder's vectors what they are.
    pub fn space(&self) -> &Space {
        &self.space
    }
    /// `f32`, `bf16` or `int8`.
    pub fn computes_in(&self) -> &'static str {
        self.network.precision().1
    }
    pub fn space_id(&self) -> &SpaceId {
        &self.id
    }
    /// How a photo becomes a crop for [`Encoder::encode_crops`]; `None` for text encoders.
    pub fn preprocess(&self) -> Option<&Preprocess> {
        self.space.preprocess.as_ref()
    }

    /// One unit vector per text, in their order.
    ///
    /// # Errors
    /// `EmptyText` for the first text without a word, `WrongModality` for a photo encoder.
    pub fn encode_texts(&self, texts: &[&str], role: Role) -> Result<Vec<Embedding>, EncoderError> {
        if let Network::Ngrams(hash) = &self.network {
            return hash.encode(texts);
        }
        let Network::Text { tokens, .. } = &self.network else {
            return Err(self.reads_not(Modality::Text));
        };
        let ids = self.tokenize(tokens, texts, role)?;
        let rows = self.of_tokens(&ids.iter().map(|t| t.ids.as_slice()).collect::<Vec<_>>())?;
        let embedding = |(vector, ids): (Vector, &Ids)| Embedding { vector, truncated: ids.truncated };
        Ok(rows.into_iter().zip(&ids).map(embedding).collect())
    }

    /// One unit vector per text that is tokens already, those at its ends among them, in their order.
    ///
    /// # Errors
    /// `Tokens` for the first text without a token, with more than there are positions for, or with one that the
    /// vocabulary lacks; `WrongModality` for any encoder that is no text network.
    pub fn encode_tokens(&self, texts: &[&[u32]]) -> Result<Vec<Vector>, EncoderError> {
        let (most, vocabulary) = match &self.space.architecture {
            Architecture::Bert(c) | Architecture::XlmRoberta(c) => (self.space.max_tokens, c.vocab_size),
            Architecture::Albert(c) => (self.space.max_tokens, c.vocab_size),
            Architecture::ResNet(_) | Architecture::NgramHash(_) => {
                return Err(self.reads_not(Modality::Text));
            }
        };
        let most = most.unwrap_or(usize::MAX);
        let sound = |text: &&[u32]| {
            (1..=most).contains(&text.len()) && text.iter().all(|&token| (token as usize) < vocabulary)
        };
        if let Some(at) = texts.iter().position(|text| !sound(text)) {
            return Err(EncoderError::Tokens { encoder: self.name().clone(), at, most, vocabulary });
        }
        self.of_tokens(texts)
    }

    fn of_tokens(&self, texts: &[&[u32]]) -> Result<Vec<Vector>, EncoderError> {
        let Network::Text { network, pooling, head, .. } = &self.network else {
            return Err(self.reads_not(Modality::Text));
        };
        let rows = network.encode(texts, *pooling).map_err(|e| self.failed(&e))?;
        let vector = |(i, (row, text)): (usize, (Vec<f32>, &&[u32]))| {
            let row = match pooling {
                Pooling::MeanSqrtLen => {
                    let root = (text.len() as f32).sqrt();
                    row.into_iter().map(|v| v * root).collect()
                }
                _ => row,
            };
            self.unit(i, head.forward(row))
        };
        rows.into_iter().zip(texts).enumerate().map(vector).collect()
    }

    /// One unit vector per pair of texts, in their order: both go through the network as one input with a separator
    /// between them, so that each is read in the light of the other. Token types are those of a single text.
    ///
    /// # Errors
    /// `NoPairs` for an encoder that reads one text at a time; `EmptyText`.
    pub fn encode_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<Embedding>, EncoderError> {
        let separator =
            if let Network::Text { tokens, .. } = &self.network { tokens.separator() } else { None };
        let none = || EncoderError::NoPairs { encoder: self.name().clone() };
        let separator = separator.ok_or_else(none)?;
        let joined: Vec<String> = pairs.iter().map(|(a, b)| format!("{a} {separator} {b}")).collect();
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        self.encode_texts(&joined, Role::Passage)
    }

    /// One unit vector per crop, in their order.
    ///
    /// # Errors
    /// `WrongCrop` for a side other than [`Encoder::preprocess`] makes, `WrongModality` for a text encoder.
    pub fn encode_crops(&self, crops: &[Crop]) -> Result<Vec<Embedding>, EncoderError> {
        let (Network::Photo(resnet), Some(p)) = (&self.network, self.preprocess()) else {
            return Err(self.reads_not(Modality::Photo));
        };
        if let Some(at) = crops.iter().position(|crop| crop.side() != p.crop) {
            let (encoder, got) = (self.name().clone(), crops[at].side());
            return Err(EncoderError::WrongCrop { encoder, at, got, want: p.crop });
        }
        let pixels: Vec<&[u8]> = crops.iter().map(Crop::pixels).collect();
        let rows = resnet.encode(&pixels, p.crop as usize).map_err(|e| self.failed(&e))?;
        let unit = |(i, row)| Ok(Embedding { vector: self.unit(i, row)?, truncated: false });
        rows.into_iter().enumerate().map(unit).collect()
    }

    fn tokenize(&self, tokens: &Tokens, texts: &[&str], role: Role) -> Result<Vec<Ids>, EncoderError> {
        let prefix = match role {
            Role::Query => &self.space.query_prefix,
            Role::Passage => &self.space.passage_prefix,
        };
        let one = |(at, text): (usize, &&str)| {
            // The prefix has tokens, so it would hide that the text has none.
            if text::normalise(text).is_empty() {
                return Err(EncoderError::EmptyText { at });
            }
            match tokens.ids(prefix, text) {
                Ok(ids) => ids.ok_or(EncoderError::EmptyText { at }),
                Err(why) => Err(EncoderError::Compute { encoder: self.name().clone(), why }),
            }
        };
        texts.iter().enumerate().map(one).collect()
    }

    fn unit(&self, at: usize, row: Vec<f32>) -> Result<Vector, EncoderError> {
        Vector::unit(row, self.dim).map_err(|source| EncoderError::Vector {
            encoder: self.name().clone(),
            at,
            source,
        })
    }

    fn failed(&self, e: &candle_core::Error) -> EncoderError {
        EncoderError::Compute { encoder: self.name().clone(), why: e.to_string() }
    }

    fn reads_not(&self, given: Modality) -> EncoderError {
        EncoderError::WrongModality { encoder: self.name().clone(), reads: self.modality, given }
    }
}

fn tokens(spec: &EncoderSpec, vocabulary: usize) -> Loaded<Tokens> {
    let path = spec.files.tokenizer.as_deref().expect("checked: a text encoder has a tokenizer");
    Tokens::open(path, spec.positions_read().expect("a text network has positions"), vocabulary)
}

/// What `auto` checks bf16 on, as token ids.
fn samples(tokens: &Tokens, encoder: &EncoderName) -> Loaded<Vec<Ids>> {
    let failed = |why| EncoderError::Compute { encoder: encoder.clone(), why };
    let ids = |text: String| tokens.ids("", &text).map_err(failed).transpose();
    precision::samples().into_iter().filter_map(ids).collect()
}
