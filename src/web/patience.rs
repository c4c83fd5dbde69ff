//! Bodies that come too slowly are given up. Knows nothing of what is in them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, Sleep, sleep};
use tokio_stream::Stream;

use super::Pace;
use super::problem::Problem;

/// The layer: a request whose body stalls, or drips, is answered with 408 and its connection is closed.
pub async fn limit(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let gave_up = Arc::new(AtomicBool::new(false));
    let told = gave_up.clone();
    let request = request.map(|body| {
        let begun = Instant::now();
        let waiting = Box::pin(sleep(pace.silence));
        Body::from_stream(Hurried {
            body: body.into_data_stream(),
            pace,
            begun,
            waiting,
            bytes: 0,
            gave_up: told,
        })
    });
    let response = next.run(request).await;
    if !gave_up.load(Ordering::Relaxed) {
        return response;
    }
    let detail = "the request's body came too slowly; send it again over a better line";
    let mut response = Problem::new(StatusCode::REQUEST_TIMEOUT, "request.slow", detail).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

struct Hurried {
    body: BodyDataStream,
    pace: Pace,
    begun: Instant,
    waiting: Pin<Box<Sleep>>,
    bytes: u64,
    gave_up: Arc<AtomicBool>,
}

impl Hurried {
    /// Whether, after the grace of one silence, fewer bytes have come than must.
    fn drips(&self) -> bool {
        let late = self.begun.elapsed().saturating_sub(self.pace.silence);
        late > Duration::ZERO && (self.bytes as f64) < late.as_secs_f64() * self.pace.bytes_per_second as f64
    }

    fn give_up(&self) -> Poll<Option<Result<Bytes, io::Error>>> {
        self.gave_up.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly"))))
    }
}

impl Stream for Hurried {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.body).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.bytes += bytes.len() as u64;
                if self.drips() {
                    return self.give_up();
                }
                let next = Instant::now() + self.pace.silence;
                self.waiting.as_mut().reset(next);
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(e))) => Poll::Ready(Some(Err(io::Error::other(e)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.waiting.as_mut().poll(cx) {
                Poll::Ready(()) => self.give_up(),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}
