//! Streams of events that end with the work, the reader or the server. Knows nothing of what is told.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use super::problem::Problem;

/// How often a job is looked at.
const EVERY: Duration = Duration::from_millis(400);

/// What one look gave: events, and whether there will be more.
pub struct Look {
    pub events: Vec<Event>,
    pub last: bool,
}

/// Looks again and again, and sends what each look gives. Looks run off the server's own threads.
pub fn stream(app: &App, mut look: impl FnMut(&App) -> Look + Send + 'static) -> Response {
    let Ok(place) = app.0.streams.clone().try_acquire_owned() else { return Problem::busy().into_response() };
    let (send, events) = mpsc::channel(16);
    let app = app.clone();
    tokio::spawn(async move {
        let _place = place;
        let mut stopping = app.0.stopping.clone();
        loop {
            let looker = app.clone();
            let seen = tokio::task::spawn_blocking(move || {
                let seen = look(&looker);
                (look, seen)
            });
            let Ok((again, seen)) = seen.await else { return };
            look = again;
            for event in seen.events {
                if send.send(Ok::<_, Infallible>(event)).await.is_err() {
                    return;
                }
            }
            if seen.last || send.is_closed() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = send.closed() => return,
                _ = stopping.changed() => return,
            }
        }
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive).into_response()
}
