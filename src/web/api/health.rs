//! Whether the server lives, and whether it can do its work: a real encode and a real search.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::library::CollectionInfo;
use crate::search::{self, Ask, Page, Query};
use crate::store::Filter;
use crate::types::Kind;
use crate::web::App;
use crate::web::problem::Problem;

/// That it lives.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Alive {
    alive: bool,
}

/// Whether it can do its work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    ready: bool,
    /// What is missing, in sentences.
    missing: Vec<String>,
}

/// Whether the server lives.
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It lives", body = Alive)))]
pub async fn alive() -> Answer<Alive> {
    Answer(Alive { alive: true })
}

/// Whether the server can do its work: a real encode and a real search in every collection.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "Every collection that has items answers", body = Readiness),
        (status = 503, description = "Something is missing, or there are no items yet", body = Readiness)))]
pub async fn ready(State(app): State<App>) -> Result<(StatusCode, Answer<Readiness>), Problem> {
    let missing = app.work(|app| Ok::<_, Problem>(missing(app))).await?;
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Answer(Readiness { ready: missing.is_empty(), missing })))
}

fn missing(app: &App) -> Vec<String> {
    let collections = match app.library().collections() {
        Ok(collections) => collections,
        Err(e) => return vec![e.to_string()],
    };
    let mut filled = collections.iter().filter(|c| c.items > 0).peekable();
    if filled.peek().is_none() {
        return vec!["no collection has anything in it yet; index photos or an FAQ".to_owned()];
    }
    filled.filter_map(|c| try_one(app, c)).collect()
}

/// What keeps a collection from answering.
fn try_one(app: &App, collection: &CollectionInfo) -> Option<String> {
    let ask = match collection.kind {
        Kind::Faq => Ask::Text("ready?".to_owned()),
        Kind::Photos => Ask::Photo(grey()),
    };
    let query = Query { ask, page: Page { k: 1, ..Page::default() }, filter: Filter::default() };
    match search::run(app.library(), &collection.name, &query) {
        Ok(answer) if answer.hits.is_empty() => {
            Some(format!("collection {} has items but finds none", collection.name))
        }
        Ok(_) => None,
        Err(e) => Some(format!("collection {}: {e}", collection.name)),
    }
}

/// A small grey picture.
fn grey() -> Vec<u8> {
    crate::photo::thumbnail(&image::RgbImage::from_pixel(64, 64, image::Rgb([128; 3])), 64)
}
