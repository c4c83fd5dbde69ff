//! A folder of photos becomes a folder of their variations, `<stem>_<n>.jpg` in the same sub-folders.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;

use super::{Class, Dice, Limits, augmented_jpeg, classify, decode};
use crate::files;
use crate::types::{Coded, Fault};

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AugmentReport {
    /// Photos that were read.
    pub photos: u64,
    /// Copies that were written.
    pub written: u64,
    /// Files that are no pictures.
    pub skipped: u64,
    pub rejected: Vec<AugmentReject>,
}

/// A photo without copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AugmentReject {
    /// Relative to the folder, with `/`.
    pub path: String,
    pub code: &'static str,
    pub reason: String,
}

/// Why no copies were made, or not all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    #[error("{0}: no such folder; name a folder of photos")]
    NoFolder(PathBuf),
    #[error("{0}: no photo in it; name a folder of photos")]
    NoPhotos(PathBuf),
    #[error("no copies asked for; ask for at least one")]
    NoCopies,
    #[error("{path}: exists already, and so do {others} more; name another folder or remove them")]
    Exists { path: PathBuf, others: usize },
    #[error("{path}: {source}; look after the disk and try again")]
    Io { path: PathBuf, source: io::Error },
}

impl Coded for AugmentError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoFolder(_) => "augment.no_folder",
            Self::NoPhotos(_) => "augment.no_photos",
            Self::NoCopies => "augment.no_copies",
            Self::Exists { .. } => "augment.exists",
            Self::Io { .. } => "augment.io",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoFolder(_) => Fault::NotFound,
            Self::NoPhotos(_) | Self::NoCopies => Fault::Input,
            Self::Exists { .. } => Fault::Conflict,
            Self::Io { .. } => Fault::Internal,
        }
    }
}

/// Writes `copies` variations of every photo under `from` to `out`, the same for the same `seed`, names and bytes.
/// `progress` hears (photos done, photos in all), from any thread.
///
/// # Errors
/// Nothing is written if one of the copies exists. A photo that cannot be read is in the report.
pub fn augment_folder(
    from: &Path,
    copies: u32,
    seed: u64,
    out: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<AugmentReport, AugmentError> {
    if copies == 0 {
        return Err(AugmentError::NoCopies);
    }
    let (photos, skipped) = photos_of(from, out)?;
    if photos.is_empty() {
        return Err(AugmentError::NoPhotos(from.to_owned()));
    }
    let originals = name_copies(photos);
    refuse_existing(&originals, copies, out)?;

    let report = Mutex::new(AugmentReport { skipped, ..AugmentReport::default() });
    let (done, all) = (AtomicU64::new(0), originals.len() as u64);
    originals.par_iter().try_for_each(|original| {
        let rejected = original.run(from, copies, seed, out)?;
        let mut report = report.lock().expect("no thread panics with the report");
        match rejected {
            Some(reject) => report.rejected.push(reject),
            None => {
                report.photos += 1;
                report.written += u64::from(copies);
            }
        }
        drop(report);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, all);
        Ok(())
    })?;
    let mut report = report.into_inner().expect("no thread panics with the report");
    report.rejected.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(report)
}

/// One photo of a folder, and how its copies are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// Relative to the folder.
    pub photo: PathBuf,
    stem: PathBuf,
}

/// The photos below a folder in the order of their names; what lies in `out` is left out.
///
/// # Errors
/// `NoFolder`, `NoPhotos`, and what the disk reports.
pub fn originals(from: &Path, out: Option<&Path>) -> Result<Vec<Original>, AugmentError> {
    let (photos, _) = photos_of(from, out.unwrap_or(Path::new("")))?;
    if photos.is_empty() {
        return Err(AugmentError::NoPhotos(from.to_owned()));
    }
    Ok(name_copies(photos))
}

impl Original {
    /// Where its `n`th copy lies, counted from 1.
    pub fn copy(&self, n: u32, out: &Path) -> PathBuf {
        let mut name = out.join(&self.stem).into_os_string();
        name.push(format!("_{n}.jpg"));
        name.into()
    }

    /// The `n`th copy, the same as [`augment_folder`] writes.
    pub fn make(&self, picture: &RgbImage, seed: u64, n: u32) -> Vec<u8> {
        augmented_jpeg(picture, &mut Dice::of(seed, self.key().as_bytes(), n))
    }

    /// Its path with `/`.
    fn key(&self) -> String {
        let key: Vec<_> = self.photo.iter().map(|part| part.to_string_lossy()).collect();
        key.join("/")
    }

    fn run(
        &self,
        from: &Path,
        copies: u32,
        seed: u64,
        out: &Path,
    ) -> Result<Option<AugmentReject>, AugmentError> {
        let reject = |code, reason| Ok(Some(AugmentReject { path: self.key(), code, reason }));
        let bytes = match files::read(&from.join(&self.photo), Limits::default().bytes) {
            Ok(bytes) => bytes,
            Err(e) => return reject("photo.unreadable", e.to_string()),
        };
        let picture = match decode(&bytes, &Limits::default()) {
            Ok(photo) => photo.pixels,
            Err(e) => return reject(e.code(), e.to_string()),
        };
        if self.copy(copies, out).file_name().is_some_and(|name| name.len() > LONGEST_NAME) {
            let reason = "its name leaves no room for a number behind it; shorten it".to_owned();
            return reject("augment.name", reason);
        }
        for n in 1..=copies {
            let path = self.copy(n, out);
            write(&path, &self.make(&picture, seed, n))
                .map_err(|source| AugmentError::Io { path, source })?;
        }
        Ok(None)
    }
}

/// What file systems take as the name of a file, in bytes.
const LONGEST_NAME: usize = 255;

/// Whole or absent, so that a copy that exists is one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(&part, path)
}

/// Pictures below `from`, relative and in the order of their names, and how many other files there are; what lies in
/// `out` is left out.
fn photos_of(from: &Path, out: &Path) -> Result<(Vec<PathBuf>, u64), AugmentError> {
    if !from.is_dir() {
        return Err(AugmentError::NoFolder(from.to_owned()));
    }
    let out = fs::canonicalize(out).ok().filter(|out| fs::canonicalize(from).is_ok_and(|from| from != *out));
    let is_out = |path: &Path| out.is_some() && fs::canonicalize(path).ok() == out;
    let (mut photos, mut skipped) = (Vec::new(), 0);
    let walk = walkdir::WalkDir::new(from).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|e| !(e.file_type().is_dir() && is_out(e.path()))) {
        let entry = entry.map_err(|e| AugmentError::Io {
            path: e.path().unwrap_or(from).to_owned(),
            source: e.into_io_error().unwrap_or_else(|| io::Error::other("the folder holds itself")),
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        match classify(&entry.file_name().to_string_lossy(), &head(entry.path())) {
            Class::Picture => {
                let relative = entry.path().strip_prefix(from).expect("the walk starts there");
                photos.push(relative.to_owned());
            }
            _ => skipped += 1,
        }
    }
    Ok((photos, skipped))
}

/// The first bytes; none of a file that cannot be opened, which is told when it is read.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    let _ = files::open(path).and_then(|(file, _)| file.take(64).read_to_end(&mut head));
    head
}

/// `a.jpg` gives `a_1.jpg`; where `a.png` lies beside it, both keep their endings: `a.jpg_1.jpg`.
fn name_copies(photos: Vec<PathBuf>) -> Vec<Original> {
    let mut count: HashMap<PathBuf, u32> = HashMap::new();
    for photo in &photos {
        *count.entry(photo.clone()).or_default() += 1; // a photo may be named as another with its ending
        *count.entry(photo.with_extension("")).or_default() += 1;
    }
    let stem = |photo: &PathBuf| match photo.with_extension("") {
        stem if count[&stem] == 1 => stem,
        _ => photo.clone(),
    };
    photos.into_iter().map(|photo| Original { stem: stem(&photo), photo }).collect()
}

fn refuse_existing(originals: &[Original], copies: u32, out: &Path) -> Result<(), AugmentError> {
    // Names by folder, since asking for each of thousands of files is slow on a network disk.
    let mut there: HashMap<PathBuf, Vec<OsString>> = HashMap::new();
    let mut existing = Vec::new();
    for original in originals {
        for path in (1..=copies).map(|n| original.copy(n, out)) {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
            let names = there.entry(folder.to_owned()).or_insert_with(|| names_in(folder));
            if names.binary_search(&name.to_owned()).is_ok() {
                existing.push(path);
            }
        }
    }
    match existing.len() {
        0 => Ok(()),
        n => Err(AugmentError::Exists { path: existing.swap_remove(0), others: n - 1 }),
    }
}

fn names_in(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<OsString> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|e| e.ok().map(|e| e.file_name())).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn put(path: &Path, tone: u8) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_fn(40, 30, |x, y| Rgb([tone, x as u8 * 6, y as u8 * 8])).save(path).unwrap();
    }

    fn files(folder: &Path) -> Vec<String> {
        let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(|e| e.unwrap());
        walk.filter(|e| e.file_type().is_file())
            .map(|e| e.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn copies_are_made_once_and_the_same_for_a_seed() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("in");
        put(&from.join("a.jpg"), 10);
        put(&from.join("sub/a.jpg"), 200);
        put(&from.join("two.jpg"), 90);
        put(&from.join("two.png"), 91);
        fs::write(from.join("bad.jpg"), b"\xff\xd8\xff broken").unwrap();
        fs::write(from.join("notes.txt"), b"notes").unwrap();
        put(&from.join(format!("{}.jpg", "l".repeat(250))), 3);
        let run = |out: &str, seed| augment_folder(&from, 2, seed, &dir.path().join(out), &|_, _| {});

        let report = run("x", 7).unwrap();
        assert_eq!((report.photos, report.written, report.skipped), (4, 8, 1));
        let rejected: Vec<_> = report.rejected.iter().map(|r| (&r.path[..3], r.code)).collect();
        assert_eq!(rejected, [("bad", "photo.truncated"), ("lll", "augment.name")]);
        let want = ["a_1.jpg", "a_2.jpg", "sub/a_1.jpg", "sub/a_2.jpg", "two.jpg_1.jpg", "two.jpg_2.jpg"];
        assert_eq!(files(&dir.path().join("x"))[..6], want);

        run("y", 7).unwrap();
        run("z", 8).unwrap();
        let bytes = |out: &str| fs::read(dir.path().join(out).join("sub/a_2.jpg")).unwrap();
        assert_eq!(bytes("x"), bytes("y"));
        assert_ne!(bytes("x"), bytes("z"));

        let again = run("x", 9).unwrap_err();
        assert_eq!(again.code(), "augment.exists");
        assert!(again.to_string().contains("a_1.jpg") && again.to_string().contains("7 more"), "{again}");
        assert_eq!(bytes("x"), bytes("y"), "nothing was written");
    }

    #[test]
    fn nothing_to_augment_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let run = |from: &Path, copies| augment_folder(from, copies, 0, &dir.path().join("out"), &|_, _| {});
        assert_eq!(run(&dir.path().join("none"), 1).unwrap_err().code(), "augment.no_folder");
        assert_eq!(run(dir.path(), 1).unwrap_err().code(), "augment.no_photos");
        assert_eq!(run(dir.path(), 0).unwrap_err().code(), "augment.no_copies");
    }

    #[test]
    fn copies_may_lie_below_their_photos() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("a.png"), 10);
        let run = |copies| augment_folder(dir.path(), copies, 0, &dir.path().join("copies"), &|_, _| {});
        assert_eq!(run(1).unwrap().written, 1);
        assert_eq!(run(3).unwrap_err().code(), "augment.exists");
    }
}
