//! A data folder, open: joins store, index and encoder into collections, with snapshots for readers and the job table.
//! Knows nothing of HTTP or the terminal.

mod backup;
mod caches;
mod choose;
mod collection;
mod compact;
mod encoders;
mod encoding;
mod error;
mod indexes;
mod info;
mod jobs;
mod offer;
mod pictures;
mod progress;
mod snapshot;
mod switching;
mod turnstile;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::config::{Config, Limits};
use crate::encoder::{Catalog, Places};
use crate::index::Recipe;
use crate::photo;
use crate::store::{self, Access, CollectionId, JobId, Store};
use crate::types::{CollectionName, EncoderName, Kind};

pub use backup::backup;
pub use caches::CacheCheck;
pub use choose::Wanted;
pub use collection::Collection;
pub use encoders::{Encoders, LoadedEncoder};
pub use encoding::{Crops, Encoding};
pub use error::LibraryError;
pub use info::{CollectionInfo, RootInfo, SwitchInfo};
pub use jobs::{JobError, JobView, Jobs, Lane, Outcome};
pub use offer::Offer;
pub use pictures::keywords;
pub use progress::{Phase, Progress, Tracker};
pub use snapshot::{Found, Snapshot, name_of};
pub use turnstile::{Line, Urgency};

/// What every collection of a library shares.
pub(crate) struct Shared {
    store: Arc<Store>,
    encoders: Encoders,
    config: Config,
    cache: PathBuf,
    /// This program, for children that build indexes.
    program: PathBuf,
    access: Access,
}

impl Shared {
    fn photo_limits(&self) -> photo::Limits {
        self.config.limits.into()
    }
}

impl From<Limits> for photo::Limits {
    fn from(limits: Limits) -> Self {
        Self { bytes: limits.photo_bytes, pixels: limits.photo_pixels, ..Self::default() }
    }
}

/// An open data folder.
pub struct Library {
    shared: Arc<Shared>,
    jobs: Jobs,
    open: Mutex<HashMap<CollectionId, Arc<Collection>>>,
}

/// A collection to be made.
#[derive(Debug, Clone)]
pub struct NewCollection {
    pub name: CollectionName,
    pub kind: Kind,
    /// `None`: chosen at the first import, by kind and language.
    pub encoder: Option<EncoderName>,
    pub recipe: Recipe,
}

impl Library {
    /// Opens a data folder, and makes one if it is to be written and absent.
    ///
    /// # Errors
    /// `store.locked` if another program writes to it, `store.newer_version`, and what the disk reports.
    pub fn open(config: Config, access: Access) -> Result<Arc<Self>, LibraryError> {
        let store = Arc::new(Store::open(&config.data, access)?);
        let encoders = Encoders::new(Catalog::open(Places::from(&config)));
        encoders.catalog().warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("simile"));
        let cache = config.data.join("cache");
        let jobs = Jobs::new(store.clone());
        let shared = Arc::new(Shared { store, encoders, config, cache, program, access });
        Ok(Arc::new(Self { shared, jobs, open: Mutex::default() }))
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }
    pub fn catalog(&self) -> &Catalog {
        self.shared.encoders.catalog()
    }
    pub fn encoders(&self) -> &Encoders {
        &self.shared.encoders
    }
    /// What one photo may be.
    pub fn photo_limits(&self) -> photo::Limits {
        self.shared.photo_limits()
    }
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }
    pub fn store(&self) -> &Store {
        &self.shared.store
    }
    pub fn writable(&self) -> bool {
        self.shared.access == Access::Write
    }

    /// All collections, by name.
    pub fn collections(&self) -> Result<Vec<CollectionInfo>, LibraryError> {
        self.names()?.iter().map(|name| self.collection(name)?.info()).collect()
    }

    fn names(&self) -> Result<Vec<CollectionName>, LibraryError> {
        Ok(self.store().collections()?.into_iter().map(|record| record.name).collect())
    }

    /// The collection of that name; its segments are mapped at first use.
    pub fn collection(&self, name: &CollectionName) -> Result<Arc<Collection>, LibraryError> {
        let Some(record) = self.store().collection(name)? else {
            return Err(LibraryError::UnknownCollection { name: name.clone(), known: self.names()? });
        };
        let mut open = self.open.lock().expect("no holder of this lock panics");
        if let Some(collection) = open.get(&record.id) {
            return Ok(collection.clone());
        }
        let collection = Arc::new(Collection::open(self.shared.clone(), &record)?);
        let lacking = collection.open_indexes()?;
        open.insert(record.id, collection.clone());
        drop(open);
        if lacking > 0 && self.writable() {
            self.rebuild_indexes(&collection)?;
        }
        Ok(collection)
    }

    /// Begins a compaction of every collection that has many dead rows: for a program that stays.
    pub fn compact_where_worth_it(&self) -> Result<(), LibraryError> {
        for name in self.names()? {
            let collection = self.collection(&name)?;
            if collection.wants_compaction() {
                self.compact(&collection)?;
            }
        }
        Ok(())
    }

    /// Takes a collection's dead rows out as a job.
    pub fn compact(&self, collection: &Arc<Collection>) -> Result<JobId, LibraryError> {
        let job = store::NewJob {
            kind: "compact".to_owned(),
            collection: Some(collection.name().clone()),
            title: collection.name().to_string(),
            params: serde_json::Value::Null,
        };
        let collection = collection.clone();
        self.jobs.start(Lane::Index, &job, move |tracker| match collection.compact(tracker) {
            Ok(dropped) => {
                Outcome::Done { report: serde_json::json!({"dropped": dropped}), rejects: Vec::new() }
            }
            Err(e) => Outcome::Failed(JobError::of(&e)),
        })
    }

    /// Rebuilds lost index files as a job; searches are flat meanwhile.
    fn rebuild_indexes(&self, collection: &Arc<Collection>) -> Result<(), LibraryError> {
        let job = store::NewJob {
            kind: "rebuild".to_owned(),
            collection: Some(collection.name().clone()),
            title: collection.recipe()?.to_string(),
            params: serde_json::Value::Null,
        };
        let collection = collection.clone();
        self.jobs.start(Lane::Index, &job, move |tracker| match collection.build_indexes(tracker) {
            Ok(()) => Outcome::Done { report: serde_json::Value::Null, rejects: Vec::new() },
            Err(e) => Outcome::Failed(JobError::of(&e)),
        })?;
        Ok(())
    }

    /// Makes a collection.
    ///
    /// # Errors
    /// `collection.exists`; an encoder that is not known or of the other modality; a recipe that cannot be for its dimension.
    pub fn create(&self, new: &NewCollection) -> Result<Arc<Collection>, LibraryError> {
        if self.store().collection(&new.name)?.is_some() {
            return Err(LibraryError::CollectionExists { name: new.name.clone() });
        }
        if let Some(encoder) = &new.encoder {
            self.check_encoder(encoder, new.kind, new.recipe)?;
        }
        self.store().create_collection(&store::NewCollection {
            name: new.name.clone(),
            kind: new.kind,
            encoder: new.encoder.clone(),
            recipe: new.recipe.to_string(),
        })?;
        self.collection(&new.name)
    }

    /// Takes a collection out again that nothing came into; whether it did.
    pub fn drop_if_empty(&self, name: &CollectionName) -> Result<bool, LibraryError> {
        let collection = self.collection(name)?;
        let gone = self.store().drop_if_empty(collection.id())?;
        if gone {
            self.open.lock().expect("no holder of this lock panics").remove(&collection.id());
        }
        Ok(gone)
    }

    /// Takes a collection out with all that is in it; photos of an indexed folder stay where they are.
    pub fn drop_collection(&self, name: &CollectionName) -> Result<(), LibraryError> {
        let collection = self.collection(name)?;
        self.store().drop_collection(collection.id())?;
        self.open.lock().expect("no holder of this lock panics").remove(&collection.id());
        Ok(())
    }
}
