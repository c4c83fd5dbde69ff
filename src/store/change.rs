//! What a commit does within its transaction: names rows, takes items out, puts items in. Touches no file.

use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::segments::SegmentRow;
use super::{
    CollectionId, Committed, ContentId, ItemId, LiveRow, NewItem, NewPart, PartId, SegmentId, StoreError,
    words,
};
use crate::types::ItemKey;

/// Rows that lie in a segment, synced, and are not named yet.
pub(super) struct Appended {
    /// The segment with `rows` as they will be once named.
    pub segment: SegmentRow,
    pub first: u32,
    pub count: u32,
    pub crc: u32,
    /// The segment is to be named too.
    pub new: bool,
}

/// Where the rows of this change lie in one space: the segment's number and name, and the first row.
pub(super) struct Place {
    num: i64,
    id: SegmentId,
    next: u32,
    pub(super) space: String,
    /// The space is searched; else it is being filled.
    now: bool,
}

/// A change on its way into the transaction.
pub(super) struct Change<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) collection: CollectionId,
    pub(super) done: Committed,
    items: i64,
    pub(super) parts: i64,
}

impl<'a> Change<'a> {
    pub(super) fn new(tx: &'a Transaction<'a>, collection: CollectionId) -> Self {
        Self { tx, collection, done: Committed::default(), items: 0, parts: 0 }
    }

    /// Notes the new counts. The transaction is still to be committed.
    pub(super) fn finish(self) -> Result<Committed, StoreError> {
        self.tx
            .prepare_cached("UPDATE collections SET items = items + ?, parts = parts + ? WHERE id = ?")?
            .execute(params![self.items, self.parts, self.collection.0])?;
        Ok(self.done)
    }

    /// Names rows that were appended and synced.
    pub(super) fn note_rows(&self, appended: &Appended, now: bool) -> Result<Place, StoreError> {
        let s = &appended.segment;
        let num = if appended.new {
            let sql = "INSERT INTO segments (uuid, collection, space, rows) VALUES (?, ?, ?, ?)";
            let mut insert = self.tx.prepare_cached(sql)?;
            insert.insert(params![s.id.0.as_bytes(), self.collection.0, s.space, s.rows])?
        } else {
            let mut update = self.tx.prepare_cached("UPDATE segments SET rows = ? WHERE uuid = ?")?;
            update.execute(params![s.rows, s.id.0.as_bytes()])?;
            let mut query = self.tx.prepare_cached("SELECT num FROM segments WHERE uuid = ?")?;
            query.query_row([s.id.0.as_bytes()], |row| row.get(0))?
        };
        self.tx
            .prepare_cached("INSERT INTO commits (segment, first, rows, crc) VALUES (?, ?, ?, ?)")?
            .execute(params![num, appended.first, appended.count, appended.crc])?;
        Ok(Place { num, id: s.id, next: appended.first, space: s.space.clone(), now })
    }

    /// Takes out, then puts in; `places` are where the vectors of `upserts` lie, in their order.
    pub(super) fn apply(
        &mut self,
        upserts: &[&NewItem],
        deletes: &[ItemKey],
        mut places: Vec<Place>,
    ) -> Result<(), StoreError> {
        for key in deletes {
            self.done.deleted += u64::from(self.take_out(key)?);
        }
        for item in upserts {
            let kept = self.kept_of(&item.key)?;
            if self.take_out(&item.key)? {
                self.done.replaced += 1;
            } else {
                self.done.added += 1;
            }
            let id = self.put_in(item, &mut places)?;
            if let Some(kept) = kept {
                self.hand_on(id, &kept)?;
            }
        }
        Ok(())
    }

    /// Whether there was such an item.
    fn take_out(&mut self, key: &ItemKey) -> Result<bool, StoreError> {
        let tx = self.tx;
        let id: Option<i64> = tx
            .prepare_cached("SELECT id FROM items WHERE collection = ? AND key = ?")?
            .query_row(params![self.collection.0, key.as_str()], |row| row.get(0))
            .optional()?;
        let Some(id) = id else { return Ok(false) };
        let mut rows = tx.prepare_cached(
            "SELECT s.uuid, v.row FROM vectors v JOIN segments s ON s.num = v.segment WHERE v.item = ?",
        )?;
        for dead in
            rows.query_map([id], |row| Ok((SegmentId(Uuid::from_bytes(row.get(0)?)), row.get::<_, u32>(1)?)))?
        {
            self.done.dead.push(dead?);
        }
        words::remove(tx, id)?;
        let parts = tx.prepare_cached("DELETE FROM parts WHERE item = ?")?.execute([id])?;
        // Its vectors and tags go with it.
        tx.prepare_cached("DELETE FROM items WHERE id = ?")?.execute([id])?;
        self.items -= 1;
        self.parts -= i64::try_from(parts).expect("parts are counted in 16 bits");
        Ok(true)
    }

    fn put_in(&mut self, item: &NewItem, places: &mut [Place]) -> Result<ItemId, StoreError> {
        let tx = self.tx;
        let body = serde_json::to_string(&item.body).expect("a body has a JSON form");
        let extra = serde_json::to_string(&item.extra).expect("a JSON object has a JSON form");
        let stamp = item.stamp.map(|s| (s.size.cast_signed(), s.mtime_ns, s.inode.cast_signed()));
        let id = tx
            .prepare_cached(
                "INSERT INTO items (collection, key, root, body, extra, size, mtime_ns, inode, content)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .insert(params![
                self.collection.0,
                item.key.as_str(),
                item.root.map(|r| r.0),
                body,
                extra,
                stamp.map(|s| s.0),
                stamp.map(|s| s.1),
                stamp.map(|s| s.2),
                item.content.as_ref().map(ContentId::as_bytes),
            ])?;
        let mut tags = tx.prepare_cached("INSERT OR IGNORE INTO item_tags (item, tag) VALUES (?, ?)")?;
        for tag in &item.tags {
            tags.execute(params![id, tag])?;
        }
        words::add(tx, self.collection, id, &item.words)?;
        self.put_parts(ItemId(id), &item.parts, places)?;
        self.items += 1;
        Ok(ItemId(id))
    }

    fn put_parts(&mut self, item: ItemId, parts: &[NewPart], places: &mut [Place]) -> Result<(), StoreError> {
        let mut insert = self.tx.prepare_cached("INSERT INTO parts (item, part, text) VALUES (?, ?, ?)")?;
        for (part, new) in (0u16..).zip(parts) {
            insert.execute(params![item.0, part, new.text])?;
            self.parts += 1;
            for place in places.iter_mut() {
                if new.vectors.iter().any(|made| made.space == place.space) {
                    self.own(PartId { item, part }, place)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a part of an item that is there the next row.
    pub(super) fn fill(&mut self, part: PartId, place: &mut Place) -> Result<(), StoreError> {
        self.own(part, place)?;
        self.done.filled += 1;
        Ok(())
    }

    /// Makes the next row a part's.
    pub(super) fn own(&mut self, PartId { item, part }: PartId, place: &mut Place) -> Result<(), StoreError> {
        let row = place.next;
        self.tx
            .prepare_cached("INSERT INTO vectors (segment, row, item, part) VALUES (?, ?, ?, ?)")?
            .execute(params![place.num, row, item.0, part])?;
        if place.now {
            self.tx
                .prepare_cached("UPDATE parts SET lost = 0 WHERE item = ? AND part = ? AND lost = 1")?
                .execute(params![item.0, part])?;
            self.done.rows.push(LiveRow { segment: place.id, row, item, part });
        }
        place.next += 1;
        Ok(())
    }
}
