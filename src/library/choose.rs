//! Which encoder a collection gets: the one named, else the best for its kind and language.

use std::sync::Arc;

use super::encoders::LoadedEncoder;
use super::jobs::{JobError, Outcome};
use super::progress::{Phase, Tracker};
use super::{Library, LibraryError};
use crate::encoder::{self, EncoderError, Modality, Watcher};
use crate::index::Recipe;
use crate::text::Language;
use crate::types::{EncoderName, Kind};

/// What a collection needs of its encoder.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub kind: Kind,
    /// Of the texts, where there are any.
    pub language: Option<Language>,
    /// The person's own choice.
    pub named: Option<&'a EncoderName>,
}

impl Watcher for Tracker {
    fn tell(&self, progress: encoder::Progress) {
        self.set(progress.done, progress.total.unwrap_or_default());
    }

    fn stopped(&self) -> bool {
        self.cancelled()
    }
}

impl From<Kind> for Modality {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Photos => Self::Photo,
            Kind::Faq => Self::Text,
        }
    }
}

impl Library {
    /// An encoder that fits, loaded; fetched first if it is not on disk and a source answers within seconds.
    ///
    /// # Errors
    /// `encoder.none_fits` says exactly what to do; an encoder that was named is never replaced by another.
    pub fn encoder_for(&self, wanted: Wanted, tracker: &Tracker) -> Result<Arc<LoadedEncoder>, LibraryError> {
        let name = match wanted.named {
            Some(name) => name.clone(),
            None => {
                tracker.begin(Phase::GettingEncoder, 0);
                let modality = wanted.kind.into();
                self.catalog().best_or_pull(modality, wanted.language, tracker)?.name
            }
        };
        tracker.begin(Phase::LoadingEncoder, 0);
        let encoder = match self.encoders().get(&name, None) {
            Err(LibraryError::Encoder(EncoderError::NotOnDisk { .. })) => {
                self.pull(&name, tracker)?;
                self.encoders().get(&name, None)?
            }
            other => other?,
        };
        let given = Modality::from(wanted.kind);
        match encoder.about().modality() {
            reads if reads == given => Ok(encoder),
            reads => Err(EncoderError::WrongModality { encoder: name, reads, given }.into()),
        }
    }

    /// Fetches an encoder's files from the first of its sources that has them; waits if somebody fetches them already.
    pub fn pull(&self, name: &EncoderName, tracker: &Tracker) -> Result<(), LibraryError> {
        tracker.begin(Phase::GettingEncoder, 0);
        self.catalog().pull_in_turn(name, tracker)?;
        Ok(())
    }

    /// [`Self::pull`] as a job's work.
    pub fn pull_job(&self, name: &EncoderName, tracker: &Tracker) -> Outcome {
        match self.pull(name, tracker) {
            Ok(()) => Outcome::Done { report: serde_json::Value::Null, rejects: Vec::new() },
            Err(e) if e.was_stopped() => {
                Outcome::Cancelled { report: serde_json::Value::Null, rejects: Vec::new() }
            }
            Err(e) => Outcome::Failed(JobError::of(&e)),
        }
    }

    /// Whether that encoder is known, of the kind, and makes vectors that the recipe can take.
    pub(super) fn check_encoder(
        &self,
        name: &EncoderName,
        kind: Kind,
        recipe: Recipe,
    ) -> Result<(), LibraryError> {
        let Some(entry) = self.catalog().list().into_iter().find(|entry| entry.name == *name) else {
            // Loading tells which names are near.
            return self.encoders().get(name, None).map(drop);
        };
        let given = Modality::from(kind);
        if let Some(reads) = entry.modality.filter(|&reads| reads != given) {
            return Err(EncoderError::WrongModality { encoder: name.clone(), reads, given }.into());
        }
        if let Some(dim) = entry.dim {
            recipe.check_dim(dim)?;
        }
        Ok(())
    }
}
