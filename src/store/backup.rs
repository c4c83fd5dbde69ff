//! A backup, beside any writer: a snapshot of the database first, then the segments and blobs that it names. Meanwhile no
//! segment file is taken away. Files are kept under their hash, so a second backup into the same folder copies what is new.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::Serialize;
use uuid::Uuid;
use walkdir::WalkDir;

use super::io::Io;
use super::manifest::{self, Entry, Manifest};
use super::retire::Hold;
use super::segment::{length, stride};
use super::segments::{self, SegmentRow};
use super::{Access, ContentId, Store, StoreError, copying, schema};

/// What a backup did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    pub files: u64,
    pub bytes: u64,
    /// Of these files, those that the folder did not have yet.
    pub copied: u64,
    pub bytes_copied: u64,
    /// Files of the data folder that are gone or not as they were written, one sentence each. All else was copied.
    pub damaged: Vec<String>,
}

/// A file to be copied.
struct Wanted {
    from: PathBuf,
    path: String,
    /// Only so many bytes of it: the rest belongs to later commits.
    len: Option<u64>,
    /// What it must be, if that is known.
    is: Option<ContentId>,
    /// Of a segment that still grows.
    sums: Vec<Sum>,
    /// Large and seldom new: hashed before it is copied, which costs less than writing it once more.
    settled: bool,
}

/// The checksum of the bytes of one commit.
struct Sum {
    at: u64,
    len: usize,
    crc: u32,
}

impl Wanted {
    fn whole(from: PathBuf, path: String) -> Self {
        Self { from, path, len: None, is: None, sums: Vec::new(), settled: false }
    }
}

/// Backs the data folder up into `to`: absent, empty, or an older backup. A writer may go on meanwhile. `extra` are files
/// to take along, relative to the data folder; those that are not there are left out.
///
/// # Errors
/// `BackupWithin` the data folder, `NotABackup` if something else lies in `to`, `Full` and what the disks report: an older backup in `to` is then as it was.
pub fn backup(data: &Path, to: &Path, extra: &[PathBuf]) -> Result<BackupReport, StoreError> {
    Store::open(data, Access::Read)?.backup(to, extra)
}

impl Store {
    /// As [`backup`], by a program that has the data folder open.
    pub fn backup(&self, to: &Path, extra: &[PathBuf]) -> Result<BackupReport, StoreError> {
        let io = self.io.elsewhere();
        if full(to).starts_with(full(&self.data)) {
            return Err(StoreError::BackupWithin { path: to.to_owned() });
        }
        accept(to, &io)?;
        // Two backups into one folder would take each other's files for garbage.
        let lock = to.join("lock");
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&lock);
        let file = file.map_err(|e| StoreError::io(&lock, e))?;
        file.try_lock().map_err(|_| StoreError::BackupBusy { path: to.to_owned() })?;
        // Before the snapshot: what it names is there until the end.
        let _hold = Hold::share(&self.data)?;
        let staging = to.join("tmp");
        let _ = fs::remove_dir_all(&staging);
        fs::create_dir_all(&staging).map_err(|e| StoreError::io(&staging, e))?;
        let done = self.backup_through(to, &staging, extra, &io);
        let _ = fs::remove_dir_all(&staging);
        done
    }

    fn backup_through(
        &self,
        to: &Path,
        staging: &Path,
        extra: &[PathBuf],
        io: &Io,
    ) -> Result<BackupReport, StoreError> {
        let snapshot = staging.join("simile.db");
        self.snapshot_into(&snapshot)?;
        let mut wanted = named_by(&schema::open_reader(&snapshot)?, &self.data)?;
        wanted.push(Wanted::whole(snapshot, "simile.db".to_owned()));
        for path in extra.iter().filter(|path| self.data.join(path).is_file()) {
            let one = Wanted::whole(self.data.join(path), path.to_string_lossy().into_owned());
            wanted.push(Wanted { settled: true, ..one });
        }
        let copier = Copier { io, to, staging, done: Mutex::default() };
        copying::each(&wanted, |one| copier.copy(one))?;
        let (mut files, mut report) = copier.done.into_inner().expect("nothing panics while it holds this");
        files.sort_by(|a, b| a.path.cmp(&b.path));
        report.files = files.len() as u64;
        report.bytes = files.iter().map(|entry| entry.bytes).sum();
        report.damaged.sort();
        let manifest = Manifest::new(files);
        put_manifest(to, staging, &manifest, io)?;
        remove_unnamed(to, &manifest, io);
        Ok(report)
    }

    /// The database of one moment, whatever a writer does meanwhile.
    fn snapshot_into(&self, path: &Path) -> Result<(), StoreError> {
        let conn = self.readers.take()?;
        // SQLite takes the bytes of a path as they are.
        let name = ToSqlOutput::Borrowed(ValueRef::Text(path.as_os_str().as_encoded_bytes()));
        conn.execute("VACUUM INTO ?", [name])?;
        self.readers.give(conn);
        Ok(())
    }
}

/// The path without links, as far as it is there.
fn full(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, real)) = there else { return path };
    real.join(path.strip_prefix(above).expect("an ancestor is a prefix"))
}

/// Makes the folder if it is absent, and refuses one with something else in it.
fn accept(to: &Path, io: &Io) -> Result<(), StoreError> {
    let other = || StoreError::NotABackup { path: to.to_owned() };
    match fs::read_dir(to) {
        Ok(entries) => {
            let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
            // Without a manifest it may be one that was interrupted: then it has nothing but what we make.
            let ours = names.iter().all(|name| ["files", "tmp", "lock"].iter().any(|our| name == our));
            if !ours && names.iter().all(|name| name != manifest::NAME) {
                return Err(other());
            }
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) if e.kind() == ErrorKind::NotADirectory => return Err(other()),
        Err(e) => return Err(StoreError::io(to, e)),
    }
    io.make_root(to)
}

/// Its place is taken in one step: until then the older backup holds.
fn put_manifest(to: &Path, staging: &Path, manifest: &Manifest, io: &Io) -> Result<(), StoreError> {
    let path = staging.join(manifest::NAME);
    let file = io.create(&path)?;
    io.write_at(&file, &path, 0, &manifest.to_bytes())?;
    io.sync(&file, &path)?;
    io.rename(&path, &to.join(manifest::NAME))?;
    io.sync_dir(to)
}

/// What only an older backup named. One that cannot go costs space, no more.
fn remove_unnamed(to: &Path, manifest: &Manifest, io: &Io) {
    let named: HashSet<PathBuf> = manifest.files.iter().map(|entry| entry.object(to)).collect();
    for entry in WalkDir::new(manifest::objects(to)).min_depth(2).max_depth(2).into_iter().flatten() {
        if !named.contains(entry.path()) {
            let _ = io.remove(entry.path());
        }
    }
}

/// The segments and blobs that a snapshot names.
fn named_by(db: &Connection, data: &Path) -> Result<Vec<Wanted>, StoreError> {
    let mut wanted = Vec::new();
    let local = |path: &Path| {
        let inside = path.strip_prefix(data).expect("it lies in the data folder");
        inside.to_string_lossy().into_owned()
    };
    let hashes: HashMap<i64, [u8; 32]> = db
        .prepare("SELECT num, hash FROM segments WHERE hash IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for row in segments::select(db, "", [])? {
        let from = row.path(data);
        let is = hashes.get(&row.num).map(|hash| ContentId::from_bytes(*hash));
        let sums = if is.is_some() { Vec::new() } else { sums_of(db, &row)? };
        let len = Some(length(row.dim, row.rows));
        wanted.push(Wanted { len, is, sums, ..Wanted::whole(from.clone(), local(&from)) });
    }
    for blob in blobs_of(db)? {
        let from = super::blobs::path(data, &blob);
        wanted.push(Wanted { is: Some(blob), ..Wanted::whole(from.clone(), local(&from)) });
    }
    Ok(wanted)
}

fn sums_of(db: &Connection, row: &SegmentRow) -> Result<Vec<Sum>, StoreError> {
    let mut query = db.prepare_cached("SELECT first, rows, crc FROM commits WHERE segment = ?")?;
    let mut found = query.query([row.num])?;
    let mut sums = Vec::new();
    while let Some(commit) = found.next()? {
        let (first, rows): (u32, u32) = (commit.get(0)?, commit.get(1)?);
        let len = (u64::from(rows) * stride(row.dim)) as usize;
        sums.push(Sum { at: length(row.dim, first), len, crc: commit.get(2)? });
    }
    Ok(sums)
}

/// The uploaded originals that items have, each once.
pub(super) fn blobs_of(db: &Connection) -> Result<Vec<ContentId>, StoreError> {
    let sql = "SELECT DISTINCT json_extract(body, '$.place.blob') FROM items
               WHERE json_extract(body, '$.place.blob') IS NOT NULL ORDER BY 1";
    let mut query = db.prepare(sql)?;
    let mut rows = query.query([])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let hex: String = row.get(0)?;
        out.push(hex.parse().map_err(|e| super::unreadable("blob of an item", e))?);
    }
    Ok(out)
}

/// One backup on its way.
struct Copier<'a> {
    io: &'a Io,
    to: &'a Path,
    staging: &'a Path,
    done: Mutex<(Vec<Entry>, BackupReport)>,
}

impl Copier<'_> {
    fn note(&self, change: impl FnOnce(&mut (Vec<Entry>, BackupReport))) {
        change(&mut self.done.lock().expect("nothing panics while it holds this"));
    }

    fn has(&self, id: &ContentId) -> bool {
        copying::is_whole(&manifest::object(self.to, id), id).unwrap_or(false)
    }

    fn copy(&self, one: &Wanted) -> Result<(), StoreError> {
        // What is there whole stays, also when its original has turned bad since.
        let id = one.is.or_else(|| one.settled.then(|| hash_of(&one.from)).flatten());
        if let Some(id) = id.filter(|id| self.has(id)) {
            let path = manifest::object(self.to, &id);
            let bytes = path.metadata().map_err(|e| StoreError::io(&path, e))?.len();
            self.note(|(files, _)| files.push(Entry { path: one.path.clone(), bytes, blake3: id }));
            return Ok(());
        }
        let source = match File::open(&one.from) {
            Ok(file) => file.take(one.len.unwrap_or(u64::MAX)),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.note(|(_, report)| report.damaged.push(format!("{}: is gone", one.from.display())));
                return Ok(());
            }
            Err(e) => return Err(StoreError::io(&one.from, e)),
        };
        let temporary = self.staging.join(Uuid::new_v4().to_string());
        let (id, bytes) = copying::copy(self.io, source, &one.from, &temporary)?;
        let fits = one.is.is_none_or(|is| is == id) && one.len.is_none_or(|len| len == bytes);
        if !fits || !sums_hold(&temporary, &one.sums).map_err(|e| StoreError::io(&temporary, e))? {
            let why = "is not as it was written; it was copied as it is";
            self.note(|(_, report)| report.damaged.push(format!("{}: {why}", one.from.display())));
        }
        let entry = Entry { path: one.path.clone(), bytes, blake3: id };
        let new = !self.has(&id);
        if new {
            let place = entry.object(self.to);
            let folder = place.parent().expect("an object lies in a folder");
            self.io.make_dirs(folder)?;
            self.io.rename(&temporary, &place)?;
            self.io.sync_dir(folder)?;
        } else {
            self.io.remove(&temporary)?;
        }
        self.note(|(files, report)| {
            files.push(entry);
            report.copied += u64::from(new);
            report.bytes_copied += if new { bytes } else { 0 };
        });
        Ok(())
    }
}

/// `None` for what cannot be read: copying it tells why.
fn hash_of(path: &Path) -> Option<ContentId> {
    ContentId::of_reader(File::open(path).ok()?).ok()
}

/// Whether the checksums of all commits of a copied segment hold.
fn sums_hold(copy: &Path, sums: &[Sum]) -> io::Result<bool> {
    let mut file = File::open(copy)?;
    let mut bytes = Vec::new();
    for sum in sums {
        bytes.resize(sum.len, 0);
        file.seek(SeekFrom::Start(sum.at))?;
        match file.read_exact(&mut bytes) {
            Ok(()) if crc32fast::hash(&bytes) == sum.crc => {}
            Ok(()) => return Ok(false),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}
