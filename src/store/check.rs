//! Looks whether all is as it was written: the database, the checksum of every commit, the hash of every sealed segment.

use std::io::ErrorKind;
use std::sync::Mutex;

use rusqlite::params;

use super::segment::stride;
use super::segments::{self, SegmentRow};
use super::{Segment, Store, StoreError, backup, copying};

impl Store {
    /// Looks at every uploaded original that an item has, and says what is wrong, one sentence each. Returns how many
    /// there are, too.
    pub fn check_blobs(&self) -> Result<(usize, Vec<String>), StoreError> {
        let blobs = self.read(backup::blobs_of)?;
        let wrong = Mutex::new(Vec::new());
        copying::each(&blobs, |blob| {
            let path = self.blob_path(blob);
            let why = match copying::is_whole(&path, blob) {
                Ok(true) => return Ok(()),
                Ok(false) => "is not as it was uploaded".to_owned(),
                Err(e) if e.kind() == ErrorKind::NotFound => "is gone".to_owned(),
                Err(e) => format!("cannot be read ({e})"),
            };
            let line = format!("{}: {why}; upload this photo again, or restore a backup", path.display());
            wrong.lock().expect("nothing panics while it holds this").push(line);
            Ok(())
        })?;
        let mut wrong = wrong.into_inner().expect("nothing panics while it holds this");
        wrong.sort();
        Ok((blobs.len(), wrong))
    }

    /// Reads the database and every vector, and says what is wrong, one sentence each. Takes about a second for each
    /// gigabyte of vectors.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let (mut wrong, rows) = self.read(|db| {
            let mut query = db.prepare("PRAGMA quick_check(20)")?;
            let answers = query.query_map([], |row| row.get(0))?;
            let mut wrong = answers.collect::<Result<Vec<String>, _>>()?;
            wrong.retain(|line| line != "ok");
            Ok((wrong, segments::select(db, "", [])?))
        })?;
        for row in &rows {
            self.check_segment(row, &mut wrong)?;
        }
        Ok(wrong)
    }

    pub(super) fn check_segment(&self, row: &SegmentRow, wrong: &mut Vec<String>) -> Result<(), StoreError> {
        let segment = match self.map(row) {
            Ok(segment) => segment,
            Err(e) => {
                wrong.push(e.to_string());
                return Ok(());
            }
        };
        let path = segment.path().display();
        if segment.rows() < row.rows {
            wrong.push(format!("{path}: holds {} of {} vectors", segment.rows(), row.rows));
        }
        let commits: Vec<(u32, u32, u32)> = self.read(|db| {
            let mut query = db.prepare_cached("SELECT first, rows, crc FROM commits WHERE segment = ?")?;
            let found = query.query_map(params![row.num], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            Ok(found.collect::<Result<_, _>>()?)
        })?;
        let stride = stride(row.dim) as usize;
        let body = &segment.mapped()[Segment::HEADER_BYTES as usize..];
        for (first, rows, crc) in commits {
            let held = body.get(first as usize * stride..(first + rows) as usize * stride);
            if held.is_some_and(|bytes| crc32fast::hash(bytes) != crc) {
                wrong.push(format!("{path}: vectors {first} to {} are not as written", first + rows - 1));
            }
        }
        if self.check_seal(row.id)? == Some(false) {
            wrong.push(format!("{path}: is not as it was sealed"));
        }
        Ok(())
    }
}
