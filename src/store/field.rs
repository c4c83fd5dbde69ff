//! Which of the spaces that a collection is searched in: its own, and that of its captions.

use rusqlite::{Connection, OptionalExtension};

use super::{CollectionId, StoreError};

/// One space of a collection, with segments of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Of pictures, questions and wordings.
    Own,
    Captions,
}

impl Field {
    pub const ALL: [Self; 2] = [Self::Own, Self::Captions];

    /// The id of its space; `None` as long as it has no encoder.
    pub(super) fn space(self, db: &Connection, id: CollectionId) -> Result<Option<String>, StoreError> {
        let column = match self {
            Self::Own => "space",
            Self::Captions => "caption_space",
        };
        let mut query = db.prepare_cached(&format!("SELECT {column} FROM collections WHERE id = ?"))?;
        query.query_row([id.0], |row| row.get(0)).optional()?.ok_or(StoreError::NoCollection { id: id.0 })
    }
}
