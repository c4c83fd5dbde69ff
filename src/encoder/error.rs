//! What can go wrong between a model's files and a vector.

use std::path::PathBuf;

use super::Modality;
use super::source::SourceError;
use crate::types::{Coded, EncoderName, Fault, VectorError};

/// What loading gives; `Result` alone is often candle's.
pub type Loaded<T> = std::result::Result<T, EncoderError>;

/// Why there is no encoder, or no vector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    #[error("text {at} is empty; give it at least one word")]
    EmptyText { at: usize },
    #[error(
        "{encoder} reads one text at a time, not pairs; name a BERT or an ALBERT, or leave --together out"
    )]
    NoPairs { encoder: EncoderName },
    #[error("{encoder} reads {reads}, not {given}; choose an encoder for {given}")]
    WrongModality { encoder: EncoderName, reads: Modality, given: Modality },
    #[error(
        "crop {at} is {got} x {got} pixels, {encoder} wants {want} x {want}; make it with the encoder's preprocessing"
    )]
    WrongCrop { encoder: EncoderName, at: usize, got: u32, want: u32 },
    #[error("text {at} is not 1 to {most} tokens below {vocabulary}, which {encoder} reads")]
    Tokens { encoder: EncoderName, at: usize, most: usize, vocabulary: usize },
    #[error("{}: cannot be read ({source}); check the model's folder or pull the model again", .file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{}: is no whole file of weights ({why}); pull or copy the model again", .file.display())]
    Damaged { file: PathBuf, why: String },
    #[error(
        "{}: is in PyTorch's form from before 1.6, which is not read; save it anew with: python3 -c \"import torch; p = '{}'; torch.save(torch.load(p, map_location='cpu', weights_only=True), p)\"",
        .file.display(), .file.display()
    )]
    LegacyPickle { file: PathBuf },
    #[error(
        "{}: holds TensorFlow's weights, which are not read; convert them with: {command}", .folder.display()
    )]
    TensorFlow { folder: PathBuf, command: String },
    #[error(
        "{}: is not what once came there: its sha256 is not the one written down; get it anew with: simile models remove {name} --force, then simile models pull {name}; or, if it came with simile, put simile's own file back; or, if you changed a copy of your own, remove manifest.json beside it",
        .file.display()
    )]
    Changed { file: PathBuf, name: EncoderName },
    #[error("{name} is used by {}; give it another encoder first, or remove with --force", .collections.join(", "))]
    InUse { name: EncoderName, collections: Vec<String> },
    #[error("{name} lies in {}, which is not simile's to remove; take that folder away yourself", .folder.display())]
    NotRemovable { name: EncoderName, folder: PathBuf },
    #[error("{name} could not be added: {source}")]
    Add { name: EncoderName, source: SourceError },
    #[error("{name}: its vectors differ from the original's by up to {error}; get it anew, or report it")]
    Parity { name: EncoderName, error: f32 },
    #[error("{name} is in the data folder already; remove it first, or add with another --name")]
    Exists { name: EncoderName },
    #[error("{}: tensor {tensor} is missing; the weights are of another architecture than the card says", .file.display())]
    MissingTensor { file: PathBuf, tensor: String },
    #[error("{}: tensor {tensor} has shape {got:?}, its config wants {want:?}; weights and config do not belong together", .file.display())]
    WrongShape { file: PathBuf, tensor: String, got: Vec<usize>, want: Vec<usize> },
    #[error("{}: tensor {tensor} is stored as {got}, which is not read; store it as F32 or F16", .file.display())]
    WrongType { file: PathBuf, tensor: String, got: String },
    #[error("{encoder}: {what} cannot be; correct its card or config.json")]
    Config { encoder: EncoderName, what: String },
    #[error("{}: is no tokenizer that is understood ({why}); pull the model again", .file.display())]
    Tokenizer { file: PathBuf, why: String },
    #[error("{encoder}: input {at} gave no usable vector ({source}); its weights are damaged")]
    Vector { encoder: EncoderName, at: usize, source: VectorError },
    #[error("{encoder}: computing failed ({why})")]
    Compute { encoder: EncoderName, why: String },
    #[error("there is no encoder {name:?}; {}", suggest(.near))]
    Unknown { name: String, near: Vec<String> },
    #[error(
        "{name} is not on disk; get it with: simile models pull {name}, or name a folder that holds it with --models"
    )]
    NotOnDisk { name: EncoderName },
    #[error("{name} is built in and has no files, so there is nothing to verify or to remove")]
    BuiltIn { name: EncoderName },
    #[error("{}: {why}", .folder.display())]
    Unusable { folder: PathBuf, why: String },
    #[error(
        "the {name} on disk is not the one that made these vectors; give back its folder, or index again"
    )]
    OtherSpace { name: EncoderName },
    #[error("no encoder on disk reads {what}; {advice}")]
    NoneFits { what: String, advice: String },
    #[error("{name} could not be pulled: {}", answers(.tried))]
    NotPulled { name: EncoderName, tried: Vec<(String, SourceError)> },
    #[error("{name} could not be pulled: {source}")]
    Pull { name: EncoderName, source: SourceError },
    #[error("{name} is being pulled already; wait until that is done")]
    Pulling { name: EncoderName },
}

impl EncoderError {
    /// Whether a pull ended because that was wished.
    pub fn was_stopped(&self) -> bool {
        matches!(self, Self::Pull { source: SourceError::Stopped, .. })
    }
}

fn suggest(names: &[String]) -> String {
    match names {
        [] => "see: simile models list".to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    }
}

fn answers(tried: &[(String, SourceError)]) -> String {
    let lines: Vec<String> = tried.iter().map(|(source, error)| format!("{source}: {error}")).collect();
    lines.join("; ")
}

impl Coded for EncoderError {
    fn code(&self) -> &'static str {
        match self {
            Self::EmptyText { .. } => "text.empty",
            Self::NoPairs { .. } => "encoder.no_pairs",
            Self::WrongModality { .. } => "encoder.modality",
            Self::WrongCrop { .. } => "encoder.crop",
            Self::Tokens { .. } => "encoder.tokens",
            Self::Unreadable { .. } => "model.unreadable",
            Self::Damaged { .. } => "model.damaged",
            Self::Changed { .. } => "model.changed",
            Self::InUse { .. } => "encoder.in_use",
            Self::Add { source, .. } => source.code(),
            Self::Parity { .. } => "encoder.parity",
            Self::NotRemovable { .. } => "encoder.not_removable",
            Self::Exists { .. } => "encoder.exists",
            Self::LegacyPickle { .. } => "model.legacy_pickle",
            Self::TensorFlow { .. } => "model.tensorflow",
            Self::MissingTensor { .. } => "model.tensor_missing",
            Self::WrongShape { .. } => "model.tensor_shape",
            Self::WrongType { .. } => "model.tensor_type",
            Self::Config { .. } => "model.config",
            Self::Tokenizer { .. } => "model.tokenizer",
            Self::Vector { .. } => "encoder.vector",
            Self::Compute { .. } => "encoder.compute",
            Self::Unknown { .. } => "encoder.unknown",
            Self::NotOnDisk { .. } => "encoder.not_on_disk",
            Self::BuiltIn { .. } => "encoder.built_in",
            Self::Unusable { .. } => "encoder.unusable",
            Self::OtherSpace { .. } => "encoder.other_space",
            Self::NoneFits { .. } => "encoder.none",
            Self::NotPulled { tried, .. } => match tried.as_slice() {
                [(_, only)] => only.code(),
                _ => "encoder.not_pulled",
            },
            Self::Pull { source, .. } => source.code(),
            Self::Pulling { .. } => "encoder.pulling",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::EmptyText { .. }
            | Self::NoPairs { .. }
            | Self::WrongModality { .. }
            | Self::WrongCrop { .. }
            | Self::Tokens { .. } => Fault::Input,
            Self::Vector { .. } | Self::Compute { .. } => Fault::Internal,
            Self::Unknown { .. } => Fault::NotFound,
            Self::InUse { .. } | Self::NotRemovable { .. } | Self::Exists { .. } | Self::BuiltIn { .. } => {
                Fault::Conflict
            }
            Self::Pull { source, .. } | Self::Add { source, .. } => source.fault(),
            Self::Pulling { .. } => Fault::Busy,
            _ => Fault::Unavailable,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::EmptyText { .. } => Some("text"),
            Self::Unknown { .. } | Self::NotOnDisk { .. } => Some("encoder"),
            _ => None,
        }
    }

    fn item(&self) -> Option<String> {
        match self {
            Self::Unreadable { file, .. }
            | Self::Damaged { file, .. }
            | Self::LegacyPickle { file }
            | Self::Changed { file, .. }
            | Self::MissingTensor { file, .. }
            | Self::WrongShape { file, .. }
            | Self::WrongType { file, .. }
            | Self::Tokenizer { file, .. }
            | Self::TensorFlow { folder: file, .. }
            | Self::Unusable { folder: file, .. } => Some(file.display().to_string()),
            Self::Unknown { name, .. } => Some(name.clone()),
            Self::NoPairs { encoder: name }
            | Self::WrongModality { encoder: name, .. }
            | Self::WrongCrop { encoder: name, .. }
            | Self::InUse { name, .. }
            | Self::NotRemovable { name, .. }
            | Self::Add { name, .. }
            | Self::Parity { name, .. }
            | Self::Exists { name }
            | Self::Config { encoder: name, .. }
            | Self::Vector { encoder: name, .. }
            | Self::Compute { encoder: name, .. }
            | Self::NotOnDisk { name }
            | Self::BuiltIn { name }
            | Self::OtherSpace { name }
            | Self::NotPulled { name, .. }
            | Self::Pull { name, .. }
            | Self::Pulling { name } => Some(name.to_string()),
            _ => None,
        }
    }
}
