//! Which of the spaces that a collection is searched in: its own, and that of its captions.

use rusqlite::{Connection, OptionalExtension};

use super::{CAPTION, CollectionId, CollectionRecord, SpaceRecord, StoreError};
use crate::types::EncoderName;

/// One space of a collection, with segments of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Of pictures, questions and wordings.
    Own,
    Captions,
}

impl Field {
    pub const ALL: [Self; 2] = [Self::Own, Self::Captions];

    /// What makes its vectors, and the space that these lie in; `None` as long as there is nothing in it.
    pub fn of(self, record: &CollectionRecord) -> (Option<&EncoderName>, Option<&SpaceRecord>) {
        match self {
            Self::Own => (record.encoder.as_ref(), record.space.as_ref()),
            Self::Captions => (record.caption_encoder.as_ref(), record.caption_space.as_ref()),
        }
    }

    /// As the table of switches has it.
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Own => 0,
            Self::Captions => 1,
        }
    }

    /// The columns of `collections` that name its space and its encoder.
    pub(super) fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Own => ("space", "encoder"),
            Self::Captions => ("caption_space", "caption_encoder"),
        }
    }

    /// The parts whose vectors lie in it: from this number on, and below that one.
    pub(super) fn parts(self) -> (u32, u32) {
        match self {
            Self::Own => (0, CAPTION.into()),
            Self::Captions => (CAPTION.into(), 1 << 16),
        }
    }

    /// The id of its space; `None` as long as it has no encoder.
    pub(super) fn space(self, db: &Connection, id: CollectionId) -> Result<Option<String>, StoreError> {
        let (space, _) = self.columns();
        let mut query = db.prepare_cached(&format!("SELECT {space} FROM collections WHERE id = ?"))?;
        query.query_row([id.0], |row| row.get(0)).optional()?.ok_or(StoreError::NoCollection { id: id.0 })
    }
}
