//! Collections, the spaces of their vectors, and the roots that their items come from.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, StoreError, now, unreadable};
use crate::types::{CollectionName, Dim, EncoderName, Kind};

/// Names a collection for as long as it lives; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CollectionId(pub i64);

/// Names a root; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RootId(pub i64);

/// What made a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct SpaceRecord {
    /// The hash of the descriptor; it also names a folder.
    pub id: String,
    pub descriptor: Value,
    pub dim: Dim,
}

/// A collection to be made.
#[derive(Debug, Clone)]
pub struct NewCollection {
    pub name: CollectionName,
    pub kind: Kind,
    pub encoder: Option<EncoderName>,
    pub recipe: String,
}

/// A collection as it is on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionRecord {
    pub id: CollectionId,
    pub name: CollectionName,
    pub kind: Kind,
    pub encoder: Option<EncoderName>,
    pub space: Option<SpaceRecord>,
    /// Of the captions; `None` as long as there are none.
    pub caption_encoder: Option<EncoderName>,
    pub caption_space: Option<SpaceRecord>,
    pub recipe: String,
    /// Unix milliseconds.
    pub created: i64,
    pub items: u64,
    pub parts: u64,
}

/// Where items come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKind {
    Folder,
    Upload,
    Table,
    Api,
}

impl RootKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Upload => "upload",
            Self::Table => "table",
            Self::Api => "api",
        }
    }

    fn of(text: &str) -> Result<Self, StoreError> {
        [Self::Folder, Self::Upload, Self::Table, Self::Api]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| unreadable("kind of a root", text))
    }
}

/// A root of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRecord {
    pub id: RootId,
    pub kind: RootKind,
    /// A folder's absolute path as [`super::text_of_path`] writes it, or an upload's name.
    pub name: String,
    /// What stands before the keys of its items.
    pub prefix: Option<String>,
}

const COLLECTION: &str = "SELECT c.id, c.name, c.kind, c.encoder, c.recipe, c.created, c.items, c.parts, \
     s.id, s.descriptor, s.dim, c.caption_encoder, t.id, t.descriptor, t.dim FROM collections c \
     LEFT JOIN spaces s ON s.id = c.space LEFT JOIN spaces t ON t.id = c.caption_space";

fn collection_of(row: &Row<'_>) -> Result<CollectionRecord, StoreError> {
    let name: String = row.get(1)?;
    let kind: String = row.get(2)?;
    let encoder = |column| {
        let name: Option<String> = row.get(column)?;
        name.map(|e| e.parse()).transpose().map_err(|e| unreadable("collection", e))
    };
    Ok(CollectionRecord {
        id: CollectionId(row.get(0)?),
        name: name.parse().map_err(|e| unreadable("collection", e))?,
        kind: kind.parse().map_err(|e| unreadable("collection", e))?,
        encoder: encoder(3)?,
        space: space_at(row, 8)?,
        caption_encoder: encoder(11)?,
        caption_space: space_at(row, 12)?,
        recipe: row.get(4)?,
        created: row.get(5)?,
        items: row.get::<_, i64>(6)?.unsigned_abs(),
        parts: row.get::<_, i64>(7)?.unsigned_abs(),
    })
}

/// The space in three columns, from `at` on.
fn space_at(row: &Row<'_>, at: usize) -> Result<Option<SpaceRecord>, StoreError> {
    let Some(id) = row.get::<_, Option<String>>(at)? else { return Ok(None) };
    let descriptor = row.get::<_, String>(at + 1)?;
    let descriptor = serde_json::from_str(&descriptor).map_err(|e| unreadable("space", e))?;
    let dim = Dim::new(row.get::<_, u32>(at + 2)? as usize).ok_or_else(|| unreadable("space", "dim 0"))?;
    Ok(Some(SpaceRecord { id, descriptor, dim }))
}

/// Notes a space, if it is not known yet.
pub(super) fn put_space(
    tx: &Transaction<'_>,
    space: &SpaceRecord,
    fitted: Option<&[u8]>,
) -> Result<(), StoreError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if space.id.is_empty() || space.id.len() > 128 || !space.id.chars().all(fits) {
        return Err(StoreError::SpaceId { id: space.id.clone() });
    }
    tx.execute(
        "INSERT OR IGNORE INTO spaces (id, descriptor, dim, fitted) VALUES (?, ?, ?, ?)",
        params![space.id, space.descriptor.to_string(), space.dim.get() as i64, fitted],
    )?;
    Ok(())
}

/// The record of a collection that must be there.
pub(super) fn by_id(db: &Connection, id: CollectionId) -> Result<CollectionRecord, StoreError> {
    let mut query = db.prepare_cached(&format!("{COLLECTION} WHERE c.id = ?"))?;
    let mut rows = query.query([id.0])?;
    rows.next()?.map(collection_of).unwrap_or(Err(StoreError::NoCollection { id: id.0 }))
}

fn by_name(db: &Connection, name: &CollectionName) -> Result<Option<CollectionRecord>, StoreError> {
    let mut query = db.prepare_cached(&format!("{COLLECTION} WHERE c.name = ?"))?;
    let mut rows = query.query([name.as_str()])?;
    rows.next()?.map(collection_of).transpose()
}

impl Store {
    /// All collections, by name.
    pub fn collections(&self) -> Result<Vec<CollectionRecord>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{COLLECTION} ORDER BY c.name"))?;
            let mut rows = query.query([])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(collection_of(row)?);
            }
            Ok(out)
        })
    }

    pub fn collection(&self, name: &CollectionName) -> Result<Option<CollectionRecord>, StoreError> {
        self.read(|db| by_name(db, name))
    }

    /// # Errors
    /// `Exists` if there is one of that name.
    pub fn create_collection(&self, new: &NewCollection) -> Result<CollectionRecord, StoreError> {
        self.write(|tx| {
            if by_name(tx, &new.name)?.is_some() {
                return Err(StoreError::Exists { name: new.name.clone() });
            }
            tx.execute(
                "INSERT INTO collections (name, kind, encoder, recipe, created) VALUES (?, ?, ?, ?, ?)",
                params![
                    new.name.as_str(),
                    new.kind.as_str(),
                    new.encoder.as_ref().map(EncoderName::as_str),
                    new.recipe,
                    now()
                ],
            )?;
            by_id(tx, CollectionId(tx.last_insert_rowid()))
        })
    }

    /// Takes a collection out with its items and vectors. Originals that lie elsewhere, and blobs, stay.
    pub fn drop_collection(&self, id: CollectionId) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "DELETE FROM words WHERE rowid IN (SELECT id FROM items WHERE collection = ?)",
                [id.0],
            )?;
            // Before the roots they name.
            tx.execute("DELETE FROM items WHERE collection = ?", [id.0])?;
            match tx.execute("DELETE FROM collections WHERE id = ?", [id.0])? {
                0 => Err(StoreError::NoCollection { id: id.0 }),
                _ => Ok(()),
            }
        })?;
        self.forget_segments(id)
    }

    /// Takes a collection out that has no item; whether it did.
    pub fn drop_if_empty(&self, id: CollectionId) -> Result<bool, StoreError> {
        let gone = self
            .write(|tx| Ok(tx.execute("DELETE FROM collections WHERE id = ? AND items = 0", [id.0])? > 0))?;
        if gone {
            self.forget_segments(id)?;
        }
        Ok(gone)
    }

    pub fn set_recipe(&self, id: CollectionId, recipe: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            changed(id, tx.execute("UPDATE collections SET recipe = ? WHERE id = ?", params![recipe, id.0])?)
        })
    }

    /// Sets the encoder and the space that new vectors lie in. Vectors of another space stay on disk, but are no longer
    /// among `segments` and `live`: their parts are then among `lacking_vectors`.
    pub fn set_encoder(
        &self,
        id: CollectionId,
        encoder: &EncoderName,
        space: &SpaceRecord,
    ) -> Result<(), StoreError> {
        self.set_fitted_encoder(id, encoder, space, None)
    }

    /// The same, with what the encoder fitted on the collection; its hash is in the descriptor.
    pub fn set_fitted_encoder(
        &self,
        id: CollectionId,
        encoder: &EncoderName,
        space: &SpaceRecord,
        fitted: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            put_space(tx, space, fitted)?;
            let sql = "UPDATE collections SET encoder = ?, space = ? WHERE id = ?";
            changed(id, tx.execute(sql, params![encoder.as_str(), space.id, id.0])?)
        })
    }

    /// What was fitted for a space; `None` if nothing was, or the space is gone.
    pub fn fitted(&self, space: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached("SELECT fitted FROM spaces WHERE id = ?")?;
            let found: Option<Option<Vec<u8>>> = query.query_row([space], |row| row.get(0)).optional()?;
            Ok(found.flatten())
        })
    }

    /// The roots of a collection, oldest first.
    pub fn roots(&self, id: CollectionId) -> Result<Vec<RootRecord>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT id, kind, name, prefix FROM roots WHERE collection = ? ORDER BY id",
            )?;
            let mut rows = query.query([id.0])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(root_of(row)?);
            }
            Ok(out)
        })
    }

    /// The root of that kind and name, made if it is not there. The prefix of one that is there stays, unless it has no
    /// items yet: then the one given holds.
    pub fn add_root(
        &self,
        id: CollectionId,
        kind: RootKind,
        name: &str,
        prefix: Option<&str>,
    ) -> Result<RootRecord, StoreError> {
        self.write(|tx| {
            by_id(tx, id)?;
            tx.execute(
                "INSERT INTO roots (collection, kind, name, prefix) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET prefix = ?4 WHERE NOT EXISTS (SELECT 1 FROM items WHERE root = roots.id)",
                params![id.0, kind.as_str(), name, prefix],
            )?;
            let sql = "SELECT id, kind, name, prefix FROM roots WHERE collection = ? AND kind = ? AND name = ?";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![id.0, kind.as_str(), name])?;
            rows.next()?.map(root_of).expect("the root was put in above")
        })
    }
}

pub(super) fn changed(id: CollectionId, rows: usize) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NoCollection { id: id.0 }) } else { Ok(()) }
}

fn root_of(row: &Row<'_>) -> Result<RootRecord, StoreError> {
    let kind: String = row.get(1)?;
    Ok(RootRecord {
        id: RootId(row.get(0)?),
        kind: RootKind::of(&kind)?,
        name: row.get(2)?,
        prefix: row.get(3)?,
    })
}
