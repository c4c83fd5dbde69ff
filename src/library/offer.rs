//! What a collection could be switched to with profit: a published encoder for a starter, a new table for one that was
//! fitted on far fewer texts.

use serde::Serialize;

use super::{Collection, Library, LibraryError};
use crate::encoder::{Architecture, Entry, Modality, Space};
use crate::store::{Body, Field, Filter, SpaceRecord};
use crate::text::{self, Language, ngram::Weights};
use crate::types::EncoderName;

/// A table is fitted anew when there are so many times the texts that it was fitted on.
const GROWN: u64 = 10;
/// Questions that tell the language of a collection.
const SAMPLE: usize = 500;

/// A switch that is worth it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "why", rename_all = "lowercase")]
pub enum Offer {
    /// The collection has a starter, and this published encoder reads its language.
    Better {
        encoder: EncoderName,
        /// It is fetched first, so many bytes if that is known.
        fetch: bool,
        bytes: Option<u64>,
    },
    /// The same encoder, fitted on the texts of now.
    Refit { encoder: EncoderName, texts: u64, fitted_on: u64 },
}

impl Offer {
    pub fn encoder(&self) -> &EncoderName {
        match self {
            Self::Better { encoder, .. } | Self::Refit { encoder, .. } => encoder,
        }
    }
}

impl Library {
    /// What a collection had better be switched to; nothing while it is being switched.
    pub fn offers(&self, collection: &Collection) -> Result<Vec<Offer>, LibraryError> {
        let record = collection.record()?;
        let (Some(name), Some(space)) = (&record.encoder, &record.space) else { return Ok(Vec::new()) };
        if record.items == 0 || collection.store().switch(collection.id(), Field::Own)?.is_some() {
            return Ok(Vec::new());
        }
        let mut offers = Vec::new();
        if self.catalog().is_starter(name) {
            offers.extend(self.better(collection)?);
        }
        if is_fitted(space) {
            offers.extend(refit(collection, name, record.parts));
        }
        Ok(offers)
    }

    fn better(&self, collection: &Collection) -> Result<Option<Offer>, LibraryError> {
        let (modality, language) = (Modality::from(collection.kind()), collection.language()?);
        let published = |entry: &Entry| !entry.starter;
        if let Some(entry) = self.catalog().best(modality, language).filter(published) {
            return Ok(Some(Offer::Better { encoder: entry.name, fetch: false, bytes: None }));
        }
        let entry = self.catalog().best_pullable(modality, language).filter(published);
        Ok(entry.map(|entry| Offer::Better { encoder: entry.name, fetch: true, bytes: entry.bytes }))
    }
}

/// Whether its encoder fits a table on the texts; told without loading it.
fn is_fitted(space: &SpaceRecord) -> bool {
    let space = serde_json::from_value::<Space>(space.descriptor.clone());
    space.is_ok_and(|space| matches!(space.architecture, Architecture::NgramHash(_)))
}

fn refit(collection: &Collection, name: &EncoderName, texts: u64) -> Option<Offer> {
    let encoder = collection.encoder().ok()?;
    let fitted_on = encoder.about().ngram_weights()?.texts();
    // From even weights the first table is worth it as soon as there may be one.
    let due = if fitted_on == 0 { Weights::MIN_TEXTS } else { fitted_on.saturating_mul(GROWN) };
    (texts >= due).then(|| Offer::Refit { encoder: name.clone(), texts, fitted_on })
}

impl Collection {
    /// The language that its encoder must read; `None` for photos.
    pub fn language(&self) -> Result<Option<Language>, LibraryError> {
        let items = self.list(&Filter::default(), None, SAMPLE)?;
        let questions: Vec<&str> = items
            .iter()
            .filter_map(|item| match &item.body {
                Body::Faq { question, .. } => Some(question.as_str()),
                Body::Photo { .. } => None,
            })
            .collect();
        Ok((!questions.is_empty()).then(|| text::language_needed(questions)))
    }

    /// All texts that it has vectors of: what a table is fitted on.
    pub fn texts(&self) -> Result<Vec<String>, LibraryError> {
        Ok(self.store().texts(self.id())?)
    }
}
