//! Switching a collection to another encoder: begin or go on, look, give up.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::collections::Started;
use crate::ingest::switch::{self, SwitchRequest};
use crate::library::{Offer, SwitchInfo};
use crate::types::{CollectionName, EncoderName};
use crate::web::App;
use crate::web::extract::{Json, Path};
use crate::web::problem::Problem;

/// How a collection stands to another encoder.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Standing {
    switching: Option<SwitchInfo>,
    offers: Vec<Offer>,
}

/// Whether there was a switch to give up.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Cancelled {
    cancelled: bool,
}

/// The body that begins a switch; empty, it goes on with the one under way, or fits the encoder anew.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BeginSwitch)]
pub struct Begin {
    #[serde(default)]
    collection: Option<CollectionName>,
    #[serde(default)]
    encoder: Option<EncoderName>,
    #[serde(default)]
    drop_missing: bool,
}

/// How a collection stands to another encoder.
#[utoipa::path(get, path = "/api/v1/collections/{c}/switch", tag = "switch", params(("c" = CollectionName, Path, description = "The collection")),
    responses((status = 200, description = "The switch under way, and what would be worth one", body = Standing)))]
pub async fn get(State(app): State<App>, Path(c): Path<String>) -> Result<Answer<Standing>, Problem> {
    let name: CollectionName = c.parse()?;
    app.work(move |app| {
        let collection = app.library().collection(&name)?;
        let standing =
            Standing { switching: collection.switching()?, offers: app.library().offers(&collection)? };
        Ok::<_, Problem>(Answer(standing))
    })
    .await
}

/// Switches a collection to another encoder, as a job; without one, goes on or fits its own anew.
#[utoipa::path(post, path = "/api/v1/collections/{c}/switch", tag = "switch", params(("c" = CollectionName, Path, description = "The collection")), request_body = Begin,
    responses((status = 202, description = "A job began", body = Started)))]
pub async fn start(
    State(app): State<App>,
    Path(c): Path<String>,
    Json(begin): Json<Begin>,
) -> Result<(StatusCode, Answer<Started>), Problem> {
    let collection: CollectionName = c.parse()?;
    if begin.collection.as_ref().is_some_and(|other| *other != collection) {
        let detail = "the body names another collection than the address; leave it out";
        return Err(Problem::input("request.collection", "collection", detail));
    }
    let request = SwitchRequest { collection, encoder: begin.encoder, drop_missing: begin.drop_missing };
    let job = app.work(move |app| switch::start(&app.0.library, request)).await?;
    Ok((StatusCode::ACCEPTED, Answer(Started { job: job.0 })))
}

/// Gives a switch up: what was encoded for it goes, the collection stays as it is.
#[utoipa::path(delete, path = "/api/v1/collections/{c}/switch", tag = "switch", params(("c" = CollectionName, Path, description = "The collection")),
    responses((status = 200, description = "Whether there was one", body = Cancelled)))]
pub async fn cancel(State(app): State<App>, Path(c): Path<String>) -> Result<Answer<Cancelled>, Problem> {
    let name: CollectionName = c.parse()?;
    let was = app.work(move |app| app.library().collection(&name)?.cancel_switch()).await?;
    Ok(Answer(Cancelled { cancelled: was }))
}
