//! Weights on their way into the data folder: staged, checked, written down, and put in place whole. Knows
//! sources and cards, no search order.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::card::Card;
use super::folder::describe;
use super::manifest::Manifest;
use super::places::Places;
use super::source::{Hub, SourceError, Wanted, Watcher, fetch};
use super::{EncoderError, source};
use crate::config::HubSettings;

/// Hidden, so that no search takes it for a model.
const PARTIAL: &str = ".partial";

/// Pulls one or several models; a hub that did not answer for one is not asked for the next.
pub struct Puller {
    hub: Hub,
    settings: HubSettings,
    pulled: PathBuf,
}

impl Puller {
    pub fn new(places: &Places) -> Self {
        Self { hub: Hub::new(&places.hub), settings: places.hub.clone(), pulled: places.pulled.clone() }
    }

    /// Tries the card's sources in order.
    ///
    /// # Errors
    /// `NotPulled` with what each source said, `Pull` for a disk that takes no more or a wish to stop, `Pulling` if another does it.
    pub fn pull(&self, card: &Card, watcher: &dyn Watcher) -> Result<(), EncoderError> {
        let stop = |source| EncoderError::Pull { name: card.name.clone(), source };
        let partial = self.pulled.join(PARTIAL);
        fs::create_dir_all(&partial).map_err(|e| stop(SourceError::io(&partial, e)))?;
        let _lock = lock(&partial.join(format!("{}.lock", card.name)), card)?;
        // Whoever held the lock before may have brought it.
        if describe(&card.name, &self.pulled.join(card.name.as_str()), Some(card)).is_ok() {
            return Ok(());
        }
        let wanted = Wanted::of(card.modality);
        let mut tried = Vec::new();
        for (i, from) in card.sources.iter().enumerate() {
            // What one source left is never completed by another.
            let staging = partial.join(format!("{}-{i}", card.name));
            let done = fetch(from, &wanted, &staging, &self.hub, &self.settings, watcher)
                .and_then(|()| self.accept(card, from, &wanted, &staging));
            match done {
                Ok(()) => return Ok(()),
                Err(error) if error.ends_the_pull() => return Err(stop(error)),
                Err(error) => tried.push((from.to_string(), error)),
            }
        }
        Err(EncoderError::NotPulled { name: card.name.clone(), tried })
    }

    /// Checks what was fetched, writes its manifest, and moves it into place.
    fn accept(
        &self,
        card: &Card,
        from: &source::SourceCard,
        wanted: &Wanted,
        staging: &Path,
    ) -> Result<(), SourceError> {
        let commit = source::commit(staging);
        source::tidy(staging, wanted)?;
        let fault = match describe(&card.name, staging, Some(card)) {
            Ok(d) if d.spec.dim() == card.dim.get() && d.spec.modality == card.modality => None,
            Ok(d) => Some(format!("it makes {} numbers, the card says {}", d.spec.dim(), card.dim)),
            Err(e) => Some(e.to_string()),
        };
        if let Some(why) = fault {
            // Nothing of it is worth resuming.
            fs::remove_dir_all(staging).map_err(|e| SourceError::io(staging, e))?;
            return Err(SourceError::Unfit { place: from.to_string(), why });
        }
        Manifest::write(&card.name, from.to_string(), commit, staging)?;
        self.place(card, staging)
    }

    /// Two renames: a reader sees the old folder, for a moment none, then the new one; never half of one.
    fn place(&self, card: &Card, staging: &Path) -> Result<(), SourceError> {
        let target = self.pulled.join(card.name.as_str());
        let old = self.pulled.join(PARTIAL).join(format!("{}.old", card.name));
        let moved = || -> io::Result<()> {
            if old.exists() {
                fs::remove_dir_all(&old)?;
            }
            if target.exists() {
                fs::rename(&target, &old)?;
            }
            fs::rename(staging, &target)?;
            File::open(&self.pulled)?.sync_all()?;
            if old.exists() { fs::remove_dir_all(&old) } else { Ok(()) }
        };
        moved().map_err(|e| SourceError::io(&target, e))
    }
}

fn lock(path: &Path, card: &Card) -> Result<File, EncoderError> {
    let fail = |e| EncoderError::Pull { name: card.name.clone(), source: SourceError::io(path, e) };
    let file = File::create(path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EncoderError::Pulling { name: card.name.clone() }),
        Err(TryLockError::Error(e)) => Err(fail(e)),
    }
}
