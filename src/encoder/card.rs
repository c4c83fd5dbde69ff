//! Cards: what simile knows of an encoder before its files are there. Knows neither disk nor network.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::spec::Pooling;
use super::{Modality, ResNetConfig};
use crate::photo::{Filter, Preprocess};
use crate::types::{Dim, EncoderName};

/// One encoder as `models/NAME.toml` tells it, or a `card.toml` in a model's folder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    pub name: EncoderName,
    pub title: String,
    pub modality: Modality,
    pub architecture: Family,
    pub dim: Dim,
    pub pooling: Option<Pooling>,
    /// Special tokens counted.
    pub max_tokens: Option<usize>,
    #[serde(default)]
    pub prefixes: Prefixes,
    pub preprocess: Option<CardPreprocess>,
    /// ISO 639-1 codes, `*` for an encoder that reads any; empty for photos.
    #[serde(default)]
    pub languages: Vec<String>,
    pub licence: Option<String>,
    pub homepage: Option<String>,
    /// 0 to 100; the better of two that fit is taken when none is named.
    #[serde(default = "middling")]
    pub quality: u8,
    /// Ours, small, to begin with: taken only when nothing published is there.
    #[serde(default)]
    pub starter: bool,
    /// Roughly what pulling it costs.
    pub bytes: Option<u64>,
    /// Tried in this order.
    #[serde(default)]
    pub sources: Vec<SourceCard>,
    /// What the original computes, where somebody ran it on these weights.
    #[serde(default)]
    pub parity: Vec<Parity>,
}

/// A sample, and what the original makes of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Parity {
    /// A text as a passage, and the first numbers of its unit vector.
    Text { text: String, starts: Vec<f32> },
    /// One of simile's own photos, by its path below `samples/photos`, and its unit vector folded into a few sums: number
    /// `i` of it goes into sum `i` modulo how many there are. A photo's vector may begin with zeros, which say nothing.
    Photo { photo: String, folded: Vec<f32> },
}

fn middling() -> u8 {
    Card::MIDDLING
}

impl Card {
    /// The quality of an encoder of which nobody said how good it is.
    pub const MIDDLING: u8 = 50;

    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(toml: &str) -> Result<Self, String> {
        let card: Self = toml::from_str(toml).map_err(|e| e.to_string().trim_end().replace('\n', " "))?;
        let photo = matches!(card.architecture, Family::ResNet(_));
        if photo != (card.modality == Modality::Photo) {
            return Err(format!("a {} does not read {:?}", card.architecture, card.modality));
        }
        Ok(card)
    }

    /// The cards that every simile carries.
    pub fn builtin() -> Vec<Self> {
        const CARDS: [&str; 10] = [
            include_str!("../../models/bge-base-zh-v1.5.toml"),
            include_str!("../../models/text2vec-base-chinese.toml"),
            include_str!("../../models/bge-base-en-v1.5.toml"),
            include_str!("../../models/all-MiniLM-L6-v2.toml"),
            include_str!("../../models/paraphrase-albert-small-v2.toml"),
            include_str!("../../models/paraphrase-multilingual-mpnet-base-v2.toml"),
            include_str!("../../models/paraphrase-multilingual-MiniLM-L12-v2.toml"),
            include_str!("../../models/resnet50.toml"),
            include_str!("../../models/resnet18.toml"),
            include_str!("../../models/ngram-hash.toml"),
        ];
        CARDS.iter().map(|card| Self::parse(card).expect("a test parses every card")).collect()
    }
}

/// Which of the networks that simile computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Bert,
    XlmRoberta,
    Albert,
    /// Depth: 18, 34, 50, 101 or 152.
    ResNet(u32),
    /// Always on disk: it needs no file.
    NgramHash,
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bert => f.write_str("BERT"),
            Self::XlmRoberta => f.write_str("XLM-R"),
            Self::Albert => f.write_str("ALBERT"),
            Self::ResNet(depth) => write!(f, "ResNet-{depth}"),
            Self::NgramHash => f.write_str("n-gram hash"),
        }
    }
}

impl std::str::FromStr for Family {
    type Err = String;
    /// `bert`, `xlm-roberta`, `resnet18`, … as in configs.
    fn from_str(s: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "architecture {s:?} is not known; bert, xlm-roberta, albert and resnet18, 34, 50, 101, 152 are"
            )
        };
        match s {
            "bert" => Ok(Self::Bert),
            "xlm-roberta" => Ok(Self::XlmRoberta),
            "albert" => Ok(Self::Albert),
            "ngram-hash" => Ok(Self::NgramHash),
            _ => {
                let depth = s.strip_prefix("resnet").and_then(|d| d.parse().ok()).ok_or_else(unknown)?;
                ResNetConfig::of_depth(depth).map(|_| Self::ResNet(depth)).ok_or_else(unknown)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Family {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// Put before a text by what it is for. A short question that seeks longer passages is a query. Question
/// against question, as in an FAQ, is symmetric: both sides are passages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prefixes {
    pub query: String,
    pub passage: String,
}

/// Preprocessing in timm's words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardPreprocess {
    pub input: u32,
    pub crop_pct: f64,
    pub filter: Filter,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl CardPreprocess {
    /// The short side is `input / crop_pct`, rounded down as timm does; `None` if that is no size.
    pub fn resolve(&self) -> Option<Preprocess> {
        let short = (f64::from(self.input) / self.crop_pct).floor();
        let sound = self.crop_pct > 0.0 && short >= f64::from(self.input) && short <= f64::from(u16::MAX);
        sound.then_some(Preprocess {
            short: short as u32,
            crop: self.input,
            filter: self.filter,
            mean: self.mean,
            std: self.std,
        })
    }
}

/// Where a model's files can be had.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum SourceCard {
    /// A folder of this machine.
    Folder {
        path: PathBuf,
        #[serde(default)]
        sha256: Pins,
    },
    /// A repository of the Hugging Face hub.
    Hub {
        repo: String,
        #[serde(default = "main")]
        revision: String,
        #[serde(default)]
        sha256: Pins,
    },
    /// Files that lie within a Python wheel.
    Wheel {
        package: String,
        version: String,
        /// Within the wheel, with `/`.
        subfolder: String,
        #[serde(default)]
        sha256: Pins,
    },
}

/// File name → sha256, 64 lower-case hex digits.
pub type Pins = BTreeMap<String, String>;

fn main() -> String {
    "main".to_owned()
}

impl SourceCard {
    pub fn pins(&self) -> &Pins {
        match self {
            Self::Folder { sha256, .. } | Self::Hub { sha256, .. } | Self::Wheel { sha256, .. } => sha256,
        }
    }
}

impl std::fmt::Display for SourceCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder { path, .. } => write!(f, "folder {}", path.display()),
            Self::Hub { repo, .. } => write!(f, "Hugging Face hub, {repo}"),
            Self::Wheel { package, version, .. } => write!(f, "Python wheel {package} {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Encoder;

    #[test]
    fn every_card_of_ours_is_whole() {
        let cards = Card::builtin();
        assert_eq!(cards.len(), std::fs::read_dir("models").unwrap().filter(is_card).count());
        for card in &cards {
            let name = card.name.as_str();
            if card.architecture == Family::NgramHash {
                assert_eq!((card.dim, card.starter), (Encoder::ngram_hash(None).dim(), true));
                continue;
            }
            assert!(!card.sources.is_empty() && card.licence.is_some(), "{name}");
            match card.modality {
                Modality::Text => {
                    assert!(card.pooling.is_some() && !card.languages.is_empty(), "{name}");
                }
                Modality::Photo => {
                    let p = card.preprocess.as_ref().and_then(CardPreprocess::resolve).unwrap();
                    assert_eq!((p.short, p.crop), (256, 224), "{name}");
                }
            }
            if let Family::ResNet(depth) = card.architecture {
                assert_eq!(ResNetConfig::of_depth(depth).unwrap().dim(), card.dim.get(), "{name}");
            }
            let hex = |pin: &String| pin.len() == 64 && pin.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(card.sources.iter().flat_map(|s| s.pins().values()).all(hex), "{name}");
        }
    }

    fn is_card(file: &std::io::Result<std::fs::DirEntry>) -> bool {
        file.as_ref().is_ok_and(|f| f.path().extension().is_some_and(|end| end == "toml"))
    }

    #[test]
    fn a_card_with_a_slip_says_where() {
        let good = include_str!("../../models/resnet18.toml");
        let e = Card::parse(&good.replace("licence", "license")).unwrap_err();
        assert!(e.contains("license"), "{e}");
        let e = Card::parse(&good.replace("\"resnet18\"\ndim", "\"resnet18d\"\ndim")).unwrap_err();
        assert!(e.contains("resnet18d") && e.contains("albert"), "{e}");
        let e = Card::parse(&good.replace("\"photo\"", "\"text\"")).unwrap_err();
        assert!(e.contains("does not read"), "{e}");
    }

    #[test]
    fn the_short_side_is_rounded_down_as_timm_does() {
        let card = Card::builtin().into_iter().find(|c| c.name.as_str() == "resnet50").unwrap();
        let mut p = card.preprocess.unwrap();
        p.crop_pct = 0.9; // 248.9
        assert_eq!(p.resolve().unwrap().short, 248);
        p.crop_pct = 0.0;
        assert_eq!(p.resolve(), None);
    }
}
