//! Whether there is room for what is about to be sent: asked of the request's head, before its body is read.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::problem::Problem;
use super::{App, extract, format};
use crate::store;

/// A measure of the data folder holds this many times as long as it took, within these bounds: measuring stays cheap,
/// and what is written beside the bodies (vectors, thumbnails, the database) is seen soon.
const HOLDS_TIMES: u32 = 50;
const HOLDS_LEAST: Duration = Duration::from_millis(200);
const HOLDS_MOST: Duration = Duration::from_secs(30);

/// What is known of the data folder's size: bytes, and until when that counts.
#[derive(Default)]
pub struct Measured(Mutex<Option<(Instant, u64)>>);

/// Taken before a body by whoever keeps it: there is room for it.
pub struct Room;

impl FromRequestParts<App> for Room {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let limits = app.library().config().limits;
        // A body that tells no length may be as long as any.
        let coming = extract::length(&parts.headers).unwrap_or(limits.upload_bytes).min(limits.upload_bytes);
        app.work(move |app| app.check_room(coming)).await?;
        Ok(Self)
    }
}

impl App {
    fn check_room(&self, coming: u64) -> Result<(), Problem> {
        let (data, limits) = (&self.library().config().data, self.library().config().limits);
        match store::free_bytes(data) {
            Ok(free) if free < limits.free_bytes.saturating_add(coming) => {
                let detail = format!(
                    "the disk has {} left, of which {} stay free; make room on it, or index a folder in place",
                    format::size(free),
                    format::size(limits.free_bytes)
                );
                return Err(full("disk.full", detail));
            }
            // A disk that cannot be asked is told of when it is written to.
            _ => {}
        }
        let Some(most) = limits.data_bytes else { return Ok(()) };
        let mut measured = self.0.measured.0.lock().expect("no holder of this lock panics");
        let (until, used) = match *measured {
            Some((until, used)) if Instant::now() < until => (until, used),
            _ => measure(data),
        };
        if used.saturating_add(coming) > most {
            *measured = Some((until, used));
            let detail = format!(
                "the data folder has {} of the {} allowed; delete something, or index a folder in place",
                format::size(used),
                format::size(most)
            );
            return Err(full("disk.quota", detail));
        }
        // What comes meanwhile is added.
        *measured = Some((until, used + coming));
        Ok(())
    }
}

fn measure(data: &Path) -> (Instant, u64) {
    let start = Instant::now();
    let used = store::used_bytes(data);
    let end = Instant::now();
    (end + ((end - start) * HOLDS_TIMES).clamp(HOLDS_LEAST, HOLDS_MOST), used)
}

fn full(code: &str, detail: String) -> Problem {
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, code, detail)
}
