//! What encoders there are, which of them is used, and where each comes from. Knows no collection.
//!
//! A name is sought in the user's roots in their order, then among simile's own: pulled weights, then those that
//! came with the program. A root's encoder of an own one's name is the one used under that name; the own one
//! stays reachable as `simile.NAME`, and by the space of the vectors that it made.

mod choose;
mod entry;
mod keep;

use std::collections::HashSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;

use super::card::Card;
use super::discover::Search;
use super::folder::Described;
use super::manifest::Manifest;
use super::places::{Origin, Places};
use super::pull::Puller;
use super::source::{SourceError, Watcher};
use super::{Digests, Encoder, EncoderError, FileState, PackedCache, Space, precision};
use crate::config::PrecisionSetting;
use crate::types::{EncoderName, SpaceId};

use entry::{entry_of, entry_of_card};

pub use entry::{Entry, State};
pub use keep::{Understood, Verification};

/// Puts simile's own encoder before one of the user's of the same name.
const OWN: &str = "simile.";

/// The encoder that needs no file. A collection that fitted its weights makes it itself.
const FILE_LESS: &str = "ngram-hash";

/// All encoders within reach. Cheap to ask: every answer looks at the disk again.
pub struct Catalog {
    places: Places,
    digests: Digests,
    packed: PackedCache,
    /// Starters come with the program, so they are looked for once.
    starters: OnceLock<HashSet<EncoderName>>,
}

impl Catalog {
    /// Reads nothing but the remembered hashes.
    pub fn open(places: Places) -> Self {
        let known = std::fs::read(&places.digests).ok();
        let known: Vec<(FileState, String)> =
            known.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let packed = PackedCache::new(places.packed.clone());
        Self { places, digests: Digests::new(known), packed, starters: OnceLock::new() }
    }

    /// Every encoder, on disk or not: the user's in the order of the roots, then simile's own.
    pub fn list(&self) -> Vec<Entry> {
        self.survey().0
    }

    /// Whether it is one of those that came with simile to start with.
    pub fn is_starter(&self, name: &EncoderName) -> bool {
        let starters =
            || self.list().into_iter().filter(|entry| entry.starter).map(|entry| entry.name).collect();
        self.starters.get_or_init(starters).contains(name)
    }

    /// Where packed weights are kept.
    pub fn packed(&self) -> &PackedCache {
        &self.packed
    }

    /// What was odd about the roots, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.survey().1
    }

    /// Loads from disk; the network is never asked.
    ///
    /// # Errors
    /// `Unknown`, `NotOnDisk`, or what is wrong with its files.
    pub fn load(&self, name: &EncoderName) -> Result<Encoder, EncoderError> {
        let (usable, broken) = self.candidates(name);
        match (usable.first(), broken) {
            (Some(found), broken) => {
                if let Some(error) = broken {
                    tracing::warn!("{error}; {} is used instead", found.folder.display());
                }
                self.open_encoder(found, self.places.precision)
            }
            (None, Some(error)) => Err(error),
            (None, None) if plain(name) == FILE_LESS => Ok(Encoder::ngram_hash(None)),
            (None, None) => Err(self.absent(name)),
        }
    }

    /// Loads the encoder of that name which made the vectors of `space`, wherever it lies.
    ///
    /// # Errors
    /// As [`Catalog::load`]; `OtherSpace` if those on disk make other vectors.
    pub fn load_in(&self, name: &EncoderName, space: &SpaceId) -> Result<Encoder, EncoderError> {
        let (usable, broken) = self.candidates(name);
        let none = usable.is_empty();
        for found in &usable {
            if let Some(setting) = self.setting_for(found, space)? {
                return self.open_encoder(found, setting);
            }
        }
        if none && plain(name) == FILE_LESS {
            return Some(Encoder::ngram_hash(None))
                .filter(|encoder| encoder.space_id() == space)
                .ok_or_else(|| EncoderError::OtherSpace { name: name.clone() });
        }
        match broken {
            Some(error) if none => Err(error),
            _ if none => Err(self.absent(name)),
            _ => Err(EncoderError::OtherSpace { name: name.clone() }),
        }
    }

    /// Gets an encoder from the first of its sources that gives it; one that is on disk is not got again.
    ///
    /// # Errors
    /// `Unknown`, `Pulling`, `NotPulled` with every source's answer, `Pull` for a full disk or a wish to stop.
    pub fn pull(&self, name: &EncoderName, watcher: &dyn Watcher) -> Result<Entry, EncoderError> {
        self.pull_with(&Puller::new(&self.places), name, watcher)
    }

    /// The same, behind whoever pulls it already: then it is there, or comes from here.
    ///
    /// # Errors
    /// As [`Catalog::pull`], but never `Pulling`.
    pub fn pull_in_turn(&self, name: &EncoderName, watcher: &dyn Watcher) -> Result<Entry, EncoderError> {
        self.in_turn(&Puller::new(&self.places), name, watcher)
    }

    fn in_turn(
        &self,
        puller: &Puller,
        name: &EncoderName,
        watcher: &dyn Watcher,
    ) -> Result<Entry, EncoderError> {
        // The other may be another process; it ends at the latest when its own patience does.
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        loop {
            match self.pull_with(puller, name, watcher) {
                Err(EncoderError::Pulling { .. }) if watcher.stopped() => {
                    return Err(EncoderError::Pull { name: name.clone(), source: SourceError::Stopped });
                }
                Err(EncoderError::Pulling { .. }) => std::thread::sleep(LOOK_AGAIN),
                other => return other,
            }
        }
    }

    fn pull_with(
        &self,
        puller: &Puller,
        name: &EncoderName,
        watcher: &dyn Watcher,
    ) -> Result<Entry, EncoderError> {
        let listed =
            |entries: Vec<Entry>| entries.into_iter().find(|e| e.name == *name && e.state == State::OnDisk);
        if let Some(entry) = listed(self.list()) {
            return Ok(entry);
        }
        let card = self.search().cards.into_iter().find(|card| card.name.as_str() == plain(name));
        puller.pull(&card.ok_or_else(|| self.absent(name))?, watcher)?;
        listed(self.list()).ok_or_else(|| self.absent(name))
    }

    fn search(&self) -> Search {
        let mut search = Search::new(Card::builtin());
        self.places.roots.iter().for_each(|root| search.root(root, Origin::Root));
        search.root(&self.places.pulled, Origin::Pulled);
        self.places.own.iter().for_each(|root| search.root(root, Origin::Own));
        search
    }

    /// What the name may mean, in the order of search; and what is wrong with the first that cannot be used.
    fn candidates(&self, name: &EncoderName) -> (Vec<Described>, Option<EncoderError>) {
        let own_only = name.as_str().starts_with(OWN);
        let (mut usable, mut broken) = (Vec::new(), None);
        for found in self.search().found {
            let meant = found.name == *name
                || (own_only && found.origin != Origin::Root && found.name.as_str() == plain(name));
            match found.outcome {
                _ if !meant => {}
                Ok(described) => usable.push(described),
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        (usable, broken)
    }

    /// What to compute in so that vectors lie in `space`: what was asked where that does, else the other class.
    fn setting_for(
        &self,
        found: &Described,
        space: &SpaceId,
    ) -> Result<Option<PrecisionSetting>, EncoderError> {
        for setting in [self.places.precision, PrecisionSetting::Auto, PrecisionSetting::Int8] {
            if Space::of(&found.spec, &self.digests, precision::class(setting))?.id() == *space {
                return Ok(Some(setting));
            }
        }
        Ok(None)
    }

    fn open_encoder(
        &self,
        described: &Described,
        setting: PrecisionSetting,
    ) -> Result<Encoder, EncoderError> {
        let before = self.digests.known().len();
        // A user's folder may hold another program's file of that name; in our own even a spoilt one counts.
        let folder = &described.folder;
        let ours = self.places.own.iter().chain([&self.places.pulled]).any(|own| folder.starts_with(own));
        if ours || Manifest::is_in(folder) {
            Manifest::check(&described.spec.name, folder, &self.digests)?;
        }
        let encoder = Encoder::open_kept(&described.spec, &self.digests, setting, Some(&self.packed))?;
        let known = self.digests.known();
        if known.len() > before {
            remember(&self.places.digests, &known);
        }
        Ok(encoder)
    }

    fn absent(&self, name: &EncoderName) -> EncoderError {
        if plain(name) == FILE_LESS {
            return EncoderError::BuiltIn { name: name.clone() };
        }
        if self.search().cards.iter().any(|card| card.name.as_str() == plain(name)) {
            return EncoderError::NotOnDisk { name: name.clone() };
        }
        let wanted = name.as_str().to_lowercase();
        let mut near: Vec<(f64, String)> = self
            .list()
            .into_iter()
            .map(|e| (strsim::jaro_winkler(&wanted, &e.name.as_str().to_lowercase()), e.name.to_string()))
            .filter(|(likeness, _)| *likeness > 0.8)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        EncoderError::Unknown {
            name: name.to_string(),
            near: near.into_iter().take(3).map(|(_, name)| name).collect(),
        }
    }

    fn survey(&self) -> (Vec<Entry>, Vec<String>) {
        let Search { found, cards, mut warnings, .. } = self.search();
        let verified = self.verified();
        let (mut taken, mut on_disk, mut entries) = (HashSet::new(), HashSet::new(), Vec::new());
        for found in &found {
            let own = found.origin != Origin::Root;
            let card = cards.iter().find(|card| own && card.name == found.name);
            let mut entry = entry_of(found, card);
            let states = found.outcome.as_ref().map(keep::states).unwrap_or_default();
            entry.verified = !states.is_empty() && states.iter().all(|state| verified.contains(state));
            if entry.state == State::OnDisk && !taken.insert(found.name.clone()) {
                if !own {
                    let path = found.path.display();
                    warnings.push(format!("{path}: another folder gave {} already; rename one", found.name));
                    continue;
                }
                entry.name = owned(&found.name);
            }
            if own {
                on_disk.insert(found.name.clone());
            }
            entries.push(entry);
        }
        for card in cards.iter().filter(|card| !on_disk.contains(&card.name)) {
            let mut entry = entry_of_card(card);
            if taken.contains(&card.name) {
                entry.name = owned(&card.name);
            }
            entries.push(entry);
        }
        (entries, warnings)
    }
}

fn plain(name: &EncoderName) -> &str {
    name.as_str().strip_prefix(OWN).unwrap_or(name.as_str())
}

fn owned(name: &EncoderName) -> EncoderName {
    // A name too long for it is left as it is: no card of ours has one.
    format!("{OWN}{name}").parse().unwrap_or_else(|_| name.clone())
}

/// A cache: what cannot be written is hashed again.
fn remember(path: &Path, known: &impl Serialize) {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, known)?;
        file.persist(path)?;
        Ok(())
    };
    if let Err(e) = write() {
        tracing::debug!("{}: hashes not remembered ({e})", path.display());
    }
}
