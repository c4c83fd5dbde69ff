//! Changing items: vectors into a segment first, then the one transaction that names them.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value};

use super::collections::{self, RootId};
use super::segment::{header, length, stride};
use super::segments::{self, SegmentRow};
use super::{
    Body, CollectionId, ContentId, ItemId, Segment, SegmentId, SpaceRecord, Stamp, Store, StoreError, Writer,
    words,
};
use crate::types::{Dim, ItemKey, Vector};

/// Changes to one collection that become true together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Added, or put in the place of the item of the same key; of two with one key the last counts.
    pub upserts: Vec<NewItem>,
    /// Taken out first; unknown keys count nothing.
    pub deletes: Vec<ItemKey>,
}

/// An item to be kept.
#[derive(Debug, Clone)]
pub struct NewItem {
    pub key: ItemKey,
    pub root: Option<RootId>,
    pub body: Body,
    pub tags: Vec<String>,
    pub extra: Map<String, Value>,
    pub stamp: Option<Stamp>,
    pub content: Option<ContentId>,
    /// For keyword search, already cut.
    pub words: Vec<String>,
    pub parts: Vec<NewPart>,
}

/// A part to be kept; without a vector it is listed by `lacking_vectors`.
#[derive(Debug, Clone, Default)]
pub struct NewPart {
    pub text: Option<String>,
    pub vector: Option<Vector>,
}

/// A row of a segment that is a part's current vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LiveRow {
    pub segment: SegmentId,
    pub row: u32,
    pub item: ItemId,
    pub part: u16,
}

/// What a commit changed.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    pub added: u64,
    pub replaced: u64,
    pub deleted: u64,
    /// The new rows.
    pub rows: Vec<LiveRow>,
    /// Rows that are no longer anybody's.
    pub dead: Vec<(SegmentId, u32)>,
    /// The segments that have the new rows, mapped to their new length.
    pub segments: Vec<Arc<Segment>>,
}

/// A segment that takes new rows.
pub(super) struct Growing {
    /// As committed; without its number if this process made it.
    row: SegmentRow,
    file: File,
    path: PathBuf,
    /// Where the next rows go: behind what is committed, and behind what a failed commit may have named.
    next: u32,
}

/// Rows that lie in a segment, synced, and are not named yet.
struct Appended {
    /// The segment with `rows` as they will be once named.
    segment: SegmentRow,
    first: u32,
    count: u32,
    crc: u32,
    new: bool,
}

impl Store {
    /// Makes a batch true: whole or not at all. Returning `Ok` is the acknowledgement: it survives a power cut.
    ///
    /// # Errors
    /// `NoCollection`, `NoSpace`, `WrongDim` before anything is written; `Full` and what the disk reports leave the
    /// items as they were.
    pub fn commit(&self, collection: CollectionId, batch: &Batch) -> Result<Committed, StoreError> {
        let upserts = last_of_each_key(&batch.upserts);
        let mut writer = self.writer()?;
        let record = collections::by_id(&writer.conn, collection)?;
        let vectors = check(&upserts, record.space.as_ref())?;
        let appended = match &record.space {
            Some(space) if !vectors.is_empty() => {
                Some(self.append(&mut writer, collection, space, &vectors)?)
            }
            _ => None,
        };
        let named = self.name(&mut writer.conn, collection, &upserts, &batch.deletes, appended.as_ref());
        let Some(appended) = appended else { return named };
        let slot = (collection, appended.segment.space.clone());
        match named {
            Ok(mut committed) => {
                if let Some(growing) = writer.growing.get_mut(&slot) {
                    growing.row = appended.segment.clone();
                    growing.next = appended.segment.rows;
                }
                drop(writer);
                committed.segments.push(self.map(&appended.segment)?);
                Ok(committed)
            }
            Err(e) => {
                // The transaction may still come true after a crash, so these rows are never written again.
                match writer.growing.get_mut(&slot) {
                    Some(growing) if !appended.new => growing.next = appended.first + appended.count,
                    _ => drop(writer.growing.remove(&slot)),
                }
                Err(e)
            }
        }
    }

    /// Puts vectors behind the collection's growing segment, and syncs.
    fn append(
        &self,
        writer: &mut Writer,
        collection: CollectionId,
        space: &SpaceRecord,
        vectors: &[&Vector],
    ) -> Result<Appended, StoreError> {
        let count = u32::try_from(vectors.len()).expect("fewer parts than 2^32 fit in memory");
        let bytes: Vec<u8> =
            vectors.iter().flat_map(|v| v.as_slice()).flat_map(|x| x.to_le_bytes()).collect();
        let slot = (collection, space.id.clone());
        self.find_growing(writer, collection, space, bytes.len() as u64)?;
        let new = !writer.growing.contains_key(&slot);
        if new {
            let growing = self.begin_segment(collection, space)?;
            writer.growing.insert(slot.clone(), growing);
        }
        let growing = writer.growing.get(&slot).expect("put there if it was not");
        let written = self
            .io
            .write_at(&growing.file, &growing.path, length(space.dim, growing.next), &bytes)
            .and_then(|()| self.io.sync(&growing.file, &growing.path));
        // The name of a new file must outlive a power cut as its bytes do.
        let written = match growing.path.parent() {
            Some(folder) if new => written.and_then(|()| self.io.sync_dir(folder)),
            _ => written,
        };
        if let Err(e) = written {
            if new {
                // Nobody names it; if it cannot go now it goes at the next open.
                let _ = self.io.remove(&growing.path);
                writer.growing.remove(&slot);
            }
            return Err(e);
        }
        let segment = SegmentRow { rows: growing.next + count, ..growing.row.clone() };
        Ok(Appended { segment, first: growing.next, count, crc: crc32fast::hash(&bytes), new })
    }

    /// Finds the segment that is to take so many bytes more, if there is one; seals one that they would overfill.
    fn find_growing(
        &self,
        writer: &mut Writer,
        collection: CollectionId,
        space: &SpaceRecord,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let slot = (collection, space.id.clone());
        if !writer.growing.contains_key(&slot) {
            let condition = "WHERE g.collection = ? AND g.space = ? AND g.sealed = 0";
            let open = segments::select(&writer.conn, condition, params![collection.0, space.id])?.pop();
            let Some(row) = open else { return Ok(()) };
            let path = row.path(&self.data);
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let file = file.map_err(|e| StoreError::io(&path, e))?;
            let next = row.rows;
            writer.growing.insert(slot.clone(), Growing { row, file, path, next });
        }
        let growing = &writer.growing[&slot];
        let filled = length(space.dim, growing.next) + bytes > self.segment_bytes;
        let none_left = u64::from(u32::MAX - growing.next) < bytes / stride(space.dim);
        if growing.row.rows > 0 && (filled || none_left) {
            let row = growing.row.clone();
            self.seal_row(writer, row)?;
        }
        Ok(())
    }

    /// A new file with its header; durable together with its first rows.
    fn begin_segment(&self, collection: CollectionId, space: &SpaceRecord) -> Result<Growing, StoreError> {
        let folder = segments::folder(&self.data, collection, &space.id);
        self.io.make_dirs(&folder)?;
        let (id, dim): (_, Dim) = (SegmentId::fresh(), space.dim);
        let path = segments::file(&self.data, collection, &space.id, id);
        let file = self.io.create(&path)?;
        self.io.write_at(&file, &path, 0, &header(id, dim))?;
        let row = SegmentRow { num: 0, id, collection, space: space.id.clone(), dim, rows: 0, sealed: false };
        Ok(Growing { row, file, path, next: 0 })
    }

    /// The one transaction.
    fn name(
        &self,
        conn: &mut rusqlite::Connection,
        collection: CollectionId,
        upserts: &[&NewItem],
        deletes: &[ItemKey],
        appended: Option<&Appended>,
    ) -> Result<Committed, StoreError> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut change = Change { tx: &tx, collection, done: Committed::default(), items: 0, parts: 0 };
        let place = appended.map(|a| change.note_rows(a)).transpose()?;
        change.apply(upserts, deletes, place)?;
        let Change { done, items, parts, .. } = change;
        tx.prepare_cached("UPDATE collections SET items = items + ?, parts = parts + ? WHERE id = ?")?
            .execute(params![items, parts, collection.0])?;
        self.io.commit(tx)?;
        Ok(done)
    }
}

/// Where the rows of this change lie: the segment's number and name, and the first row.
#[derive(Clone, Copy)]
struct Place {
    num: i64,
    id: SegmentId,
    next: u32,
}

/// A change on its way into the transaction.
struct Change<'a> {
    tx: &'a Transaction<'a>,
    collection: CollectionId,
    done: Committed,
    items: i64,
    parts: i64,
}

impl Change<'_> {
    fn note_rows(&self, appended: &Appended) -> Result<Place, StoreError> {
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
        Ok(Place { num, id: s.id, next: appended.first })
    }

    fn apply(
        &mut self,
        upserts: &[&NewItem],
        deletes: &[ItemKey],
        mut place: Option<Place>,
    ) -> Result<(), StoreError> {
        for key in deletes {
            self.done.deleted += u64::from(self.take_out(key)?);
        }
        for item in upserts {
            if self.take_out(&item.key)? {
                self.done.replaced += 1;
            } else {
                self.done.added += 1;
            }
            self.put_in(item, place.as_mut())?;
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
        for dead in rows.query_map([id], |row| {
            Ok((SegmentId(uuid::Uuid::from_bytes(row.get(0)?)), row.get::<_, u32>(1)?))
        })? {
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

    fn put_in(&mut self, item: &NewItem, place: Option<&mut Place>) -> Result<(), StoreError> {
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
        self.put_parts(ItemId(id), &item.parts, place)?;
        self.items += 1;
        Ok(())
    }

    fn put_parts(
        &mut self,
        item: ItemId,
        parts: &[NewPart],
        mut place: Option<&mut Place>,
    ) -> Result<(), StoreError> {
        let mut insert = self.tx.prepare_cached("INSERT INTO parts (item, part, text) VALUES (?, ?, ?)")?;
        let mut vector =
            self.tx.prepare_cached("INSERT INTO vectors (segment, row, item, part) VALUES (?, ?, ?, ?)")?;
        for (part, new) in (0u16..).zip(parts) {
            insert.execute(params![item.0, part, new.text])?;
            self.parts += 1;
            if new.vector.is_some() {
                let place = place.as_deref_mut().expect("every vector of the batch was appended");
                vector.execute(params![place.num, place.next, item.0, part])?;
                self.done.rows.push(LiveRow { segment: place.id, row: place.next, item, part });
                place.next += 1;
            }
        }
        Ok(())
    }
}

/// Of items with one key the last, in the order given.
fn last_of_each_key(items: &[NewItem]) -> Vec<&NewItem> {
    let mut seen = HashSet::new();
    let mut kept: Vec<&NewItem> = items.iter().rev().filter(|item| seen.insert(&item.key)).collect();
    kept.reverse();
    kept
}

/// The vectors of a batch in the order of their rows, checked against the space.
fn check<'a>(upserts: &[&'a NewItem], space: Option<&SpaceRecord>) -> Result<Vec<&'a Vector>, StoreError> {
    const MOST_PARTS: usize = u16::MAX as usize;
    let mut out = Vec::new();
    for item in upserts {
        if item.parts.len() > MOST_PARTS {
            return Err(StoreError::TooManyParts { key: item.key.clone(), max: MOST_PARTS });
        }
        for vector in item.parts.iter().filter_map(|part| part.vector.as_ref()) {
            let Some(space) = space else { return Err(StoreError::NoSpace { key: item.key.clone() }) };
            if vector.dim() != space.dim {
                let key = item.key.clone();
                return Err(StoreError::WrongDim { key, got: vector.dim(), want: space.dim });
            }
            out.push(vector);
        }
    }
    Ok(out)
}
