//! Which encoder serves texts of a language, or photos: the best on disk, else one that can be pulled, else a starter.

use super::entry::best_first;
use super::{Catalog, Entry, State};
use crate::encoder::pull::Puller;
use crate::encoder::source::Watcher;
use crate::encoder::{EncoderError, Modality};
use crate::text::Language;

impl Catalog {
    /// The best on disk that reads `language`.
    pub fn best(&self, modality: Modality, language: Option<Language>) -> Option<Entry> {
        let there =
            self.list().into_iter().filter(|e| e.state == State::OnDisk && e.fits(modality, language));
        best_first(there).into_iter().next()
    }

    /// The best of those that could be pulled, whether or not a source answers.
    pub fn best_pullable(&self, modality: Modality, language: Option<Language>) -> Option<Entry> {
        self.pullable(modality, language).into_iter().next()
    }

    fn pullable(&self, modality: Modality, language: Option<Language>) -> Vec<Entry> {
        let entries = self.list().into_iter();
        best_first(
            entries
                .filter(|e| e.state != State::OnDisk && !e.sources.is_empty() && e.fits(modality, language)),
        )
    }

    /// The best published one on disk; else the best whose source answers within seconds; else a starter.
    ///
    /// # Errors
    /// `NoneFits`, which says exactly what to do; `Pull` for a full disk or a wish to stop.
    pub fn best_or_pull(
        &self,
        modality: Modality,
        language: Option<Language>,
        watcher: &dyn Watcher,
    ) -> Result<Entry, EncoderError> {
        let best = self.best(modality, language);
        if let Some(entry) = best.clone().filter(|entry| !entry.starter) {
            return Ok(entry);
        }
        let puller = Puller::new(&self.places);
        let mut answers = Vec::new();
        for entry in self.pullable(modality, language) {
            match self.in_turn(&puller, &entry.name, watcher) {
                Err(error @ EncoderError::NotPulled { .. }) => answers.push(error.to_string()),
                done => return done,
            }
        }
        // Of one that reads some of the texts, and one that only compares letters, the first is better.
        let some = match language {
            Some(Language::Mixed) => self.best(modality, Some(Language::Zh)),
            _ => None,
        };
        if let Some(entry) = some.filter(|entry| !entry.starter).or(best) {
            return Ok(entry);
        }
        let mut error = self.none_fits(modality, language);
        if let (EncoderError::NoneFits { advice, .. }, false) = (&mut error, answers.is_empty()) {
            *advice = format!("{advice}. Tried: {}", answers.join("; "));
        }
        Err(error)
    }

    /// What to tell where [`Catalog::best`] found nothing.
    pub fn none_fits(&self, modality: Modality, language: Option<Language>) -> EncoderError {
        let what = match (modality, language) {
            (Modality::Photo, _) => "photos",
            (_, Some(Language::Zh)) => "Chinese text",
            (_, Some(Language::En)) => "English text",
            (_, Some(Language::Mixed)) => "both Chinese and English",
            (_, Some(Language::Other)) => "this language",
            (_, None) => "text",
        };
        let pull = self
            .best_pullable(modality, language)
            .map_or(String::new(), |entry| format!("get one with: simile models pull {}, or ", entry.name));
        let unsaid = self
            .list()
            .into_iter()
            .find(|e| e.state == State::OnDisk && e.modality == Some(modality) && e.languages.is_empty());
        let unsaid = unsaid.filter(|_| modality == Modality::Text).map_or(String::new(), |entry| {
            format!(
                "; {} is on disk but tells no language: name it with --encoder {}",
                entry.name, entry.name
            )
        });
        let advice =
            format!("{pull}put a model's folder under a folder given with --models or SIMILE_MODELS{unsaid}");
        EncoderError::NoneFits { what: what.to_owned(), advice }
    }
}
