//! From one space to another: the new one is filled beside the old one while writes go to both; when no part lacks a
//! vector they swap in one transaction, and what lay in the old one is garbage. A switch outlives its program.

use rusqlite::{Connection, Transaction, params};

use super::collections::{by_id, put_space};
use super::{
    CollectionId, Committed, Field, PartId, SpaceRecord, Store, StoreError, Writer, now, unreadable,
};
use super::{items, segments};
use crate::types::{Dim, EncoderName, Vector};

/// A switch under way.
#[derive(Debug, Clone, PartialEq)]
pub struct SwitchRecord {
    /// The id of the space that is to go; searches use it until the swap.
    pub old: String,
    /// The space that is being filled, and the encoder whose it is.
    pub space: SpaceRecord,
    pub encoder: EncoderName,
    /// Unix milliseconds.
    pub begun: i64,
}

/// The switch of a collection's field, if there is one.
pub(super) fn under_way(
    db: &Connection,
    id: CollectionId,
    field: Field,
) -> Result<Option<SwitchRecord>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT w.old, w.new, s.descriptor, s.dim, w.encoder, w.begun
         FROM switches w JOIN spaces s ON s.id = w.new WHERE w.collection = ? AND w.field = ?",
    )?;
    let mut rows = query.query(params![id.0, field.number()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let descriptor: String = row.get(2)?;
    let dim = Dim::new(row.get::<_, u32>(3)? as usize).ok_or_else(|| unreadable("space", "dim 0"))?;
    let descriptor = serde_json::from_str(&descriptor).map_err(|e| unreadable("space", e))?;
    Ok(Some(SwitchRecord {
        old: row.get(0)?,
        space: SpaceRecord { id: row.get(1)?, descriptor, dim },
        encoder: row.get::<_, String>(4)?.parse().map_err(|e| unreadable("switch", e))?,
        begun: row.get(5)?,
    }))
}

impl Store {
    /// Begins to fill `space` beside the one that the collection's field has. Asked again for the same, it goes on with that.
    /// `fitted` is what the encoder fitted on the collection, if it did.
    ///
    /// # Errors
    /// `SameSpace` if the collection is there already, `Switching` if it is on its way to a third, `NotEncoded` if it
    /// has no space to leave.
    pub fn begin_switch(
        &self,
        id: CollectionId,
        field: Field,
        encoder: &EncoderName,
        space: &SpaceRecord,
        fitted: Option<&[u8]>,
    ) -> Result<SwitchRecord, StoreError> {
        self.write(|tx| {
            let has = by_id(tx, id)?;
            let (_, Some(old)) = field.of(&has) else {
                return Err(StoreError::NotEncoded { name: has.name });
            };
            if old.id == space.id {
                return Err(StoreError::SameSpace { name: has.name, encoder: encoder.clone() });
            }
            match under_way(tx, id, field)? {
                Some(there) if there.space.id == space.id => return Ok(there),
                Some(there) => return Err(StoreError::Switching { name: has.name, to: there.encoder }),
                None => {}
            }
            put_space(tx, space, fitted)?;
            tx.execute(
                "INSERT INTO switches (collection, field, old, new, encoder, begun) VALUES (?, ?, ?, ?, ?, ?)",
                params![id.0, field.number(), old.id, space.id, encoder.as_str(), now()],
            )?;
            Ok(under_way(tx, id, field)?.expect("the switch was put in above"))
        })
    }

    /// The switch that a collection's field is in.
    pub fn switch(&self, id: CollectionId, field: Field) -> Result<Option<SwitchRecord>, StoreError> {
        self.read(|db| under_way(db, id, field))
    }

    /// Parts that have no vector in the space that is being filled; none if nothing is.
    pub fn lacking_beside(&self, id: CollectionId, field: Field) -> Result<Vec<PartId>, StoreError> {
        self.read(|db| match under_way(db, id, field)? {
            Some(switch) => items::lacking_in(db, id, field, Some(&switch.space.id)),
            None => Ok(Vec::new()),
        })
    }

    /// Gives vectors to parts that lack one in the space that is being filled. Parts that are gone, or have one by now,
    /// are passed over. Returns how many got theirs.
    ///
    /// # Errors
    /// `NoSwitch` if `space` is not being filled any more; else as [`Self::commit`].
    pub fn fill_beside(
        &self,
        id: CollectionId,
        field: Field,
        space: &str,
        vectors: &[(PartId, Vector)],
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer()?;
        let switch = under_way(&writer.conn, id, field)?.filter(|switch| switch.space.id == space);
        let switch = switch.ok_or(StoreError::NoSwitch)?;
        let Committed { filled, .. } = self.fill_in(&mut writer, id, field, &switch.space, vectors)?;
        Ok(filled)
    }

    /// Makes the filled space the field's in one transaction. The segments of the old one are garbage from then on;
    /// mappings that searches hold stay good.
    ///
    /// # Errors
    /// `SwitchLacks` while a part lacks a vector, `NoSwitch` if there is none under way.
    pub fn swap(&self, id: CollectionId, field: Field) -> Result<SwitchRecord, StoreError> {
        let mut writer = self.writer()?;
        let tx = writer.conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let switch = under_way(&tx, id, field)?.ok_or(StoreError::NoSwitch)?;
        let lacking = items::lacking_in(&tx, id, field, Some(&switch.space.id))?.len();
        if lacking > 0 {
            return Err(StoreError::SwitchLacks { count: lacking });
        }
        let (space, encoder) = field.columns();
        tx.execute(
            &format!("UPDATE collections SET {space} = ?, {encoder} = ? WHERE id = ?"),
            params![switch.space.id, switch.encoder.as_str(), id.0],
        )?;
        // Whatever the old space had lost is there again.
        tx.execute(
            "UPDATE parts SET lost = 0 WHERE lost = 1 AND part >= ? AND part < ?
             AND item IN (SELECT id FROM items WHERE collection = ?)",
            params![field.parts().0, field.parts().1, id.0],
        )?;
        let garbage = leave(&tx, id, field, &switch.old)?;
        self.io.commit(tx)?;
        self.clear(&mut writer, id, &switch.old, &garbage);
        Ok(switch)
    }

    /// Gives a switch up: what it filled is garbage. Whether there was one.
    pub fn cancel_switch(&self, id: CollectionId, field: Field) -> Result<bool, StoreError> {
        let mut writer = self.writer()?;
        let tx = writer.conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let Some(switch) = under_way(&tx, id, field)? else { return Ok(false) };
        let garbage = leave(&tx, id, field, &switch.space.id)?;
        self.io.commit(tx)?;
        self.clear(&mut writer, id, &switch.space.id, &garbage);
        Ok(true)
    }

    /// Lets go of files that nobody names any more; one that cannot go now goes at the next open.
    fn clear(&self, writer: &mut Writer, id: CollectionId, space: &str, garbage: &[segments::SegmentRow]) {
        writer.growing.remove(&(id, space.to_owned()));
        for row in garbage {
            self.maps.forget([row.id]);
            self.retire_file(row.path(&self.data));
        }
        self.sweep();
    }
}

/// Ends the switch and takes one of its spaces out of the tables; gives the segments that lay in it.
fn leave(
    tx: &Transaction<'_>,
    id: CollectionId,
    field: Field,
    space: &str,
) -> Result<Vec<segments::SegmentRow>, StoreError> {
    let garbage = segments::select(tx, "WHERE g.collection = ? AND g.space = ?", params![id.0, space])?;
    tx.execute("DELETE FROM switches WHERE collection = ? AND field = ?", params![id.0, field.number()])?;
    // Their vectors and commits go with them.
    tx.execute("DELETE FROM segments WHERE collection = ? AND space = ?", params![id.0, space])?;
    tx.execute(
        "DELETE FROM spaces WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM segments WHERE space = ?1)
         AND NOT EXISTS (SELECT 1 FROM collections WHERE space = ?1 OR caption_space = ?1)
         AND NOT EXISTS (SELECT 1 FROM switches WHERE old = ?1 OR new = ?1)",
        [space],
    )?;
    Ok(garbage)
}
