//! The browser's and programs' face of a library, over HTTP: parse, call one use case, draw the answer.
//! Knows nothing of SQL, Faiss or tensors.

mod access;
mod api;
mod assets;
mod extract;
mod figures;
mod format;
mod gate;
mod guard;
mod lang;
mod link;
mod listen;
mod multipart;
mod paced;
mod pages;
mod patience;
mod prefs;
mod problem;
mod queries;
mod requests;
mod room;
mod sse;
mod texts;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::ingest::upload::Uploads;
use crate::library::Library;
use crate::types::Secret;
pub use access::{TokenError, read_token};

use access::Access;
use gate::Gate;
use guard::{Guard, Names, Token};
use problem::Problem;
use queries::Queries;

/// Who may come in, under which names, and how slow they may be.
#[derive(Debug, Default)]
pub struct Door {
    /// Without one everybody who reaches the server may do everything.
    pub token: Option<Secret>,
    /// A second token, for commands of the same user on this machine.
    pub local_key: Option<Secret>,
    /// Names that it answers to, besides this machine's own: a reverse proxy's.
    pub hosts: Vec<String>,
    pub pace: Pace,
}

/// How slow the other side may be.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For a request's head, and between requests.
    pub head: Duration,
    /// Between two pieces of a body, and before its speed is judged.
    pub silence: Duration,
    /// Of a body, on the average.
    pub bytes_per_second: u64,
    /// For a reader to take anything of what is to be sent.
    pub stall: Duration,
    /// Between two files of an upload that was opened.
    pub upload: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            silence: Duration::from_secs(20),
            bytes_per_second: 4096,
            stall: Duration::from_secs(30),
            upload: Duration::from_secs(300),
        }
    }
}

/// What every handler shares.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    library: Arc<Library>,
    uploads: Uploads,
    queries: Queries,
    measured: room::Measured,
    token: Token,
    access: Access,
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
    fn new(library: Arc<Library>, access: Access, pace: Pace, stopping: watch::Receiver<bool>) -> Self {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        let streams = library.config().serve.streams;
        Self(Arc::new(Inner {
            uploads: Uploads::new(library.clone(), pace.upload),
            measured: room::Measured::default(),
            queries: Queries::new(library.config().data.join("cache").join("queries")),
            library,
            token: Token::default(),
            access,
            work: Gate::new(cores.max(4), 64),
            pictures: Gate::new(cores, 256),
            bulk: Gate::new(4, 32),
            bodies: Arc::new(Semaphore::new(16)),
            streams: Arc::new(Semaphore::new(streams)),
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

/// Serves everybody who reaches `listener`, until `shutdown` resolves and what was being answered is answered.
///
/// # Errors
/// What the listener reports.
pub async fn serve(
    library: Arc<Library>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_behind(Door::default(), library, listener, shutdown).await
}

/// The same for those whom the door lets in.
///
/// # Errors
/// What the listener reports.
pub async fn serve_behind(
    door: Door,
    library: Arc<Library>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let hosts = door.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    let names = Names { hosts, addresses: !listener.local_addr()?.ip().to_canonical().is_loopback() };
    let (stop, stopping) = watch::channel(false);
    let (last, ended) = watch::channel(false);
    let app = App::new(library, Access::new(door.token, door.local_key), door.pace, stopping);
    let router = router(app.clone(), names, door.pace);
    let tended = tokio::spawn(tend(app.clone(), door.pace.upload / 4));
    tokio::spawn(async move {
        shutdown.await;
        // Streams and uploads have no end of their own.
        let _ = stop.send(true);
        let _ = tokio::task::spawn_blocking(move || app.0.uploads.end_all()).await;
        let _ = last.send(true);
    });
    let figures = tokio::spawn(figures::keep());
    listen::run(listener, router, door.pace, ended).await;
    figures.abort();
    tended.abort();
    Ok(())
}

/// Looks after uploads that were left open.
async fn tend(app: App, every: Duration) {
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(10)));
    loop {
        tick.tick().await;
        let app = app.clone();
        let _ = tokio::task::spawn_blocking(move || app.0.uploads.end_forgotten()).await;
    }
}

fn router(app: App, names: Names, pace: Pace) -> Router {
    let guard = Guard { token: app.0.token.clone(), names: Arc::new(names) };
    let limit = app.library().config().limits.upload_bytes;
    // Uploads may take longer: a table is encoded before it is answered.
    let quick = pages::quick()
        .merge(api::quick())
        .layer(from_fn_with_state(app.library().config().serve.patience, hurry));
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
        .layer(from_fn_with_state(pace, patience::limit))
        .layer(from_fn_with_state(app.0.access.clone(), access::check))
        .layer(from_fn_with_state(guard, guard::check))
        .layer(from_fn(figures::count))
        .layer(from_fn(requests::watch))
        .with_state(app)
}

/// No answer in time is an answer too.
async fn hurry(State(patience): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(patience, next.run(request)).await {
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
