//! The API under `/api/v1`, for programs: JSON in, JSON out, problems as documents. Knows nothing of pages.

mod collections;
mod docs;
mod document;
mod embed;
mod forms;
mod health;
mod items;
pub mod jobs;
pub mod models;
mod search;
mod switch;
pub mod uploads;

use axum::Router;
use axum::routing::{get, post};

use super::{App, figures};

/// What is answered within seconds.
pub fn quick() -> Router<App> {
    let v1 = Router::new()
        .route("/collections", get(collections::list).post(collections::create))
        .route(
            "/collections/{c}",
            get(collections::get).delete(collections::delete).patch(collections::change),
        )
        .route("/collections/{c}/index", post(collections::index))
        .route("/collections/{c}/switch", get(switch::get).post(switch::start).delete(switch::cancel))
        .route("/collections/{c}/compact", post(collections::compact))
        .route("/collections/{c}/search", post(search::search))
        .route("/collections/{c}/ask", post(search::ask))
        .route("/collections/{c}/items", get(items::list))
        .route("/collections/{c}/items/{*key}", get(items::get).put(items::put).delete(items::delete))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(jobs::get).delete(jobs::delete))
        .route("/jobs/{id}/rejects", get(jobs::rejects))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/models", get(models::list))
        .route("/models/{name}/pull", post(models::pull))
        .route("/embed", post(embed::embed));
    Router::new()
        .nest("/api/v1", v1)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/api/openapi.json", get(document::document))
        .route("/openapi.json", get(document::document))
        .route("/api", get(docs::page))
        .route("/api/docs/{name}", get(docs::file))
        .route("/metrics", get(figures::show))
}

/// Uploads and streams.
pub fn slow() -> Router<App> {
    let v1 = Router::new()
        .route("/collections/{c}/uploads", post(uploads::upload))
        .route("/jobs/{id}/finish", post(uploads::finish))
        .route("/jobs/{id}/events", get(jobs::events));
    Router::new().nest("/api/v1", v1)
}
