//! One encoder as a list shows it, and which of two is the better. Knows neither folders nor sources.

use serde::Serialize;

use crate::encoder::card::{Card, Family};
use crate::encoder::discover::Found;
use crate::encoder::places::Origin;
use crate::encoder::{Architecture, Block, Modality};
use crate::text::Language;
use crate::types::{Coded, Dim, EncoderName};

/// Whether an encoder can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EncoderState)]
pub enum State {
    OnDisk,
    Pullable,
    /// [`Entry::why`] says why, and what to do.
    Unusable,
}

/// One encoder as a list shows it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Encoder)]
pub struct Entry {
    pub name: EncoderName,
    pub title: String,
    /// Unknown for a folder that cannot be read.
    pub modality: Option<Modality>,
    pub architecture: Option<String>,
    pub dim: Option<Dim>,
    /// ISO 639-1, `*` for any; empty for photos, and where nothing tells.
    pub languages: Vec<String>,
    pub licence: Option<String>,
    pub homepage: Option<String>,
    pub quality: u8,
    pub starter: bool,
    pub origin: Origin,
    pub state: State,
    /// The vectors of these very files were compared with the original's: see [`Catalog::verify`].
    pub verified: bool,
    pub why: Option<String>,
    /// The stable code of that.
    #[serde(skip)]
    pub code: Option<&'static str>,
    /// The folder, `None` for an encoder that needs no file; bytes that are no UTF-8 are shown as �.
    pub path: Option<String>,
    /// Where it can be pulled from, in order.
    pub sources: Vec<String>,
    /// What pulling costs, roughly.
    pub bytes: Option<u64>,
}

impl Entry {
    /// Whether it reads a language. `None`, not known yet, is read by all. One that tells no language reads none:
    /// it is used when named, never chosen silently.
    pub fn reads(&self, language: Option<Language>) -> bool {
        let has = |code: &str| self.languages.iter().any(|l| l == code || l == "*");
        match language {
            _ if self.modality == Some(Modality::Photo) => true,
            None => true,
            Some(Language::Zh) => has("zh"),
            Some(Language::En) => has("en"),
            Some(Language::Mixed) => has("*") || (has("zh") && has("en")),
            Some(Language::Other) => has("*"),
        }
    }

    pub(super) fn fits(&self, modality: Modality, language: Option<Language>) -> bool {
        self.modality == Some(modality) && self.reads(language)
    }

    /// Larger is better: published before starters, the user's before simile's own.
    fn rank(&self) -> (bool, bool, u8) {
        (!self.starter, self.origin == Origin::Root, self.quality)
    }
}

pub(super) fn best_first(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = entries.collect();
    // Stable: of equals, the first in the order of search.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.rank()));
    entries
}

pub(super) fn entry_of(found: &Found, card: Option<&Card>) -> Entry {
    let mut entry = Entry {
        name: found.name.clone(),
        title: found.name.to_string(),
        modality: None,
        architecture: None,
        dim: None,
        languages: Vec::new(),
        licence: None,
        homepage: None,
        quality: 0,
        starter: false,
        origin: found.origin,
        state: State::Unusable,
        verified: false,
        why: None,
        code: None,
        path: Some(found.path.display().to_string()),
        sources: Vec::new(),
        bytes: None,
    };
    match &found.outcome {
        Ok(d) => {
            entry.title = d.title.clone().unwrap_or(entry.title);
            entry.modality = Some(d.spec.modality);
            entry.architecture = Some(architecture(&d.spec.architecture));
            entry.dim = Dim::new(d.spec.dim());
            entry.languages = d.spec.languages.clone();
            (entry.licence, entry.homepage) = (d.licence.clone(), d.homepage.clone());
            (entry.quality, entry.starter) = (d.quality, d.starter);
            entry.state = State::OnDisk;
        }
        Err(error) => {
            if let Some(card) = card {
                let origin = entry.origin;
                let path = entry.path;
                entry = Entry { origin, path, state: State::Unusable, ..entry_of_card(card) };
            }
            entry.why = Some(error.to_string());
            entry.code = Some(error.code());
        }
    }
    entry
}

pub(super) fn entry_of_card(card: &Card) -> Entry {
    let file_less = card.architecture == Family::NgramHash;
    Entry {
        name: card.name.clone(),
        title: card.title.clone(),
        modality: Some(card.modality),
        architecture: Some(card.architecture.to_string()),
        dim: Some(card.dim),
        languages: card.languages.clone(),
        licence: card.licence.clone(),
        homepage: card.homepage.clone(),
        quality: card.quality,
        starter: card.starter,
        origin: if file_less { Origin::Own } else { Origin::Card },
        state: if file_less { State::OnDisk } else { State::Pullable },
        verified: false,
        why: None,
        code: None,
        path: None,
        sources: card.sources.iter().map(ToString::to_string).collect(),
        bytes: card.bytes,
    }
}

fn architecture(of: &Architecture) -> String {
    match of {
        Architecture::Bert(_) => Family::Bert.to_string(),
        Architecture::XlmRoberta(_) => Family::XlmRoberta.to_string(),
        Architecture::Albert(_) => Family::Albert.to_string(),
        Architecture::NgramHash(_) => Family::NgramHash.to_string(),
        Architecture::ResNet(c) => {
            let per_block = match c.block {
                Block::Basic => 2,
                Block::Bottleneck => 3,
            };
            // Stem and classifier are counted in a ResNet's number.
            format!("ResNet-{}", c.layers.iter().sum::<usize>() * per_block + 2)
        }
    }
}
