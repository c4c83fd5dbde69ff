//! What the holder of the lock does before anything is mapped: cuts rows that were never named, notes vectors that are
//! lost, and takes away files that nobody names.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use walkdir::WalkDir;

use super::io::Io;
use super::retire::Hold;
use super::segment::{Segment, check_header, length, stride, whole_rows};
use super::segments::{self, SegmentRow, id_of_file, segment_files};
use super::{Field, SegmentId, StoreError, now};

pub(super) fn run(data: &Path, conn: &mut Connection, io: &Io) -> Result<(), StoreError> {
    end_jobs(conn, io)?;
    let rows = segments::select(conn, "", [])?;
    for row in &rows {
        check_segment(row, &row.path(data), conn, io)?;
    }
    let named: HashSet<SegmentId> = rows.iter().map(|row| row.id).collect();
    // Also makes the file that a backup holds on to; while one does, files stay for the next open.
    let alone = Hold::alone(data);
    for path in segment_files(&data.join("vectors")) {
        if alone.is_some() && id_of_file(&path).is_some_and(|id| !named.contains(&id)) {
            tracing::debug!(
                "{}: of a commit that never was, a dropped collection, or before a compaction",
                path.display()
            );
            io.remove(&path)?;
        }
    }
    for entry in WalkDir::new(data.join("blobs/tmp")).min_depth(1).max_depth(1).into_iter().flatten() {
        io.remove(entry.path())?;
    }
    Ok(())
}

/// Nobody is left to go on with what another process had begun.
fn end_jobs(conn: &mut Connection, io: &Io) -> Result<(), StoreError> {
    let open = "state IN ('queued', 'running')";
    let any: bool =
        conn.query_row(&format!("SELECT EXISTS (SELECT 1 FROM jobs WHERE {open})"), [], |row| row.get(0))?;
    if !any {
        return Ok(());
    }
    let tx = conn.transaction()?;
    tx.execute(&format!("UPDATE jobs SET state = 'interrupted', ended = ? WHERE {open}"), [now()])?;
    io.commit(tx)
}

fn check_segment(row: &SegmentRow, path: &Path, conn: &mut Connection, io: &Io) -> Result<(), StoreError> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return lose_all(row, path, "it is gone", conn, io),
        Err(e) => return Err(StoreError::io(path, e)),
    };
    let failed = |e| StoreError::io(path, e);
    if let Err(why) = read_header(&file, row).map_err(failed)? {
        // Kept for whoever wants to look, out of the way of the rest.
        io.rename(path, &path.with_extension("damaged"))?;
        return lose_all(row, path, &why, conn, io);
    }
    let len = file.metadata().map_err(failed)?.len();
    let held = whole_rows(row.dim, len).min(row.rows);
    if len != length(row.dim, held) {
        io.cut(&file, path, length(row.dim, held))?;
        io.sync(&file, path)?;
    }
    if held < row.rows {
        tracing::warn!("{}: holds {held} of {} vectors; the rest is lost", path.display(), row.rows);
        let tx = conn.transaction()?;
        lose(&tx, row, held, row.rows)?;
        tx.execute("DELETE FROM commits WHERE segment = ? AND first + rows > ?", params![row.num, held])?;
        tx.execute("UPDATE segments SET rows = ?, hash = NULL WHERE num = ?", params![held, row.num])?;
        io.commit(tx)?;
    } else if !row.sealed {
        check_last_commit(&file, row, path, conn, io)?;
    }
    Ok(())
}

/// The commit that a power cut may have caught: a disk that lies about syncing shows here.
fn check_last_commit(
    file: &File,
    row: &SegmentRow,
    path: &Path,
    conn: &mut Connection,
    io: &Io,
) -> Result<(), StoreError> {
    let last: Option<(u32, u32, u32)> = conn
        .query_row(
            "SELECT first, rows, crc FROM commits WHERE segment = ? ORDER BY first DESC LIMIT 1",
            [row.num],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
        )
        .optional()?;
    let Some((first, rows, crc)) = last else { return Ok(()) };
    let mut bytes = vec![0; (u64::from(rows) * stride(row.dim)) as usize];
    read_at(file, &mut bytes, length(row.dim, first)).map_err(|e| StoreError::io(path, e))?;
    if crc32fast::hash(&bytes) == crc {
        return Ok(());
    }
    tracing::warn!(
        "{}: {rows} vectors of the last commit have a wrong checksum and are lost",
        path.display()
    );
    let tx = conn.transaction()?;
    lose(&tx, row, first, first + rows)?;
    tx.execute("DELETE FROM commits WHERE segment = ? AND first = ?", params![row.num, first])?;
    io.commit(tx)
}

fn lose_all(
    row: &SegmentRow,
    path: &Path,
    why: &str,
    conn: &mut Connection,
    io: &Io,
) -> Result<(), StoreError> {
    tracing::warn!("{}: {why}; its {} vectors are lost", path.display(), row.rows);
    let tx = conn.transaction()?;
    lose(&tx, row, 0, row.rows)?;
    tx.execute("DELETE FROM segments WHERE num = ?", [row.num])?;
    io.commit(tx)
}

/// Notes the parts whose vectors lie in `from..to`, and takes these out. Of a space that is only being filled no part is
/// lost: it lacks a vector there, and the switch goes on with it.
fn lose(tx: &Transaction<'_>, row: &SegmentRow, from: u32, to: u32) -> Result<(), StoreError> {
    let range = params![row.num, from, to];
    if Field::Own.space(tx, row.collection)?.as_ref() == Some(&row.space) {
        tx.execute(
            "UPDATE parts SET lost = 1 WHERE (item, part) IN
             (SELECT item, part FROM vectors WHERE segment = ? AND row >= ? AND row < ?)",
            range,
        )?;
    }
    tx.execute("DELETE FROM vectors WHERE segment = ? AND row >= ? AND row < ?", range)?;
    Ok(())
}

fn read_header(file: &File, row: &SegmentRow) -> io::Result<Result<(), String>> {
    let mut page = vec![0; Segment::HEADER_BYTES as usize];
    match read_at(file, &mut page, 0) {
        Ok(()) => Ok(check_header(&page, row.id, row.dim)),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(Err("its header is cut off".to_owned())),
        Err(e) => Err(e),
    }
}

fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}
