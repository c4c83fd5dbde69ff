//! What is true on disk: collections, items, vectors and blobs, each change whole or absent. Knows nothing of encoders,
//! indexes, search or HTTP.
//!
//! A write puts vectors into a segment and syncs it, then commits the transaction that names them: that commit is the
//! acknowledgement. Reads go through connections of their own and never wait for a write.

mod backup;
mod batch;
mod blobs;
mod captions;
mod change;
mod check;
mod collections;
mod compact;
mod copying;
mod error;
mod field;
mod filter;
mod io;
mod items;
mod jobs;
mod local_key;
mod lock;
mod manifest;
mod own;
mod paths;
mod recover;
mod restore;
mod retire;
mod room;
mod route;
mod schema;
mod segment;
mod segments;
mod settings;
mod staging;
mod switch;
#[cfg(test)]
mod tests;
mod vectors;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use backup::{BackupReport, backup};
pub use batch::{Batch, Committed, InSpace, LiveRow, NewItem, NewPart};
pub use blobs::ContentId;
pub use captions::{CAPTION, Description};
pub use collections::{
    CollectionId, CollectionRecord, NewCollection, RootId, RootKind, RootRecord, SpaceRecord,
};
pub use compact::{Compacted, Compaction, Waste};
pub use error::StoreError;
pub use field::Field;
pub use filter::Filter;
pub use items::{Body, Item, ItemId, PartId, PartRecord, Place, Stamp, Stamps};
pub use jobs::{JobId, JobRecord, JobState, NewJob, Reject};
pub use lock::{Hint, holder};
pub use own::is_ours;
pub use paths::{path_of_text, text_of_path};
pub use restore::{RestoreReport, restore};
pub use room::{free_bytes, used_bytes};
pub use segment::{Segment, SegmentId};
pub use segments::View;
pub use switch::SwitchRecord;

use io::Io;
use lock::Lock;
use retire::Retired;
use segments::Maps;
use vectors::Growing;

use crate::types::Secret;

/// What a program wants with a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Takes the lock; makes the folder if it is absent.
    Write,
    /// Takes no lock and changes nothing; may stand beside a writer.
    Read,
}

/// A data folder, open. Shared between threads by reference.
pub struct Store {
    data: PathBuf,
    io: Io,
    maps: Maps,
    retired: Retired,
    // Dropped in this order: readers, the writer, then the lock.
    readers: Readers,
    writer: Option<Mutex<Writer>>,
    lock: Option<Lock>,
    /// A segment is sealed rather than grown beyond this.
    segment_bytes: u64,
}

/// What only the holder of the lock has.
struct Writer {
    conn: Connection,
    /// Segments that take new rows, by collection and space.
    growing: std::collections::HashMap<(CollectionId, String), Growing>,
}

impl Store {
    /// Opens a data folder.
    ///
    /// # Errors
    /// `Absent` to a reader, `NotAFolder`, `Locked` to a second writer, `NewerVersion`, `HalfRestored`, `ReadOnly`, and what the disk
    /// reports.
    pub fn open(data: &Path, access: Access) -> Result<Self, StoreError> {
        Self::open_through(data, access, Io::default())
    }

    fn open_through(data: &Path, access: Access, io: Io) -> Result<Self, StoreError> {
        const SEGMENT_BYTES: u64 = 256 << 20;
        let db = data.join("simile.db");
        if data.is_file() {
            return Err(StoreError::NotAFolder { path: data.to_owned() });
        }
        if access == Access::Read && !db.exists() {
            return Err(StoreError::Absent { path: data.to_owned() });
        }
        if access == Access::Write && staging::is_half_restored(data) {
            return Err(StoreError::HalfRestored { path: data.to_owned() });
        }
        let (lock, writer) = match access {
            Access::Read => (None, None),
            Access::Write => {
                io.make_root(data)?;
                let lock = Lock::take(data, &io)?;
                let mut conn = schema::open_writer(&db, &io)?;
                // The database's own name and the lock's are new at the first start.
                io.sync_dir(data)?;
                recover::run(data, &mut conn, &io)?;
                staging::tidy(data);
                let writer = Writer { conn, growing: Default::default() };
                (Some(lock), Some(Mutex::new(writer)))
            }
        };
        let readers = Readers::open(db)?;
        let (data, maps, retired) = (data.to_owned(), Maps::default(), Retired::default());
        Ok(Self { data, io, maps, retired, readers, writer, lock, segment_bytes: SEGMENT_BYTES })
    }

    /// The folder it lies in.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Leaves the address of a server in the lock file for other programs; `None` takes it back.
    pub fn set_address(&self, address: Option<&str>) {
        if let Some(lock) = &self.lock {
            lock.hint(address);
        }
    }

    /// Leaves a key for commands of the same user on this machine; `None` takes one away, also an earlier run's.
    pub fn set_local_key(&self, key: Option<&Secret>) {
        let done = match key {
            Some(key) => local_key::leave(&self.data, key),
            None => local_key::remove(&self.data),
        };
        // What is lost is the hand-over of commands, nothing that is true.
        if let Err(e) = done {
            tracing::warn!("the key for commands beside this server could not be changed: {e}");
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::OpenedForReading)?;
        // A panic inside a write rolled its transaction back, and rows it appended are not committed: go on.
        Ok(writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Reads in one transaction: what it sees belongs together.
    fn read<T>(&self, act: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut conn = self.readers.take()?;
        let tx = conn.transaction()?;
        let out = act(&tx)?;
        drop(tx);
        self.readers.give(conn);
        Ok(out)
    }

    /// Writes in one transaction, durable on return.
    fn write<T>(&self, act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer()?;
        let tx = writer.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let out = act(&tx)?;
        self.io.commit(tx)?;
        Ok(out)
    }

    /// Writes in one transaction that a power cut may take back: for what is no truth, such as progress.
    fn write_loosely<T>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer()?;
        writer.conn.pragma_update(None, "synchronous", "NORMAL")?;
        let done = (|| {
            let tx = writer.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let out = act(&tx)?;
            self.io.commit(tx)?;
            Ok(out)
        })();
        writer.conn.pragma_update(None, "synchronous", "FULL")?;
        done
    }
}

/// Idle connections that read.
struct Readers {
    db: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    const KEPT: usize = 8;

    fn open(db: PathBuf) -> Result<Self, StoreError> {
        let first = schema::open_reader(&db)?;
        Ok(Self { db, idle: Mutex::new(vec![first]) })
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().expect("nothing panics while it holds this").pop();
        idle.map_or_else(|| schema::open_reader(&self.db), Ok)
    }

    fn give(&self, conn: Connection) {
        let mut idle = self.idle.lock().expect("nothing panics while it holds this");
        if idle.len() < Self::KEPT {
            idle.push(conn);
        }
    }
}

/// Unix time in milliseconds.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A count for `LIMIT` and `OFFSET`.
fn sql_count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Text of ours in a column that cannot be read back.
fn unreadable(what: &str, e: impl std::fmt::Display) -> StoreError {
    StoreError::damaged(Path::new("simile.db"), format!("{what}: {e}"))
}
