//! The segments of a collection: which there are, their mappings, sealing, and what they have lost.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;
use walkdir::WalkDir;

use super::collections::{self, CollectionRecord};
use super::items::part_of;
use super::segment::length;
use super::{
    CollectionId, Field, ItemId, LiveRow, PartId, Segment, SegmentId, Store, StoreError, Writer, unreadable,
};
use crate::types::Dim;

/// A segment as the database names it.
#[derive(Debug, Clone)]
pub(super) struct SegmentRow {
    pub num: i64,
    pub id: SegmentId,
    pub collection: CollectionId,
    pub space: String,
    pub dim: Dim,
    /// Committed.
    pub rows: u32,
    pub sealed: bool,
}

const SEGMENT: &str = "SELECT g.num, g.uuid, g.collection, g.space, s.dim, g.rows, g.sealed \
     FROM segments g JOIN spaces s ON s.id = g.space";

fn segment_of(row: &Row<'_>) -> Result<SegmentRow, StoreError> {
    let dim: u32 = row.get(4)?;
    Ok(SegmentRow {
        num: row.get(0)?,
        id: SegmentId(Uuid::from_bytes(row.get(1)?)),
        collection: CollectionId(row.get(2)?),
        space: row.get(3)?,
        dim: Dim::new(dim as usize).ok_or_else(|| unreadable("space", "dim 0"))?,
        rows: row.get(5)?,
        sealed: row.get(6)?,
    })
}

/// All segments that a condition on `g` takes, oldest first.
pub(super) fn select(
    db: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<SegmentRow>, StoreError> {
    let mut query = db.prepare_cached(&format!("{SEGMENT} {condition} ORDER BY g.num"))?;
    let mut rows = query.query(values)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(segment_of(row)?);
    }
    Ok(out)
}

/// The segments of one of a collection's spaces.
pub(super) fn current(
    db: &Connection,
    collection: CollectionId,
    field: Field,
) -> Result<Vec<SegmentRow>, StoreError> {
    let space = field.space(db, collection)?;
    select(db, "WHERE g.collection = ? AND g.space = ?", params![collection.0, space])
}

/// The live rows of a segment below the row `held`.
fn live_of(db: &Connection, row: &SegmentRow, held: u32, out: &mut Vec<LiveRow>) -> Result<(), StoreError> {
    let sql = "SELECT row, item, part FROM vectors WHERE segment = ? AND row < ? ORDER BY row";
    let mut query = db.prepare_cached(sql)?;
    let mut found = query.query(params![row.num, held])?;
    while let Some(v) = found.next()? {
        out.push(LiveRow { segment: row.id, row: v.get(0)?, item: ItemId(v.get(1)?), part: v.get(2)? });
    }
    Ok(())
}

/// The folder of the segments of a space.
pub(super) fn folder(data: &Path, collection: CollectionId, space: &str) -> PathBuf {
    data.join("vectors").join(collection.0.to_string()).join(space)
}

/// The file of a segment.
pub(super) fn file(data: &Path, collection: CollectionId, space: &str, id: SegmentId) -> PathBuf {
    folder(data, collection, space).join(format!("{id}.seg"))
}

/// The files below a folder that are called like segments.
pub(super) fn segment_files(folder: &Path) -> Vec<PathBuf> {
    let files = WalkDir::new(folder).max_depth(3).into_iter().flatten();
    files.map(walkdir::DirEntry::into_path).filter(|path| id_of_file(path).is_some()).collect()
}

/// The segment that a file is called after.
pub(super) fn id_of_file(path: &Path) -> Option<SegmentId> {
    let name = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    Uuid::parse_str(name).ok().map(SegmentId)
}

impl SegmentRow {
    pub(super) fn path(&self, data: &Path) -> PathBuf {
        file(data, self.collection, &self.space, self.id)
    }
}

/// What belongs together of a collection.
pub struct View {
    /// Which space is searched, among others.
    pub record: CollectionRecord,
    /// Of that space, oldest first.
    pub segments: Vec<Arc<Segment>>,
    pub live: Vec<LiveRow>,
}

/// The newest mapping of each segment.
#[derive(Default)]
pub(super) struct Maps {
    by_id: Mutex<HashMap<SegmentId, Arc<Segment>>>,
}

impl Maps {
    /// A mapping of all that is committed of a segment, or of as much as its file still holds.
    fn get(&self, row: &SegmentRow, data: &Path) -> Result<Arc<Segment>, StoreError> {
        let mut maps = self.by_id.lock().expect("nothing panics while it holds this");
        if let Some(known) = maps.get(&row.id) {
            // More rows than asked for: a commit came between reading the table and this.
            if known.rows() >= row.rows && known.sealed() >= row.sealed {
                return Ok(known.clone());
            }
        }
        let held = maps.get(&row.id).map(|known| known.held()).unwrap_or_default();
        let mapped = Arc::new(Segment::open(row.path(data), row.id, row.dim, row.rows, row.sealed, held)?);
        maps.insert(row.id, mapped.clone());
        Ok(mapped)
    }

    pub(super) fn forget(&self, ids: impl IntoIterator<Item = SegmentId>) {
        let mut maps = self.by_id.lock().expect("nothing panics while it holds this");
        for id in ids {
            maps.remove(&id);
        }
    }
}

impl Store {
    /// A collection, the segments of one of its spaces and their live rows, of one moment: a compaction or a switch by this
    /// or another process changes them together.
    pub fn view(&self, collection: CollectionId, field: Field) -> Result<View, StoreError> {
        const TRIES: u32 = 20;
        for _ in 1..TRIES {
            if let Some(view) = self.try_view(collection, field)? {
                return Ok(view);
            }
        }
        // Then some file is gone that is named: its parts are lost.
        let record = self.read(|db| collections::by_id(db, collection))?;
        let (segments, live) = (self.segments_of(collection, field)?, self.live_of(collection, field)?);
        Ok(View { record, segments, live })
    }

    /// `None`: a file went between reading the table and mapping it, because a compaction took its rows elsewhere.
    fn try_view(&self, collection: CollectionId, field: Field) -> Result<Option<View>, StoreError> {
        let (record, rows, live) = self.read(|db| {
            let (record, rows) = (collections::by_id(db, collection)?, current(db, collection, field)?);
            let mut live = Vec::new();
            for row in &rows {
                live_of(db, row, row.rows, &mut live)?;
            }
            Ok((record, rows, live))
        })?;
        let mut segments = Vec::new();
        for row in &rows {
            match self.maps.get(row, &self.data) {
                Ok(segment) => segments.push(segment),
                Err(_) if !self.still_named(row)? => return Ok(None),
                Err(e) => tracing::warn!("its vectors are left out of searches: {e}"),
            }
        }
        Ok(Some(View { record, segments, live }))
    }

    fn still_named(&self, row: &SegmentRow) -> Result<bool, StoreError> {
        self.read(|db| Ok(!select(db, "WHERE g.uuid = ?", [row.id.0.as_bytes()])?.is_empty()))
    }

    /// The segments of a collection's space, mapped, oldest first. One whose file is gone or damaged is left out with a
    /// warning; its parts are among `lost_vectors`.
    pub fn segments(&self, collection: CollectionId) -> Result<Vec<Arc<Segment>>, StoreError> {
        self.segments_of(collection, Field::Own)
    }

    /// The same of one of its spaces.
    pub(super) fn segments_of(
        &self,
        collection: CollectionId,
        field: Field,
    ) -> Result<Vec<Arc<Segment>>, StoreError> {
        let rows = self.read(|db| current(db, collection, field))?;
        Ok(rows.iter().filter_map(|row| self.try_map(row)).collect())
    }

    pub(super) fn try_map(&self, row: &SegmentRow) -> Option<Arc<Segment>> {
        match self.maps.get(row, &self.data) {
            Ok(segment) => Some(segment),
            Err(e) => {
                tracing::warn!("its vectors are left out of searches: {e}");
                None
            }
        }
    }

    pub(super) fn map(&self, row: &SegmentRow) -> Result<Arc<Segment>, StoreError> {
        self.maps.get(row, &self.data)
    }

    /// Every row of a collection's space that an item has now and its file holds, by segment and row.
    pub fn live(&self, collection: CollectionId) -> Result<Vec<LiveRow>, StoreError> {
        self.live_of(collection, Field::Own)
    }

    /// The same of one of its spaces.
    pub(super) fn live_of(&self, collection: CollectionId, field: Field) -> Result<Vec<LiveRow>, StoreError> {
        self.read(|db| {
            let mut out = Vec::new();
            for row in current(db, collection, field)? {
                let held = self.try_map(&row).map_or(0, |segment| segment.rows());
                live_of(db, &row, held, &mut out)?;
            }
            Ok(out)
        })
    }

    /// Parts whose acknowledged vector is no longer in its file. A writer noted them when it opened; a reader finds them
    /// itself. Encoding the item again cures it.
    pub fn lost_vectors(&self, collection: CollectionId) -> Result<Vec<PartId>, StoreError> {
        self.read(|db| {
            let mut noted = db.prepare_cached(
                "SELECT p.item, p.part FROM parts p JOIN items i ON i.id = p.item
                 WHERE p.lost = 1 AND i.collection = ?",
            )?;
            let mut out: Vec<PartId> = noted.query_map([collection.0], part_of)?.collect::<Result<_, _>>()?;
            let captions = current(db, collection, Field::Captions)?;
            for row in current(db, collection, Field::Own)?.into_iter().chain(captions) {
                let held = self.try_map(&row).map_or(0, |segment| segment.rows());
                if held < row.rows {
                    let mut query =
                        db.prepare_cached("SELECT item, part FROM vectors WHERE segment = ? AND row >= ?")?;
                    for part in query.query_map(params![row.num, held], part_of)? {
                        out.push(part?);
                    }
                }
            }
            Ok(out)
        })
    }

    /// Seals a segment: its hash is noted and no row is ever added; the next commit begins another. Returns it as it is
    /// sealed, perhaps with more rows than the mapping that the caller has.
    pub fn seal(&self, id: SegmentId) -> Result<Arc<Segment>, StoreError> {
        let mut writer = self.writer()?;
        let gone = || StoreError::NoSegment { id: id.to_string() };
        let mut rows = select(&writer.conn, "WHERE g.uuid = ?", [id.0.as_bytes()])?;
        let row = rows.pop().ok_or_else(gone)?;
        self.seal_row(&mut writer, row)
    }

    pub(super) fn seal_row(
        &self,
        writer: &mut Writer,
        mut row: SegmentRow,
    ) -> Result<Arc<Segment>, StoreError> {
        if row.sealed {
            return self.map(&row);
        }
        let path = row.path(&self.data);
        // What a failed commit left behind the last row is no part of what is sealed.
        let file =
            std::fs::OpenOptions::new().write(true).open(&path).map_err(|e| StoreError::io(&path, e))?;
        let len = file.metadata().map_err(|e| StoreError::io(&path, e))?.len();
        if len > length(row.dim, row.rows) {
            self.io.cut(&file, &path, length(row.dim, row.rows))?;
            self.io.sync(&file, &path)?;
        }
        let hash = blake3::hash(self.map(&row)?.mapped());
        let tx = writer.conn.transaction()?;
        tx.execute(
            "UPDATE segments SET sealed = 1, hash = ? WHERE uuid = ?",
            params![hash.as_bytes(), row.id.0.as_bytes()],
        )?;
        self.io.commit(tx)?;
        writer.growing.remove(&(row.collection, row.space.clone()));
        row.sealed = true;
        self.map(&row)
    }

    /// Whether a sealed segment's file is still what was sealed; `None` for one that is not sealed.
    pub fn check_seal(&self, id: SegmentId) -> Result<Option<bool>, StoreError> {
        let (row, hash) = self.read(|db| {
            let row = select(db, "WHERE g.uuid = ?", [id.0.as_bytes()])?.pop();
            let row = row.ok_or_else(|| StoreError::NoSegment { id: id.to_string() })?;
            let mut query = db.prepare_cached("SELECT hash FROM segments WHERE num = ?")?;
            let hash: Option<Option<[u8; 32]>> = query.query_row([row.num], |r| r.get(0)).optional()?;
            Ok((row, hash.flatten()))
        })?;
        let Some(hash) = hash else { return Ok(None) };
        let segment = self.map(&row)?;
        Ok(Some(blake3::hash(segment.mapped()) == blake3::Hash::from_bytes(hash)))
    }

    /// Lets go of the files of a collection that is no longer in the database. Mappings that searches hold stay good;
    /// a file that cannot go now goes at the next open.
    pub(super) fn forget_segments(&self, collection: CollectionId) -> Result<(), StoreError> {
        self.writer()?.growing.retain(|(owner, _), _| *owner != collection);
        let folder = self.data.join("vectors").join(collection.0.to_string());
        for path in segment_files(&folder) {
            self.maps.forget(id_of_file(&path));
            self.retire_file(path);
        }
        self.sweep();
        Ok(())
    }
}
