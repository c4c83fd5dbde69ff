//! A line to a server that can be left at any moment: what waits for it does so on a thread of its own, which ends by
//! its own limits.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{SourceError, Watcher, go_on};

/// How soon a wish to stop is heard.
const TICK: Duration = Duration::from_millis(100);
const PIECE: usize = 1 << 17;
/// Pieces that may lie between the line and the disk.
const AHEAD: usize = 8;

/// What `work` answers.
///
/// # Errors
/// `Stopped` as soon as the watcher wishes it; `work` then ends unheard.
pub fn ask<T: Send + 'static>(
    watcher: &dyn Watcher,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SourceError> {
    let (answer, answered) = sync_channel(1);
    // Nobody listens any more where the pull was stopped.
    thread::spawn(move || drop(answer.send(work())));
    // Nothing comes only where `work` panicked: that is carried on, as if it had run here.
    Ok(hear(&answered, watcher)?.expect("work answers once"))
}

/// A reader's bytes as they come.
pub struct Pieces(Receiver<io::Result<Vec<u8>>>);

impl Pieces {
    pub fn of(mut reader: impl Read + Send + 'static) -> Self {
        let (piece, pieces) = sync_channel(AHEAD);
        thread::spawn(move || {
            loop {
                let mut bytes = vec![0; PIECE];
                let read = match reader.read(&mut bytes) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let more = matches!(read, Ok(n) if n > 0);
                let read = read.map(|n| {
                    bytes.truncate(n);
                    bytes
                });
                if piece.send(read).is_err() || !more {
                    return;
                }
            }
        });
        Self(pieces)
    }

    /// `None` at the end; the inner error is the reader's.
    ///
    /// # Errors
    /// `Stopped`.
    pub fn next(&self, watcher: &dyn Watcher) -> Result<Option<io::Result<Vec<u8>>>, SourceError> {
        let piece = hear(&self.0, watcher)?;
        Ok(piece.filter(|piece| !matches!(piece, Ok(bytes) if bytes.is_empty())))
    }
}

/// The next that comes; `None` when nothing more will.
fn hear<T>(from: &Receiver<T>, watcher: &dyn Watcher) -> Result<Option<T>, SourceError> {
    loop {
        match from.recv_timeout(TICK) {
            Ok(it) => return Ok(Some(it)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => go_on(watcher)?,
        }
    }
}
