//! Copying many files, hashed on the way, several at a time: most of the time goes into waiting for the disk to sync.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::io::Io;
use super::{ContentId, StoreError};

/// How many at once.
const COPIERS: usize = 8;

/// Copies all that a reader gives into a new file, durable on return but for its name. Returns its hash and length.
pub(super) fn copy(
    io: &Io,
    source: impl Read,
    from: &Path,
    to: &Path,
) -> Result<(ContentId, u64), StoreError> {
    const PIECE: u64 = 1 << 20;
    let file = io.create(to)?;
    let (mut source, mut hasher) = (source, blake3::Hasher::new());
    let (mut piece, mut at) = (Vec::new(), 0);
    loop {
        piece.clear();
        source.by_ref().take(PIECE).read_to_end(&mut piece).map_err(|e| StoreError::io(from, e))?;
        if piece.is_empty() {
            io.sync(&file, to)?;
            return Ok((ContentId::from_bytes(*hasher.finalize().as_bytes()), at));
        }
        hasher.update(&piece);
        io.write_at(&file, to, at, &piece)?;
        at += piece.len() as u64;
    }
}

/// Whether a file is there and has that hash.
pub(super) fn is_whole(path: &Path, id: &ContentId) -> std::io::Result<bool> {
    Ok(ContentId::of_reader(File::open(path)?)? == *id)
}

/// Does something to each, several at a time; ends at the first error.
pub(super) fn each<T: Sync>(
    all: &[T],
    act: impl Fn(&T) -> Result<(), StoreError> + Sync,
) -> Result<(), StoreError> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..COPIERS.min(all.len()) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(e) = act(one) {
                        next.store(all.len(), Ordering::Relaxed);
                        failed.lock().expect("nothing panics while it holds this").get_or_insert(e);
                    }
                }
            });
        }
    });
    failed.into_inner().expect("nothing panics while it holds this").map_or(Ok(()), Err)
}
