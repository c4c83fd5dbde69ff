//! Files on their way into a staging folder: copied, hashed, checked against their pins.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{SourceError, Wanted, Watcher, go_on, told};
use crate::encoder::card::Pins;

const PIECE: usize = 1 << 20;

/// Takes a model's files from a folder of this machine.
pub fn copy(
    from: &Path,
    wanted: &Wanted,
    staging: &Path,
    label: &str,
    watcher: &dyn Watcher,
) -> Result<(), SourceError> {
    each(wanted, from.display().to_string(), |file| {
        go_on(watcher)?;
        let source = from.join(file);
        if !source.is_file() {
            return Ok(false);
        }
        let read = |e| SourceError::io(&source, e);
        let total = source.metadata().map_err(read)?.len();
        let reader = File::open(&source).map_err(read)?;
        write(reader, &staging.join(Wanted::place(file)), read, |done| {
            told(watcher, label, file, done, Some(total))
        })?;
        Ok(true)
    })
}

/// Asks `take` for every wanted file; it says whether the file is there.
///
/// # Errors
/// `Incomplete` if a required one is not.
pub fn each(
    wanted: &Wanted,
    place: String,
    mut take: impl FnMut(&'static str) -> Result<bool, SourceError>,
) -> Result<(), SourceError> {
    let required = wanted.required.iter().map(std::slice::from_ref);
    for choice in required.chain(wanted.one_of.iter().copied()) {
        let mut found = false;
        for file in choice {
            found = take(file)?;
            if found {
                break;
            }
        }
        if !found {
            return Err(SourceError::Incomplete { place, files: choice.join(", ") });
        }
    }
    for file in wanted.optional {
        take(file)?;
    }
    Ok(())
}

/// Writes all of `reader` to `path`, synced; `tell` hears the bytes so far and may end it, `unread` names a failure to
/// read.
pub fn write(
    mut reader: impl Read,
    path: &Path,
    unread: impl Fn(io::Error) -> SourceError,
    mut tell: impl FnMut(u64) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let fail = |e| SourceError::io(path, e);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = File::create(path).map_err(fail)?;
    let (mut piece, mut done) = (vec![0; PIECE], 0);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                file.write_all(&piece[..n]).map_err(fail)?;
                done += n as u64;
                tell(done)?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(unread(e)),
        }
    }
    file.sync_all().map_err(fail)
}

/// 64 lower-case hex digits.
pub fn sha256(path: &Path) -> Result<String, SourceError> {
    let fail = |e| SourceError::io(path, e);
    let mut file = File::open(path).map_err(fail)?;
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => hasher.update(&piece[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fail(e)),
        }
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Compares with what the card pins; a file that differs is removed, so that the next pull fetches it anew.
pub fn check_pins(staging: &Path, pins: &Pins) -> Result<(), SourceError> {
    for (file, want) in pins {
        let path = staging.join(file);
        if !path.is_file() {
            continue;
        }
        let got = sha256(&path)?;
        if !got.eq_ignore_ascii_case(want) {
            fs::remove_file(&path).map_err(|e| SourceError::io(&path, e))?;
            return Err(SourceError::Hash { file: file.clone(), got, want: want.clone() });
        }
    }
    Ok(())
}

/// Removes what a fetch left besides the model's files: parts, notes, a killed pip's work.
pub fn tidy(staging: &Path, wanted: &Wanted) -> Result<(), SourceError> {
    let fail = |e| SourceError::io(staging, e);
    let keep = |name: &Path| wanted.all().any(|file| Path::new(Wanted::place(file)).starts_with(name));
    for entry in fs::read_dir(staging).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if keep(Path::new(&entry.file_name())) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
            .map_err(|e| SourceError::io(&path, e))?;
    }
    Ok(())
}
