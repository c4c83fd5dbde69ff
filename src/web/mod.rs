//! The browser's and programs' face of a library, over HTTP: parse, call one use case, draw the answer.
//! Knows nothing of SQL, Faiss or tensors.

mod api;
mod assets;
mod extract;
mod figures;
mod format;
mod gate;
mod guard;
mod lang;
mod link;
mod multipart;
mod pages;
mod prefs;
mod problem;
mod queries;
mod requests;
mod sse;
mod texts;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::ingest::upload::Uploads;
use crate::library::Library;
use gate::Gate;
use guard::Token;
use problem::Problem;
use queries::Queries;

/// Longest a request may take that is neither an upload nor a stream.
const PATIENCE: Duration = Duration::from_secs(120);

/// Streams of events at once.
const STREAMS: usize = 64;

/// What every handler shares.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    library: Arc<Library>,
    uploads: Uploads,
    queries: Queries,
    token: Token,
    /// People's questions.
    work: Gate,
    /// Thumbnails and photos: many at once on every page.
    pictures: Gate,
    /// Uploads: each may encode for minutes (a table).
    bulk: Gate,
    /// Requests whose body is being received into memory.
    bodies: Arc<Semaphore>,
    /// Streams of events.
    streams: Arc<Semaphore>,
    /// True when the server is to stop.
    stopping: watch::Receiver<bool>,
}

impl App {
    fn new(library: Arc<Library>, stopping: watch::Receiver<bool>) -> Self {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        Self(Arc::new(Inner {
            uploads: Uploads::new(library.clone()),
            queries: Queries::new(library.config().data.join("cache").join("queries")),
            library,
            token: Token::default(),
            work: Gate::new(cores.max(4), 64),
            pictures: Gate::new(cores, 256),
            bulk: Gate::new(4, 32),
            bodies: Arc::new(Semaphore::new(16)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            stopping,
        }))
    }

    fn library(&self) -> &Library {
        &self.0.library
    }

    /// Runs a person's question off the server's own threads.
    async fn work<T, E>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let app = self.clone();
        self.0.work.run(move || work(&app)).await
    }

    /// Runs an upload's work off the server's own threads, in a line of its own.
    async fn bulk<T, E>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let app = self.clone();
        self.0.bulk.run(move || work(&app)).await
    }
}

/// Serves until `shutdown` resolves and what was being answered is answered.
///
/// # Errors
/// What the listener reports.
pub async fn serve(
    library: Arc<Library>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let app = App::new(library, stopping);
    let router = router(app.clone());
    let stopped = async move {
        shutdown.await;
        // Streams and uploads have no end of their own.
        let _ = stop.send(true);
        let _ = tokio::task::spawn_blocking(move || app.0.uploads.end_all()).await;
    };
    let figures = tokio::spawn(figures::keep());
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
    figures.abort();
    served
}

fn router(app: App) -> Router {
    let limit = app.library().config().limits.upload_bytes;
    // Uploads may take longer: a table is encoded before it is answered.
    let quick = pages::quick().merge(api::quick()).layer(from_fn(hurry));
    Router::new()
        .merge(quick)
        .merge(pages::slow())
        .merge(api::slow())
        .route("/static/{version}/{name}", axum::routing::get(assets::serve))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(DefaultBodyLimit::max(usize::try_from(limit).unwrap_or(usize::MAX)))
        .layer(from_fn_with_state(limit, extract::refuse_large))
        .layer(CompressionLayer::new())
        .layer(from_fn(prefs::remember))
        .layer(from_fn_with_state(app.clone(), pages::draw_problems))
        .layer(from_fn_with_state(app.0.token.clone(), guard::check))
        .layer(from_fn(figures::count))
        .layer(from_fn(requests::watch))
        .with_state(app)
}

/// No answer in time is an answer too.
async fn hurry(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail =
                "no answer was ready in time; try again, or see the jobs that keep this machine busy";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server.slow", detail).into_response()
        }
    }
}

async fn unknown(uri: Uri) -> Problem {
    Problem::unknown_path(uri.path())
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} is not possible at {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method.not_allowed", detail)
}
