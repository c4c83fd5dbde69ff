//! The shape of `simile.db`: numbered migrations, connections, and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::io::Io;

/// Each brings `user_version` from its place in this list to the next; only ever added to.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_switch.sql"),
    include_str!("../../migrations/0003_captions.sql"),
    include_str!("../../migrations/0004_caption_switch.sql"),
];

/// The format that this program writes.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// The one connection that writes; brings an older format up to date.
pub(super) fn open_writer(path: &Path, io: &Io) -> Result<Connection, StoreError> {
    let mut conn = Connection::open(path).map_err(|e| naming(path, e))?;
    // Before anything is changed: a newer program's file stays as it is.
    let found = version(&conn).map_err(|e| naming(path, e))?;
    if found > KNOWN {
        return Err(StoreError::NewerVersion { path: path.to_owned(), found, known: KNOWN });
    }
    settle(&conn)?;
    conn.pragma_update(None, "journal_mode", "WAL").map_err(|e| naming(path, e))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if found < KNOWN {
        // In one transaction: a reader beside a new folder sees no format in between.
        let tx = conn.transaction()?;
        for migration in &MIGRATIONS[found as usize..] {
            tx.execute_batch(migration)?;
        }
        tx.pragma_update(None, "user_version", KNOWN)?;
        io.commit(tx)?;
    }
    Ok(conn)
}

/// A connection that reads, beside a writer of this or another process.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|e| naming(path, e))?;
    let (conn, found) = match version(&conn) {
        Ok(found) => (conn, found),
        // On a read-only disk SQLite cannot make the files that readers and writers share. Without a journal
        // there is no writer to share with, so the database may be read as it lies.
        Err(e) if cannot_open(&e) && !path.with_extension("db-wal").exists() => {
            let conn = open_immutable(path).map_err(|e| naming(path, e))?;
            let found = version(&conn).map_err(|e| naming(path, e))?;
            (conn, found)
        }
        Err(e) => return Err(naming(path, e)),
    };
    settle(&conn)?;
    match found {
        KNOWN => Ok(conn),
        // Its maker was killed before the first migration.
        0 => Err(StoreError::Absent { path: path.parent().unwrap_or(path).to_owned() }),
        newer if newer > KNOWN => {
            Err(StoreError::NewerVersion { path: path.to_owned(), found, known: KNOWN })
        }
        _ => Err(StoreError::OlderVersion { path: path.to_owned(), found, known: KNOWN }),
    }
}

fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    // A URI, because that is the only way to say immutable; these three characters would end the path in it.
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
}

fn settle(conn: &Connection) -> Result<(), StoreError> {
    // The lock admits one writer, so waits are for a checkpoint at most.
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -16 * 1024)?; // KiB
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn cannot_open(e: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
    matches!(e.sqlite_error_code(), Some(CannotOpen | ReadOnly))
}

/// The error with the database's whole path in it.
fn naming(path: &Path, e: rusqlite::Error) -> StoreError {
    match StoreError::from(e) {
        StoreError::Damaged { why, .. } => StoreError::damaged(path, why),
        StoreError::ReadOnly { .. } => StoreError::ReadOnly { path: path.to_owned() },
        StoreError::Full { .. } => StoreError::Full { path: path.to_owned() },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_a_read_only_disk_is_read_as_it_lies() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("odd%20 ?#照.db");
        drop(open_writer(&path, &Io::default()).unwrap());
        let conn = open_immutable(&path).unwrap();
        assert_eq!(version(&conn).unwrap(), KNOWN);
        assert!(!path.with_extension("db-shm").exists());
    }
}
