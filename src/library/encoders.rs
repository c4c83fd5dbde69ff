//! The loaded encoders: each loaded once at first use, shared, one encode at a time with people first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::LibraryError;
use super::turnstile::{Line, Turnstile, Urgency};
use crate::encoder::{Catalog, Embedding, Encoder, EncoderError, Role};
use crate::meter::{self, Stage};
use crate::photo::Crop;
use crate::store::InSpace;
use crate::text;
use crate::types::{EncoderName, SpaceId};

type Slot = Arc<Mutex<Option<Arc<LoadedEncoder>>>>;

/// Encoders by name, loaded at first use.
pub struct Encoders {
    catalog: Catalog,
    slots: Mutex<HashMap<(EncoderName, Option<SpaceId>), Slot>>,
    turnstile: Arc<Turnstile>,
}

/// An encoder in memory, behind the turnstile that all of them share.
pub struct LoadedEncoder {
    encoder: Encoder,
    turnstile: Arc<Turnstile>,
}

impl Encoders {
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog, slots: Mutex::default(), turnstile: Arc::default() }
    }

    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The encoder of that name, and of that space where one is told; loading it from disk may take a second.
    /// Never touches the network.
    pub fn get(
        &self,
        name: &EncoderName,
        space: Option<&SpaceId>,
    ) -> Result<Arc<LoadedEncoder>, LibraryError> {
        self.get_or(name, space, |catalog| match space {
            Some(space) => Ok(catalog.load_in(name, space)?),
            None => Ok(catalog.load(name)?),
        })
    }

    /// The same, loaded by `load` if it is not in memory.
    pub(super) fn get_or(
        &self,
        name: &EncoderName,
        space: Option<&SpaceId>,
        load: impl FnOnce(&Catalog) -> Result<Encoder, LibraryError>,
    ) -> Result<Arc<LoadedEncoder>, LibraryError> {
        let slot = self.slot(name, space);
        // Held while loading: a second asker waits for the first one's encoder instead of loading its own.
        let mut loaded = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoder) = &*loaded {
            return Ok(encoder.clone());
        }
        let encoder = self.wrap(load(&self.catalog)?);
        *loaded = Some(encoder.clone());
        if space.is_none() {
            // Who asks for its space next gets the same one.
            let same = self.slot(name, Some(encoder.about().space_id()));
            same.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(encoder.clone());
        }
        Ok(encoder)
    }

    /// Who waits for an encoder now.
    pub fn line(&self) -> Line {
        self.turnstile.line()
    }

    /// An encoder that was made here, behind the turnstile that all share.
    pub fn wrap(&self, encoder: Encoder) -> Arc<LoadedEncoder> {
        Arc::new(LoadedEncoder { encoder, turnstile: self.turnstile.clone() })
    }

    fn slot(&self, name: &EncoderName, space: Option<&SpaceId>) -> Slot {
        let mut slots = self.slots.lock().expect("no holder of this lock panics");
        slots.entry((name.clone(), space.cloned())).or_default().clone()
    }
}

impl LoadedEncoder {
    /// What it is; encoding goes through [`Self::texts`] and [`Self::crops`].
    pub fn about(&self) -> &Encoder {
        &self.encoder
    }

    /// A vector that it made, with the space that it lies in.
    pub fn placed(&self, embedding: Embedding) -> InSpace {
        InSpace { space: self.encoder.space_id().to_string(), vector: embedding.vector }
    }

    pub fn texts(
        &self,
        texts: &[&str],
        role: Role,
        urgency: Urgency,
    ) -> Result<Vec<Embedding>, EncoderError> {
        // The same for what is kept and what is asked, so that stray white space never tells them apart.
        let texts: Vec<String> = texts.iter().map(|text| text::normalise(text)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.turn(urgency, || self.encoder.encode_texts(&texts, role))
    }

    pub fn crops(&self, crops: &[Crop], urgency: Urgency) -> Result<Vec<Embedding>, EncoderError> {
        self.turn(urgency, || self.encoder.encode_crops(crops))
    }

    fn turn<T>(&self, urgency: Urgency, work: impl FnOnce() -> T) -> T {
        let stage = match urgency {
            Urgency::Interactive => Stage::Encode,
            Urgency::Bulk => Stage::EncodeBulk,
        };
        self.turnstile.pass(urgency, || meter::time(stage, work))
    }
}
