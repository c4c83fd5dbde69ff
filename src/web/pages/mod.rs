//! The pages: each asks one use case and draws the answer with a template. Knows nothing of how answers are found.

mod about;
mod collection;
mod collections;
mod encoder;
mod forms;
mod item;
mod job_words;
mod jobs;
mod login;
mod pictures;
mod results;
mod search;
mod shell;
mod strip;
mod trouble;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::prefs::Prefs;
use super::problem::Problem;
use super::{App, access};
use crate::store::JobId;
use shell::Shell;

/// Forms without files are short.
const FORM_BYTES: usize = 1 << 20;

/// Pages and forms that are answered within seconds.
pub fn quick() -> Router<App> {
    let forms = Router::new()
        .route("/collections", get(collections::show).post(collections::create))
        .route("/c/{c}/index", post(forms::index))
        .route("/c/{c}/delete", post(forms::delete))
        .route("/c/{c}/switch", post(encoder::start))
        .route("/c/{c}/switch/cancel", post(encoder::cancel))
        .route("/jobs/{id}/cancel", post(forms::cancel))
        .route("/models/{name}/pull", post(forms::pull))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .layer(DefaultBodyLimit::max(FORM_BYTES));
    Router::new()
        .route("/", get(search::show).post(search::ask))
        .route("/c/{c}", get(collection::show))
        .route("/c/{c}/item/{*key}", get(item::show))
        .route("/c/{c}/thumb/{*key}", get(pictures::thumb))
        .route("/c/{c}/photo/{*key}", get(pictures::photo))
        .route("/query/{id}", get(pictures::query))
        .route("/jobs", get(jobs::show))
        .route("/about", get(about::show))
        .route("/strip", get(strip::show))
        .route("/troubles", get(trouble::sentences))
        .merge(forms)
}

/// Uploads and streams.
pub fn slow() -> Router<App> {
    Router::new().route("/c/{c}/upload", post(forms::upload)).route("/jobs/events", get(jobs::events))
}

/// After a form: the page that shows what it did. 303, so that a reload does not send the form again.
fn see(url: &str) -> Response {
    Redirect::to(url).into_response()
}

/// Where a started job is seen.
fn see_job(id: JobId) -> Response {
    see(&format!("/jobs#job-{}", id.0))
}

/// Draws problems for people; programs keep the document.
pub async fn draw_problems(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let stranger = !app.0.access.is_open() && access::is_public(path);
    let person = wants_page(request.headers()) && !path.starts_with("/api/") && !stranger;
    let prefs = person.then(|| Prefs::of(request.headers(), request.uri()));
    let response = next.run(request).await;
    let (Some(prefs), Some(problem)) = (prefs, response.extensions().get::<Problem>()) else {
        return response;
    };
    let page = trouble::ErrorPage { s: Shell::bare(&app, prefs), problem: problem.clone() };
    (problem.status, page).into_response()
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}
