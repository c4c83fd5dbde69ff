//! Compaction: the live rows of segments with many dead ones are copied into new segments, which take their place in one
//! transaction. Until then the old ones are the truth. Old files go when nobody holds them any more (`retire`).

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::segment::{header, length, stride};
use super::segments::{self, SegmentRow};
use super::{CollectionId, Field, ItemId, LiveRow, Segment, SegmentId, Store, StoreError};

/// How many rows of some segments nobody needs any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waste {
    /// Live and dead.
    pub rows: u64,
    pub dead: u64,
}

impl Waste {
    /// Above a quarter: what searching and keeping them costs is more than what copying the others does.
    pub fn much(self) -> bool {
        self.dead * 4 > self.rows
    }
}

/// Live rows copied and synced, ready to take the place of the old ones. Until [`Store::install`] nothing has changed.
pub struct Compaction {
    collection: CollectionId,
    space: String,
    old: Vec<Arc<Segment>>,
    new: Vec<Copied>,
}

/// What a compaction changed.
#[derive(Debug, Clone, Default)]
pub struct Compacted {
    /// Segments that are no longer there; mappings of them stay good.
    pub gone: Vec<SegmentId>,
    /// The new ones, mapped.
    pub segments: Vec<Arc<Segment>>,
    /// Their live rows.
    pub rows: Vec<LiveRow>,
    /// Rows that went.
    pub dropped: u64,
}

/// A new segment's file, whole.
struct Copied {
    row: SegmentRow,
    path: PathBuf,
    hash: blake3::Hash,
    /// Where its rows were: number of the segment, row.
    from: Vec<(i64, u32)>,
    /// Checksums: first row, rows, CRC-32.
    sums: Vec<(u32, u32, u32)>,
}

impl Store {
    /// Copies the live rows of the segments of a space above a quarter dead, and of small ones with them, into new files. Commits go
    /// on meanwhile. `None`: no segment has so many dead rows. A segment whose checksums are wrong is left as it is.
    ///
    /// # Errors
    /// `Full` and what the disk reports; nothing has changed then.
    pub fn compact(&self, collection: CollectionId, field: Field) -> Result<Option<Compaction>, StoreError> {
        let Some(space) = self.read(|db| field.space(db, collection))? else { return Ok(None) };
        let chosen = self.choose(collection, field)?;
        let mut old = Vec::new();
        for row in chosen {
            let mut wrong = Vec::new();
            self.check_segment(&row, &mut wrong)?;
            match wrong.first() {
                None => old.push((row.num, self.map(&row)?)),
                Some(why) => tracing::warn!("not compacted: {why}"),
            }
        }
        if old.is_empty() {
            return Ok(None);
        }
        let mut new = Vec::new();
        if let Err(e) = self.copy_live(collection, &space, &old, &mut new) {
            self.abandon(&new);
            return Err(e);
        }
        let old = old.into_iter().map(|(_, segment)| segment).collect();
        Ok(Some(Compaction { collection, space, old, new }))
    }

    /// Which segments to copy; those that still grow are sealed first, so that they hold still.
    fn choose(&self, collection: CollectionId, field: Field) -> Result<Vec<SegmentRow>, StoreError> {
        let mut writer = self.writer()?;
        let rows = segments::current(&writer.conn, collection, field)?;
        let mut much = Vec::new();
        for row in &rows {
            much.push(waste_of(&writer.conn, row)?.much());
        }
        if !much.contains(&true) {
            return Ok(Vec::new());
        }
        let small = |row: &SegmentRow| u64::from(row.rows) * stride(row.dim) < self.segment_bytes / 8;
        let mut chosen = Vec::new();
        for (mut row, much) in rows.into_iter().zip(much) {
            // One whose file is gone or short has lost vectors; what is left of it stays where it is.
            let whole = self.map(&row).is_ok_and(|segment| segment.rows() == row.rows);
            if whole && (much || small(&row)) {
                self.seal_row(&mut writer, row.clone())?;
                row.sealed = true;
                chosen.push(row);
            }
        }
        Ok(chosen)
    }

    fn copy_live(
        &self,
        collection: CollectionId,
        space: &str,
        old: &[(i64, Arc<Segment>)],
        new: &mut Vec<Copied>,
    ) -> Result<(), StoreError> {
        let mut open: Option<Copying<'_>> = None;
        for (num, segment) in old {
            let live: Vec<u32> = self.read(|db| {
                let mut query =
                    db.prepare_cached("SELECT row FROM vectors WHERE segment = ? ORDER BY row")?;
                Ok(query.query_map([num], |row| row.get(0))?.collect::<Result<_, _>>()?)
            })?;
            for row in live {
                if open.as_ref().is_some_and(Copying::full) {
                    open.take().expect("it is full").finish(new)?;
                }
                if open.is_none() {
                    open = Some(Copying::begin(self, collection, space, segment)?);
                }
                open.as_mut().expect("begun above").take(*num, row, segment.row(row))?;
            }
        }
        open.map_or(Ok(()), |copying| copying.finish(new))
    }

    /// Puts the copies in the place of what they were copied from, in one transaction. `None`: what was copied is there no
    /// more, so nothing was changed.
    ///
    /// # Errors
    /// `Full` and what the disk reports; the old segments are then still the truth.
    pub fn install(&self, compaction: Compaction) -> Result<Option<Compacted>, StoreError> {
        let Compaction { collection, space, old, new } = compaction;
        let mut writer = self.writer()?;
        let tx = writer.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !all_there(&tx, &old)? {
            drop(tx);
            self.abandon(&new);
            return Ok(None);
        }
        let open = "SELECT EXISTS (SELECT 1 FROM segments WHERE collection = ? AND space = ? AND sealed = 0)";
        let mut growing: bool = tx.query_row(open, params![collection.0, space], |row| row.get(0))?;
        let (mut rows, mut named) = (Vec::new(), Vec::new());
        // The last one, not full, goes on growing unless another does by now.
        for copied in new.iter().rev() {
            let bytes = u64::from(copied.row.rows) * stride(copied.row.dim);
            let sealed = growing || bytes * 2 > self.segment_bytes - Segment::HEADER_BYTES;
            growing = true;
            named.push(SegmentRow { sealed, ..copied.row.clone() });
        }
        named.reverse();
        for (copied, row) in new.iter().zip(&named) {
            name(&tx, copied, row, &mut rows)?;
        }
        for segment in &old {
            tx.execute("DELETE FROM segments WHERE uuid = ?", [segment.id().0.as_bytes()])?;
        }
        // If this fails the transaction may still come true after a crash: the new files stay, and go at the next open
        // if nobody names them.
        self.io.commit(tx)?;
        drop(writer);
        let had: u64 = old.iter().map(|segment| u64::from(segment.rows())).sum();
        let gone: Vec<SegmentId> = old.iter().map(|segment| segment.id()).collect();
        for segment in old {
            self.retire(&segment);
        }
        let segments = named.iter().map(|row| self.map(row)).collect::<Result<_, _>>()?;
        Ok(Some(Compacted { gone, segments, dropped: had - rows.len() as u64, rows }))
    }

    /// Copies that nobody will name.
    fn abandon(&self, new: &[Copied]) {
        for copied in new {
            // What cannot go now goes at the next open.
            let _ = self.io.remove(&copied.path);
        }
    }
}

/// A new segment that is being written.
struct Copying<'a> {
    store: &'a Store,
    file: File,
    hasher: blake3::Hasher,
    copied: Copied,
    /// Rows that are not written yet.
    waiting: Vec<u8>,
    waiting_from: u32,
}

impl<'a> Copying<'a> {
    /// Written and summed at once, in bytes.
    const PIECE: usize = 1 << 20;

    fn begin(
        store: &'a Store,
        collection: CollectionId,
        space: &str,
        like: &Segment,
    ) -> Result<Self, StoreError> {
        let (id, dim) = (SegmentId::fresh(), like.dim());
        store.io.make_dirs(&segments::folder(&store.data, collection, space))?;
        let path = segments::file(&store.data, collection, space, id);
        let file = store.io.create(&path)?;
        let page = header(id, dim);
        if let Err(e) = store.io.write_at(&file, &path, 0, &page) {
            let _ = store.io.remove(&path);
            return Err(e);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&page);
        let row = SegmentRow { num: 0, id, collection, space: space.to_owned(), dim, rows: 0, sealed: false };
        let (hash, from, sums) = (blake3::Hash::from_bytes([0; 32]), Vec::new(), Vec::new());
        let copied = Copied { row, path, hash, from, sums };
        Ok(Self { store, file, hasher, copied, waiting: Vec::new(), waiting_from: 0 })
    }

    fn full(&self) -> bool {
        length(self.copied.row.dim, self.copied.row.rows + 1) > self.store.segment_bytes
    }

    fn take(&mut self, num: i64, row: u32, vector: &[f32]) -> Result<(), StoreError> {
        self.waiting.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
        self.copied.from.push((num, row));
        self.copied.row.rows += 1;
        if self.waiting.len() >= Self::PIECE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let Copied { row, path, sums, .. } = &mut self.copied;
        let at = length(row.dim, self.waiting_from);
        let written = self.store.io.write_at(&self.file, path, at, &self.waiting);
        if let Err(e) = written {
            let _ = self.store.io.remove(path);
            return Err(e);
        }
        self.hasher.update(&self.waiting);
        sums.push((self.waiting_from, row.rows - self.waiting_from, crc32fast::hash(&self.waiting)));
        self.waiting_from = row.rows;
        self.waiting.clear();
        Ok(())
    }

    /// Durable on return, its name too.
    fn finish(mut self, done: &mut Vec<Copied>) -> Result<(), StoreError> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        self.copied.hash = self.hasher.finalize();
        let path = self.copied.path.clone();
        // From here on whoever fails removes it.
        done.push(self.copied);
        self.store.io.sync(&self.file, &path)?;
        path.parent().map_or(Ok(()), |folder| self.store.io.sync_dir(folder))
    }
}

fn waste_of(db: &rusqlite::Connection, row: &SegmentRow) -> Result<Waste, StoreError> {
    let mut query = db.prepare_cached("SELECT count(*) FROM vectors WHERE segment = ?")?;
    let live: u32 = query.query_row([row.num], |r| r.get(0))?;
    Ok(Waste { rows: row.rows.into(), dead: row.rows.saturating_sub(live).into() })
}

fn all_there(tx: &Transaction<'_>, old: &[Arc<Segment>]) -> Result<bool, StoreError> {
    let mut query = tx.prepare_cached("SELECT 1 FROM segments WHERE uuid = ?")?;
    for segment in old {
        if query.query_row([segment.id().0.as_bytes()], |_| Ok(())).optional()?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Names a copy, and gives its rows to the parts whose vectors they are. A part that is gone by now leaves a dead row.
fn name(
    tx: &Transaction<'_>,
    copied: &Copied,
    row: &SegmentRow,
    live: &mut Vec<LiveRow>,
) -> Result<(), StoreError> {
    let hash = row.sealed.then(|| copied.hash.as_bytes());
    let num = tx
        .prepare_cached(
            "INSERT INTO segments (uuid, collection, space, rows, sealed, hash) VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .insert(params![row.id.0.as_bytes(), row.collection.0, row.space, row.rows, row.sealed, hash])?;
    let mut sum = tx.prepare_cached("INSERT INTO commits (segment, first, rows, crc) VALUES (?, ?, ?, ?)")?;
    for (first, rows, crc) in &copied.sums {
        sum.execute(params![num, first, rows, crc])?;
    }
    let mut moved = tx.prepare_cached(
        "UPDATE vectors SET segment = ?, row = ? WHERE segment = ? AND row = ? RETURNING item, part",
    )?;
    for (new_row, (old, old_row)) in (0u32..).zip(&copied.from) {
        let mut found = moved.query(params![num, new_row, old, old_row])?;
        if let Some(owner) = found.next()? {
            let (item, part) = (ItemId(owner.get(0)?), owner.get(1)?);
            live.push(LiveRow { segment: row.id, row: new_row, item, part });
        }
    }
    Ok(())
}
