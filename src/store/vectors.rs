//! Changing items: vectors into a segment first, then the one transaction that names them.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior, params};

use super::batch::{Batch, Committed, NewItem};
use super::change::{Appended, Change, Place};
use super::collections::{self};
use super::route::{self, Rows, Spaces};
use super::segment::{header, length, stride};
use super::segments::{self, SegmentRow};
use super::{CollectionId, Field, PartId, SegmentId, SpaceRecord, Store, StoreError, Writer};
use crate::types::{Dim, Vector};

/// A segment that takes new rows.
pub(super) struct Growing {
    /// As committed; without its number if this process made it.
    row: SegmentRow,
    file: File,
    path: PathBuf,
    /// Where the next rows go: behind what is committed, and behind what a failed commit may have named.
    next: u32,
}

impl Store {
    /// Makes a batch true: whole or not at all. Returning `Ok` is the acknowledgement: it survives a power cut.
    ///
    /// # Errors
    /// `NoCollection`, `NoSpace`, `OtherSpace`, `WrongDim` before anything is written; `Full` and what the disk reports
    /// leave the items as they were.
    pub fn commit(&self, collection: CollectionId, batch: &Batch) -> Result<Committed, StoreError> {
        let upserts = last_of_each_key(&batch.upserts);
        let mut writer = self.writer()?;
        let spaces = Spaces::of(&writer.conn, collection, Field::Own)?;
        if upserts.is_empty() && batch.deletes.is_empty() {
            return Ok(Committed::default());
        }
        let rows = spaces.sort(&upserts)?;
        self.change(&mut writer, collection, &rows, &spaces, |change, places| {
            change.apply(&upserts, &batch.deletes, places)
        })
    }

    /// Gives vectors to parts that lack one in the collection's space, and touches nothing else of their items. Parts that
    /// are gone, or have one by now, are passed over.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn fill(
        &self,
        collection: CollectionId,
        vectors: &[(PartId, Vector)],
    ) -> Result<Committed, StoreError> {
        let mut writer = self.writer()?;
        let record = collections::by_id(&writer.conn, collection)?;
        let space = record.space.ok_or(StoreError::NotEncoded { name: record.name })?;
        self.fill_in(&mut writer, collection, Field::Own, &space, vectors)
    }

    /// The same in a space that is a field's, or is being filled beside it.
    pub(super) fn fill_in(
        &self,
        writer: &mut Writer,
        collection: CollectionId,
        field: Field,
        space: &SpaceRecord,
        vectors: &[(PartId, Vector)],
    ) -> Result<Committed, StoreError> {
        let lacking = route::lacking_among(&writer.conn, collection, space, vectors)?;
        if lacking.is_empty() {
            return Ok(Committed::default());
        }
        let spaces = Spaces::of(&writer.conn, collection, field)?;
        let (parts, vectors): (Vec<PartId>, Vec<&Vector>) = lacking.into_iter().unzip();
        let rows = [Rows { space: space.clone(), vectors }];
        self.change(writer, collection, &rows, &spaces, |change, mut places| {
            let place = places.first_mut().expect("there are vectors");
            parts.iter().try_for_each(|&part| change.fill(part, place))
        })
    }

    /// Vectors first, then the one transaction that names them.
    pub(super) fn change(
        &self,
        writer: &mut Writer,
        collection: CollectionId,
        rows: &[Rows<'_>],
        spaces: &Spaces,
        act: impl FnOnce(&mut Change<'_>, Vec<Place>) -> Result<(), StoreError>,
    ) -> Result<Committed, StoreError> {
        let mut appended = Vec::new();
        let named = rows
            .iter()
            .try_for_each(|rows| {
                appended.push(self.append(writer, collection, &rows.space, &rows.vectors)?);
                Ok(())
            })
            .and_then(|()| self.name(&mut writer.conn, collection, &appended, spaces, act));
        for appended in &appended {
            let slot = (collection, appended.segment.space.clone());
            match (&named, writer.growing.get_mut(&slot)) {
                (Ok(_), Some(growing)) => {
                    growing.row = appended.segment.clone();
                    growing.next = appended.segment.rows;
                }
                // The transaction may still come true after a crash, so these rows are never written again.
                (Err(_), Some(growing)) if !appended.new => growing.next = appended.first + appended.count,
                (Err(_), Some(_)) => drop(writer.growing.remove(&slot)),
                (_, None) => {}
            }
        }
        let mut committed = named?;
        for appended in appended.iter().filter(|a| spaces.is_now(&a.segment.space)) {
            committed.segments.push(self.map(&appended.segment)?);
        }
        self.sweep();
        Ok(committed)
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
        conn: &mut Connection,
        collection: CollectionId,
        appended: &[Appended],
        spaces: &Spaces,
        act: impl FnOnce(&mut Change<'_>, Vec<Place>) -> Result<(), StoreError>,
    ) -> Result<Committed, StoreError> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut change = Change::new(&tx, collection);
        let places = appended.iter().map(|a| change.note_rows(a, spaces.is_now(&a.segment.space)));
        let places = places.collect::<Result<_, _>>()?;
        act(&mut change, places)?;
        let done = change.finish()?;
        self.io.commit(tx)?;
        Ok(done)
    }
}

/// Of items with one key the last, in the order given.
fn last_of_each_key(items: &[NewItem]) -> Vec<&NewItem> {
    let mut seen = HashSet::new();
    let mut kept: Vec<&NewItem> = items.iter().rev().filter(|item| seen.insert(&item.key)).collect();
    kept.reverse();
    kept
}
