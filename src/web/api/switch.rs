//! Switching a collection to another encoder: begin or go on, look, give up.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::collections::Started;
use crate::ingest::switch::{self, SwitchRequest};
use crate::library::{Offer, SwitchInfo};
use crate::store::Field;
use crate::types::{CollectionName, EncoderName};
use crate::web::App;
use crate::web::extract::{Json, Path, Query};
use crate::web::problem::Problem;

/// How a collection stands to another encoder.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Standing {
    switching: Option<SwitchInfo>,
    /// The same of its captions.
    caption_switching: Option<SwitchInfo>,
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
    /// The captions' encoder, rather than the collection's own.
    #[serde(default)]
    captions: bool,
}

/// Which of a collection's encoders is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The captions' encoder, rather than the collection's own.
    #[serde(default)]
    captions: bool,
}

/// How a collection stands to another encoder.
#[utoipa::path(get, path = "/api/v1/collections/{c}/switch", tag = "switch", params(("c" = CollectionName, Path, description = "The collection")),
    responses((status = 200, description = "The switch under way, and what would be worth one", body = Standing)))]
pub async fn get(State(app): State<App>, Path(c): Path<String>) -> Result<Answer<Standing>, Problem> {
    let name: CollectionName = c.parse()?;
    app.work(move |app| {
        let collection = app.library().collection(&name)?;
        Ok::<_, Problem>(Answer(Standing {
            switching: collection.switching(Field::Own)?,
            caption_switching: collection.switching(Field::Captions)?,
            offers: app.library().offers(&collection)?,
        }))
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
    let Begin { encoder, drop_missing, captions, .. } = begin;
    let request = SwitchRequest { collection, encoder, drop_missing, captions };
    let job = app.work(move |app| switch::start(&app.0.library, request)).await?;
    Ok((StatusCode::ACCEPTED, Answer(Started { job: job.0 })))
}

/// Gives a switch up: what was encoded for it goes, the collection stays as it is.
#[utoipa::path(delete, path = "/api/v1/collections/{c}/switch", tag = "switch", params(("c" = CollectionName, Path, description = "The collection"), Which),
    responses((status = 200, description = "Whether there was one", body = Cancelled)))]
pub async fn cancel(
    State(app): State<App>,
    Path(c): Path<String>,
    Query(which): Query<Which>,
) -> Result<Answer<Cancelled>, Problem> {
    let name: CollectionName = c.parse()?;
    let field = if which.captions { Field::Captions } else { Field::Own };
    let was = app.work(move |app| app.library().collection(&name)?.cancel_switch(field)).await?;
    Ok(Answer(Cancelled { cancelled: was }))
}
