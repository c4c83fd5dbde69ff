//! A collection on its way to another encoder: what it has of the new space, and the swap that readers see as one step.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::collection::space_record;
use super::encoders::LoadedEncoder;
use super::encoding::Encoding;
use super::{Collection, LibraryError};
use crate::encoder::Encoder;
use crate::store::{PartId, SpaceRecord, StoreError};
use crate::text::ngram::Weights;
use crate::types::{Dim, EncoderName, Vector};

/// A switch under way, for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SwitchInfo {
    pub encoder: EncoderName,
    pub dim: Dim,
    /// Parts (texts, photos) that have a vector of the new encoder, of so many.
    pub filled: u64,
    pub parts: u64,
}

impl Collection {
    /// The switch that the collection is in.
    pub fn switching(&self) -> Result<Option<SwitchInfo>, LibraryError> {
        let Some(switch) = self.store().switch(self.id())? else { return Ok(None) };
        let parts = self.record()?.parts;
        let lacking = self.store().lacking_beside(self.id())?.len() as u64;
        let filled = parts.saturating_sub(lacking);
        Ok(Some(SwitchInfo { encoder: switch.encoder, dim: switch.space.dim, filled, parts }))
    }

    /// Begins to fill the space of an encoder beside the collection's own, or goes on with it.
    ///
    /// # Errors
    /// `switch.same`, `switch.other`, `collection.no_encoder`.
    pub fn begin_switch(&self, encoder: &Encoder) -> Result<(), LibraryError> {
        let fitted = encoder.fitted();
        self.store().begin_switch(self.id(), encoder.name(), &space_record(encoder), fitted.as_deref())?;
        Ok(())
    }

    /// The encoder whose space is being filled; `None` if none is.
    pub fn next_encoder(&self) -> Result<Option<Arc<LoadedEncoder>>, LibraryError> {
        let switch = self.store().switch(self.id())?;
        switch.map(|switch| self.load(&switch.encoder, &switch.space)).transpose()
    }

    /// What a write of now encodes with.
    pub fn encoding(&self) -> Result<Encoding, LibraryError> {
        let now = self.encoder()?;
        let beside = self.next_encoder().unwrap_or_else(|e| {
            tracing::debug!("{}: the next encoder is left out: {e}", self.name());
            None
        });
        Ok(Encoding::new(now, beside))
    }

    /// Parts without a vector of the next encoder.
    pub fn lacking_beside(&self) -> Result<Vec<PartId>, LibraryError> {
        Ok(self.store().lacking_beside(self.id())?)
    }

    /// Gives parts their vectors of the next encoder; those that have one, or are gone, are passed over.
    ///
    /// # Errors
    /// `switch.none` if the switch was given up meanwhile.
    pub fn fill_beside(
        &self,
        encoder: &LoadedEncoder,
        vectors: &[(PartId, Vector)],
    ) -> Result<u64, LibraryError> {
        Ok(self.store().fill_beside(self.id(), encoder.about().space_id().as_str(), vectors)?)
    }

    /// Makes the next encoder the collection's. Searches under way end on what they began with.
    ///
    /// # Errors
    /// `switch.lacks` while a part lacks its vector, `switch.none`.
    pub fn swap(&self) -> Result<(), LibraryError> {
        self.replace(|| self.store().swap(self.id()).map(drop))
    }

    /// Gives the switch up; what was encoded for it goes. Whether there was one.
    pub fn cancel_switch(&self) -> Result<bool, LibraryError> {
        Ok(self.store().cancel_switch(self.id())?)
    }

    /// An encoder that makes vectors of that space; with what was fitted for it, if anything was.
    pub(super) fn load(
        &self,
        name: &EncoderName,
        space: &SpaceRecord,
    ) -> Result<Arc<LoadedEncoder>, LibraryError> {
        // A space's id was made by an encoder, so it is one.
        let id = space.id.parse().ok();
        self.shared.encoders.get_or(name, id.as_ref(), |catalog| {
            let fitted = self.store().fitted(&space.id)?;
            match (fitted, &id) {
                (Some(bytes), _) => Ok(Encoder::ngram_hash(Some(Weights::from_bytes(&bytes)?))),
                (None, Some(id)) => Ok(catalog.load_in(name, id)?),
                (None, None) => Ok(catalog.load(name)?),
            }
        })
    }

    /// Whether that error says that a swap came between encoding and committing.
    pub fn swapped_meanwhile(error: &LibraryError) -> bool {
        matches!(error, LibraryError::Store(StoreError::OtherSpace { .. }))
    }
}
