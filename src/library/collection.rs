//! One collection: its items, its snapshot, and the one way to change it.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::encoders::LoadedEncoder;
use super::info::{CollectionInfo, RootInfo};
use super::snapshot::{Bound, Snapshot};
use super::{LibraryError, Shared};
use crate::encoder::Encoder;
use crate::index::Recipe;
use crate::meter::{self, Stage};
use crate::store::{
    Batch, CollectionId, CollectionRecord, Committed, Description, Field, Filter, Item, SpaceRecord, Store,
    StoreError, View,
};
use crate::types::{CollectionName, ItemKey, Kind};

/// A collection of an open library.
pub struct Collection {
    pub(super) shared: Arc<Shared>,
    id: CollectionId,
    name: CollectionName,
    kind: Kind,
    pub(super) snapshot: ArcSwap<Snapshot>,
    /// Of the captions, in their own space.
    captions: ArcSwap<Snapshot>,
    /// Held from commit to the publishing of its snapshot, so that snapshots follow the order of commits.
    pub(super) writing: Mutex<()>,
    /// Held while dead rows are taken out, so that nobody copies the same rows twice.
    pub(super) compacting: Mutex<()>,
}

impl Collection {
    pub(super) fn open(shared: Arc<Shared>, record: &CollectionRecord) -> Result<Self, LibraryError> {
        let (snapshot, captions) =
            (look(&shared.store, record.id, Field::Own)?, look(&shared.store, record.id, Field::Captions)?);
        Ok(Self {
            id: record.id,
            name: record.name.clone(),
            kind: record.kind,
            snapshot: ArcSwap::from_pointee(snapshot),
            captions: ArcSwap::from_pointee(captions),
            writing: Mutex::default(),
            compacting: Mutex::default(),
            shared,
        })
    }

    pub fn id(&self) -> CollectionId {
        self.id
    }
    pub fn name(&self) -> &CollectionName {
        &self.name
    }
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// Where rows, items and roots are read; writes go through [`Self::commit`].
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// What is on disk of it now.
    pub fn record(&self) -> Result<CollectionRecord, LibraryError> {
        self.store()
            .collection(&self.name)?
            .ok_or_else(|| LibraryError::UnknownCollection { name: self.name.clone(), known: Vec::new() })
    }

    pub fn recipe(&self) -> Result<Recipe, LibraryError> {
        Ok(self.record()?.recipe.parse()?)
    }

    pub fn info(&self) -> Result<CollectionInfo, LibraryError> {
        let record = self.record()?;
        let (snapshot, captions) = (self.snapshot(), self.captions());
        let roots = self.store().roots(self.id)?;
        Ok(CollectionInfo {
            name: record.name,
            kind: record.kind,
            items: record.items,
            vectors: snapshot.rows() as u64,
            encoder: record.encoder,
            dim: record.space.as_ref().map(|space| space.dim),
            captions: captions.rows() as u64,
            caption_encoder: record.caption_encoder,
            recipe: record.recipe.parse()?,
            index: snapshot.index_name(),
            roots: roots.into_iter().map(RootInfo::from).collect(),
            bytes: snapshot.segments().chain(captions.segments()).map(|s| s.bytes()).sum(),
            created: jiff::Timestamp::from_millisecond(record.created).unwrap_or_default().to_string(),
            switching: self.switching(Field::Own)?,
            caption_switching: self.switching(Field::Captions)?,
        })
    }

    /// What readers see now; keep it for the length of one search.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What readers see of one of its spaces.
    pub(super) fn shown(&self, field: Field) -> &ArcSwap<Snapshot> {
        match field {
            Field::Own => &self.snapshot,
            Field::Captions => &self.captions,
        }
    }

    /// Makes a batch durable, then visible. Returning is the acknowledgement.
    pub fn commit(&self, batch: &Batch) -> Result<Committed, LibraryError> {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        let committed = meter::time(Stage::Commit, || self.store().commit(self.id, batch))?;
        self.snapshot.store(Arc::new(self.snapshot.load().after(&committed)));
        self.captions.store(Arc::new(self.captions.load().beside(&committed)));
        Ok(committed)
    }

    /// Gives items other words; durable, then visible. Their pictures stay as they are.
    pub fn describe(&self, described: &[Description]) -> Result<(), LibraryError> {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        let committed = self.store().describe(self.id, described)?;
        self.captions.store(Arc::new(self.captions.load().after(&committed)));
        Ok(())
    }

    /// The captions as readers see them now; empty where there are none.
    pub fn captions(&self) -> Arc<Snapshot> {
        self.captions.load_full()
    }

    /// Publishes another view of the same rows (an index came or went).
    pub(super) fn publish(&self, change: impl FnOnce(&Snapshot) -> Option<Snapshot>) {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        if let Some(next) = change(&self.snapshot.load()) {
            self.snapshot.store(Arc::new(next));
        }
    }

    /// Changes which space a field is searched in, and publishes what lies in it: one step for readers.
    pub(super) fn replace(
        &self,
        field: Field,
        change: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), LibraryError> {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        change()?;
        let snapshot = look(self.store(), self.id, field)?;
        self.shown(field).store(Arc::new(snapshot));
        Ok(())
    }

    /// The encoder of a snapshot's vectors, which after a swap is no longer the collection's.
    pub fn encoder_of(&self, snapshot: &Snapshot) -> Result<Arc<LoadedEncoder>, LibraryError> {
        let bound = snapshot.bound();
        let bound = bound.ok_or_else(|| LibraryError::NoEncoderYet { collection: self.name.clone() })?;
        self.load(&bound.encoder, &bound.space)
    }

    /// The collection's encoder, loaded, and certain to make vectors of the collection's space.
    pub fn encoder(&self) -> Result<Arc<LoadedEncoder>, LibraryError> {
        let record = self.record()?;
        let Some(name) = record.encoder else {
            return Err(LibraryError::NoEncoderYet { collection: self.name.clone() });
        };
        match record.space {
            Some(space) => self.load(&name, &space),
            None => self.shared.encoders.get(&name, None),
        }
    }

    /// The encoder of the captions; `None` as long as there are none.
    pub fn caption_encoder(&self) -> Result<Option<Arc<LoadedEncoder>>, LibraryError> {
        let record = self.record()?;
        let bound = record.caption_encoder.zip(record.caption_space);
        bound.map(|(name, space)| self.load(&name, &space)).transpose()
    }

    pub fn get(&self, key: &ItemKey) -> Result<Item, LibraryError> {
        self.store()
            .item(self.id, key)?
            .ok_or_else(|| LibraryError::UnknownItem { collection: self.name.clone(), key: key.clone() })
    }

    /// Items in the order of their keys, those behind `after`.
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<&ItemKey>,
        limit: usize,
    ) -> Result<Vec<Item>, LibraryError> {
        Ok(self.store().list(self.id, filter, after, limit)?)
    }

    /// Takes items out; unknown keys count nothing. Returns how many went.
    pub fn delete(&self, keys: &[ItemKey]) -> Result<u64, LibraryError> {
        let batch = Batch { upserts: Vec::new(), deletes: keys.to_vec() };
        Ok(self.commit(&batch)?.deleted)
    }

    /// Asks for another index; it is built at the end of the next import.
    ///
    /// # Errors
    /// `recipe.dimension` if it cannot be for this collection's vectors.
    pub fn set_recipe(&self, recipe: Recipe) -> Result<(), LibraryError> {
        let record = self.record()?;
        if let Some(space) = record.space {
            recipe.check_dim(space.dim)?;
        }
        if record.recipe != recipe.to_string() {
            self.store().set_recipe(self.id, &recipe.to_string())?;
            self.publish(|now| Some(now.without_indexes()));
        }
        Ok(())
    }

    /// Settles what makes this collection's vectors.
    pub fn set_encoder(&self, encoder: &Encoder) -> Result<(), LibraryError> {
        let (name, space, fitted) = (encoder.name(), space_record(encoder), encoder.fitted());
        self.replace(Field::Own, || self.store().set_fitted_encoder(self.id, name, &space, fitted.as_deref()))
    }

    /// Settles what makes the captions' vectors.
    pub fn set_caption_encoder(&self, encoder: &Encoder) -> Result<(), LibraryError> {
        let space = space_record(encoder);
        self.replace(Field::Captions, || self.store().set_caption_encoder(self.id, encoder.name(), &space))
    }

    /// How many parts have no vector, because their segment is shorter than it should be.
    pub fn lost_vectors(&self) -> Result<usize, LibraryError> {
        Ok(self.store().lost_vectors(self.id)?.len())
    }

    pub fn tags(&self) -> Result<Vec<(String, u64)>, LibraryError> {
        Ok(self.store().tags(self.id)?)
    }
}

/// The snapshot of what the table tells now of one of its spaces.
fn look(store: &Store, id: CollectionId, field: Field) -> Result<Snapshot, LibraryError> {
    let View { record, segments, live } = store.view(id, field)?;
    let bound = match field {
        Field::Own => record.encoder.zip(record.space),
        Field::Captions => record.caption_encoder.zip(record.caption_space),
    };
    let bound = bound.map(|(encoder, space)| Bound { encoder, space });
    Ok(Snapshot::new(bound, segments, &live))
}

/// An encoder's space as the store keeps it.
pub(super) fn space_record(encoder: &Encoder) -> SpaceRecord {
    let descriptor = serde_json::to_value(encoder.space()).expect("a space has a JSON form");
    SpaceRecord { id: encoder.space_id().to_string(), descriptor, dim: encoder.dim() }
}
