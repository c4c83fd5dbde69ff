//! What is told of a photo in words: a caption, tags, a date. A caption is a part of its item, in a space of its own.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::change::{Change, Place};
use super::collections::{self, put_space};
use super::route::Spaces;
use super::{
    CollectionId, Committed, Field, InSpace, ItemId, LiveRow, PartId, SegmentId, SpaceRecord, Store,
    StoreError, words,
};
use crate::types::{Date, EncoderName, ItemKey};

/// The number of a photo's caption among its parts. Parts from here on lie in the caption space, those below in the
/// collection's own.
pub const CAPTION: u16 = 1 << 15;

/// What is now told of an item; all of it takes the place of what was told before.
#[derive(Debug, Clone)]
pub struct Description {
    pub key: ItemKey,
    pub caption: Option<String>,
    /// At most one for each space, as for a part. None with a caption: its text is the one it had, and so are its vectors.
    pub vectors: Vec<InSpace>,
    pub tags: Vec<String>,
    pub date: Option<Date>,
    /// For keyword search, already cut: of name, tags and caption.
    pub words: Vec<String>,
}

/// What a replaced item hands on to the one in its place.
pub(super) struct Kept {
    text: Option<String>,
    date: Option<String>,
    rows: Vec<CaptionRow>,
}

/// Where a vector of a caption lies.
struct CaptionRow {
    num: i64,
    segment: SegmentId,
    row: u32,
    /// In the space that is searched; else in one that is being filled.
    now: bool,
}

impl Store {
    /// Sets the encoder and the space of a collection's captions. Vectors of another space are no longer searched.
    pub fn set_caption_encoder(
        &self,
        id: CollectionId,
        encoder: &EncoderName,
        space: &SpaceRecord,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            put_space(tx, space, None)?;
            let sql = "UPDATE collections SET caption_encoder = ?, caption_space = ? WHERE id = ?";
            collections::changed(id, tx.execute(sql, params![encoder.as_str(), space.id, id.0])?)
        })
    }

    /// Gives items new words: whole or not at all. Their pictures and their vectors stay as they are; unknown keys are
    /// passed over. A caption's vector is searched from here on.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn describe(&self, id: CollectionId, described: &[Description]) -> Result<Committed, StoreError> {
        let mut writer = self.writer()?;
        let spaces = Spaces::of(&writer.conn, id, Field::Captions)?;
        let mut seen = HashSet::new();
        let mut last: Vec<&Description> = described.iter().rev().filter(|d| seen.insert(&d.key)).collect();
        last.reverse();
        let mut there = Vec::with_capacity(last.len());
        for told in last {
            let mut query =
                writer.conn.prepare_cached("SELECT id FROM items WHERE collection = ? AND key = ?")?;
            let item = query.query_row(params![id.0, told.key.as_str()], |row| row.get(0)).optional()?;
            there.extend(item.map(|item| (ItemId(item), told)));
        }
        if there.is_empty() {
            return Ok(Committed::default());
        }
        let mut rows = spaces.rows();
        for (_, told) in there.iter().filter(|(_, told)| told.caption.is_some()) {
            spaces.take(&told.key, &told.vectors, &mut rows)?;
        }
        rows.retain(|rows| !rows.vectors.is_empty());
        self.change(&mut writer, id, &rows, &spaces, |change, mut places| {
            there.iter().try_for_each(|(item, told)| change.describe(*item, told, &mut places))
        })
    }
}

impl Change<'_> {
    fn describe(&mut self, item: ItemId, told: &Description, places: &mut [Place]) -> Result<(), StoreError> {
        let tx = self.tx;
        tx.prepare_cached("UPDATE items SET date = ? WHERE id = ?")?
            .execute(params![told.date.as_ref().map(Date::as_str), item.0])?;
        tx.prepare_cached("DELETE FROM item_tags WHERE item = ?")?.execute([item.0])?;
        let mut tags = tx.prepare_cached("INSERT OR IGNORE INTO item_tags (item, tag) VALUES (?, ?)")?;
        for tag in &told.tags {
            tags.execute(params![item.0, tag])?;
        }
        words::remove(tx, item.0)?;
        words::add(tx, self.collection, item.0, &told.words)?;
        if told.caption.is_some() && told.vectors.is_empty() {
            return Ok(());
        }
        self.take_caption(item)?;
        if let Some(text) = &told.caption {
            self.put_caption(item, Some(text))?;
            let brought = |place: &&mut Place| told.vectors.iter().any(|made| made.space == place.space);
            for place in places.iter_mut().filter(brought) {
                self.own(PartId { item, part: CAPTION }, place)?;
            }
        }
        Ok(())
    }

    fn take_caption(&mut self, item: ItemId) -> Result<(), StoreError> {
        let tx = self.tx;
        for CaptionRow { segment, row, .. } in rows_of(tx, self.collection, item)? {
            self.done.dead.push((segment, row));
        }
        let part = params![item.0, CAPTION];
        tx.prepare_cached("DELETE FROM vectors WHERE item = ? AND part = ?")?.execute(part)?;
        let gone = tx.prepare_cached("DELETE FROM parts WHERE item = ? AND part = ?")?.execute(part)?;
        self.parts -= i64::from(gone > 0);
        Ok(())
    }

    fn put_caption(&mut self, item: ItemId, text: Option<&str>) -> Result<(), StoreError> {
        let sql = "INSERT INTO parts (item, part, text) VALUES (?, ?, ?)";
        self.tx.prepare_cached(sql)?.execute(params![item.0, CAPTION, text])?;
        self.parts += 1;
        Ok(())
    }

    /// What an item that is about to be replaced hands on; `None` if nothing was told of it.
    pub(super) fn kept_of(&self, key: &ItemKey) -> Result<Option<Kept>, StoreError> {
        let sql = "SELECT i.id, i.date, p.text FROM items i LEFT JOIN parts p ON p.item = i.id AND p.part = ?
                   WHERE i.collection = ? AND i.key = ?";
        let mut query = self.tx.prepare_cached(sql)?;
        let found: Option<(i64, Option<String>, Option<String>)> = query
            .query_row(params![CAPTION, self.collection.0, key.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((item, date, text)) = found.filter(|(_, date, text)| date.is_some() || text.is_some())
        else {
            return Ok(None);
        };
        let rows = rows_of(self.tx, self.collection, ItemId(item))?;
        Ok(Some(Kept { text, date, rows }))
    }

    /// The new item has the old one's caption, with its vectors, and its date.
    pub(super) fn hand_on(&mut self, item: ItemId, kept: &Kept) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE items SET date = ? WHERE id = ?")?
            .execute(params![kept.date, item.0])?;
        let Some(text) = &kept.text else { return Ok(()) };
        self.put_caption(item, Some(text))?;
        for &CaptionRow { num, segment, row, now } in &kept.rows {
            self.tx
                .prepare_cached("INSERT INTO vectors (segment, row, item, part) VALUES (?, ?, ?, ?)")?
                .execute(params![num, row, item.0, CAPTION])?;
            // It changes hands; it does not die.
            self.done.dead.retain(|dead| *dead != (segment, row));
            if now {
                self.done.rows.push(LiveRow { segment, row, item, part: CAPTION });
            }
        }
        Ok(())
    }
}

/// The rows of an item's caption, in every space.
fn rows_of(
    tx: &Transaction<'_>,
    collection: CollectionId,
    item: ItemId,
) -> Result<Vec<CaptionRow>, StoreError> {
    let now = Field::Captions.space(tx, collection)?;
    let mut query = tx.prepare_cached(
        "SELECT s.num, s.uuid, v.row, s.space FROM vectors v JOIN segments s ON s.num = v.segment
         WHERE v.item = ? AND v.part = ? ORDER BY s.num, v.row",
    )?;
    let rows = query.query_map(params![item.0, CAPTION], |row| {
        let (segment, space): (_, String) = (SegmentId(Uuid::from_bytes(row.get(1)?)), row.get(3)?);
        Ok(CaptionRow { num: row.get(0)?, segment, row: row.get(2)?, now: now.as_ref() == Some(&space) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
