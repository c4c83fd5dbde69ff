//! Which vector of a batch goes where: a collection has one space, and a second one while it is being switched.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{
    CAPTION, CollectionId, Field, InSpace, NewItem, PartId, SpaceRecord, StoreError, collections, items,
    switch,
};
use crate::types::{ItemKey, Vector};

/// The spaces that the vectors of a collection's field may lie in.
pub(super) struct Spaces {
    /// Where it is searched.
    pub now: Option<SpaceRecord>,
    /// What is being filled to take its place.
    pub beside: Option<SpaceRecord>,
}

/// Vectors on their way into one space, in the order of their rows.
pub(super) struct Rows<'a> {
    pub space: SpaceRecord,
    pub vectors: Vec<&'a Vector>,
}

impl Spaces {
    pub(super) fn of(db: &Connection, collection: CollectionId, field: Field) -> Result<Self, StoreError> {
        let now = field.of(&collections::by_id(db, collection)?).1.cloned();
        let beside = switch::under_way(db, collection, field)?.map(|switch| switch.space);
        Ok(Self { now, beside })
    }

    pub(super) fn is_now(&self, space: &str) -> bool {
        self.now.as_ref().is_some_and(|now| now.id == space)
    }

    fn all(&self) -> impl Iterator<Item = &SpaceRecord> {
        self.now.iter().chain(&self.beside)
    }

    /// The vectors of a batch, by the space that each was made for. One for a space that the collection left is left
    /// out, if its part brings another for the space that it has now.
    pub(super) fn sort<'a>(&self, upserts: &[&'a NewItem]) -> Result<Vec<Rows<'a>>, StoreError> {
        const MOST_PARTS: usize = CAPTION as usize;
        let mut rows = self.rows();
        for item in upserts {
            if item.parts.len() > MOST_PARTS {
                return Err(StoreError::TooManyParts { key: item.key.clone(), max: MOST_PARTS });
            }
            for part in &item.parts {
                self.take(&item.key, &part.vectors, &mut rows)?;
            }
        }
        rows.retain(|rows| !rows.vectors.is_empty());
        Ok(rows)
    }

    /// Room for vectors of each of the spaces.
    pub(super) fn rows<'a>(&self) -> Vec<Rows<'a>> {
        self.all().map(|space| Rows { space: space.clone(), vectors: Vec::new() }).collect()
    }

    /// Puts the vectors of one part where they belong.
    pub(super) fn take<'a>(
        &self,
        key: &ItemKey,
        vectors: &'a [InSpace],
        rows: &mut [Rows<'a>],
    ) -> Result<(), StoreError> {
        if vectors.is_empty() {
            return Ok(());
        }
        if self.now.is_none() {
            return Err(StoreError::NoSpace { key: key.clone() });
        }
        if !vectors.iter().any(|made| self.is_now(&made.space)) {
            return Err(StoreError::OtherSpace { key: key.clone() });
        }
        for made in vectors {
            if let Some(rows) = rows.iter_mut().find(|rows| rows.space.id == made.space) {
                check(key, &made.vector, &rows.space)?;
                rows.vectors.push(&made.vector);
            }
        }
        Ok(())
    }
}

/// Those of the parts that are there and have no vector in the space, each once.
pub(super) fn lacking_among<'a>(
    db: &Connection,
    collection: CollectionId,
    space: &SpaceRecord,
    vectors: &'a [(PartId, Vector)],
) -> Result<Vec<(PartId, &'a Vector)>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT i.key FROM parts p JOIN items i ON i.id = p.item
         WHERE p.item = ?1 AND p.part = ?2 AND i.collection = ?3 AND NOT EXISTS
         (SELECT 1 FROM vectors v JOIN segments g ON g.num = v.segment
          WHERE v.item = ?1 AND v.part = ?2 AND g.space = ?4)",
    )?;
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for (part, vector) in vectors {
        let mut rows = query.query(params![part.item.0, part.part, collection.0, space.id])?;
        if let Some(row) = rows.next()? {
            check(&items::key_of(row, 0)?, vector, space)?;
            if seen.insert(part) {
                out.push((*part, vector));
            }
        }
    }
    Ok(out)
}

fn check(key: &ItemKey, vector: &Vector, space: &SpaceRecord) -> Result<(), StoreError> {
    if vector.dim() == space.dim {
        return Ok(());
    }
    Err(StoreError::WrongDim { key: key.clone(), got: vector.dim(), want: space.dim })
}
