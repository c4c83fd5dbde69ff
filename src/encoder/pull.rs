//! Weights on their way into the data folder: staged, checked, written down, and put in place whole. Knows
//! sources and cards, no search order.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::card::Card;
use super::catalog::Places;
use super::folder::describe;
use super::source::{Hub, OnProgress, SourceError, Wanted, fetch, sha256};
use super::{EncoderError, source};
use crate::config::HubSettings;

/// Hidden, so that no search takes it for a model.
const PARTIAL: &str = ".partial";
const MANIFEST: &str = "manifest.json";

/// Pulls one or several models; a hub that did not answer for one is not asked for the next.
pub struct Puller {
    hub: Hub,
    settings: HubSettings,
    pulled: PathBuf,
}

/// What lies in a pulled folder, and where it came from.
#[derive(Serialize)]
struct Manifest<'a> {
    name: &'a str,
    source: String,
    /// The hub's commit, where it told one.
    commit: Option<String>,
    pulled: String,
    files: BTreeMap<String, FileOf>,
}

#[derive(Serialize)]
struct FileOf {
    bytes: u64,
    sha256: String,
}

impl Puller {
    pub fn new(places: &Places) -> Self {
        Self { hub: Hub::new(&places.hub), settings: places.hub.clone(), pulled: places.pulled.clone() }
    }

    /// Tries the card's sources in order.
    ///
    /// # Errors
    /// `NotPulled` with what each source said, `Pull` for a disk that takes no more, `Pulling` if another does it.
    pub fn pull(&self, card: &Card, progress: OnProgress) -> Result<(), EncoderError> {
        let stop = |source| EncoderError::Pull { name: card.name.clone(), source };
        let partial = self.pulled.join(PARTIAL);
        fs::create_dir_all(&partial).map_err(|e| stop(SourceError::io(&partial, e)))?;
        let _lock = lock(&partial.join(format!("{}.lock", card.name)), card)?;
        let wanted = Wanted::of(card.modality);
        let mut tried = Vec::new();
        for (i, from) in card.sources.iter().enumerate() {
            // What one source left is never completed by another.
            let staging = partial.join(format!("{}-{i}", card.name));
            let done = fetch(from, &wanted, &staging, &self.hub, &self.settings, progress)
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
        let manifest = Manifest {
            name: card.name.as_str(),
            source: from.to_string(),
            commit,
            pulled: jiff::Timestamp::now().to_string(),
            files: inventory(staging)?,
        };
        let text = serde_json::to_vec_pretty(&manifest).expect("plain data has a JSON form");
        let path = staging.join(MANIFEST);
        source::write(text.as_slice(), &path, |e| SourceError::io(&path, e), |_| ())?;
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

/// Every file with its size and hash.
fn inventory(folder: &Path) -> Result<BTreeMap<String, FileOf>, SourceError> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(|e| SourceError::io(folder, e.into()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path();
        let bytes = entry.metadata().map_err(|e| SourceError::io(path, e.into()))?.len();
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        files.insert(name, FileOf { bytes, sha256: sha256(path)? });
    }
    Ok(files)
}
