//! A collection on its way to another encoder: what it has of the new space, and the swap that readers see as one step.

use std::sync::Arc;

use super::collection::space_record;
use super::encoders::LoadedEncoder;
use super::encoding::Encoding;
use super::{Collection, LibraryError, SwitchInfo};
use crate::encoder::Encoder;
use crate::store::{Field, PartId, SpaceRecord, StoreError};
use crate::text::ngram::Weights;
use crate::types::{EncoderName, Vector};

impl Collection {
    /// The switch that a field of the collection is in.
    pub fn switching(&self, field: Field) -> Result<Option<SwitchInfo>, LibraryError> {
        let Some(switch) = self.store().switch(self.id(), field)? else { return Ok(None) };
        let parts = self.store().parts(self.id(), field)?;
        let lacking = self.store().lacking_beside(self.id(), field)?.len() as u64;
        let filled = parts.saturating_sub(lacking);
        Ok(Some(SwitchInfo { encoder: switch.encoder, dim: switch.space.dim, filled, parts }))
    }

    /// Begins to fill the space of an encoder beside the one that a field has, or goes on with it.
    ///
    /// # Errors
    /// `switch.same`, `switch.other`, `collection.no_encoder`.
    pub fn begin_switch(&self, field: Field, encoder: &Encoder) -> Result<(), LibraryError> {
        let (fitted, space) = (encoder.fitted(), space_record(encoder));
        self.store().begin_switch(self.id(), field, encoder.name(), &space, fitted.as_deref())?;
        Ok(())
    }

    /// The encoder whose space is being filled; `None` if none is.
    pub fn next_encoder(&self, field: Field) -> Result<Option<Arc<LoadedEncoder>>, LibraryError> {
        let switch = self.store().switch(self.id(), field)?;
        switch.map(|switch| self.load(&switch.encoder, &switch.space)).transpose()
    }

    /// What a write of now encodes with.
    pub fn encoding(&self) -> Result<Encoding, LibraryError> {
        Ok(self.encoding_with(self.encoder()?, Field::Own))
    }

    /// What a caption of now is encoded with.
    ///
    /// # Errors
    /// `collection.no_encoder` as long as there are none.
    pub fn caption_encoding(&self) -> Result<Encoding, LibraryError> {
        let now = self.caption_encoder()?;
        let now = now.ok_or_else(|| LibraryError::NoEncoderYet { collection: self.name().clone() })?;
        Ok(self.encoding_with(now, Field::Captions))
    }

    fn encoding_with(&self, now: Arc<LoadedEncoder>, field: Field) -> Encoding {
        let beside = self.next_encoder(field).unwrap_or_else(|e| {
            tracing::debug!("{}: the next encoder is left out: {e}", self.name());
            None
        });
        Encoding::new(now, beside)
    }

    /// Parts without a vector of the next encoder.
    pub fn lacking_beside(&self, field: Field) -> Result<Vec<PartId>, LibraryError> {
        Ok(self.store().lacking_beside(self.id(), field)?)
    }

    /// Gives parts their vectors of the next encoder; those that have one, or are gone, are passed over.
    ///
    /// # Errors
    /// `switch.none` if the switch was given up meanwhile.
    pub fn fill_beside(
        &self,
        field: Field,
        encoder: &LoadedEncoder,
        vectors: &[(PartId, Vector)],
    ) -> Result<u64, LibraryError> {
        let space = encoder.about().space_id();
        Ok(self.store().fill_beside(self.id(), field, space.as_str(), vectors)?)
    }

    /// Makes the next encoder the field's. Searches under way end on what they began with.
    ///
    /// # Errors
    /// `switch.lacks` while a part lacks its vector, `switch.none`.
    pub fn swap(&self, field: Field) -> Result<(), LibraryError> {
        self.replace(field, || self.store().swap(self.id(), field).map(drop))
    }

    /// Gives the switch up; what was encoded for it goes. Whether there was one.
    pub fn cancel_switch(&self, field: Field) -> Result<bool, LibraryError> {
        Ok(self.store().cancel_switch(self.id(), field)?)
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
