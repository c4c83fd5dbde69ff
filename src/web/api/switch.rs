//! Switching a collection to another encoder: begin or go on, look, give up.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ingest::switch::{self, SwitchRequest};
use crate::library::{Offer, SwitchInfo};
use crate::types::{CollectionName, EncoderName};
use crate::web::App;
use crate::web::extract::{Json, Path};
use crate::web::problem::Problem;

/// How a collection stands to another encoder.
#[derive(Debug, Serialize)]
pub struct Standing {
    switching: Option<SwitchInfo>,
    offers: Vec<Offer>,
}

/// The body that begins a switch; empty, it goes on with the one under way, or fits the encoder anew.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    #[serde(default)]
    collection: Option<CollectionName>,
    #[serde(default)]
    encoder: Option<EncoderName>,
    #[serde(default)]
    drop_missing: bool,
}

/// `GET /collections/{c}/switch`
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

/// `POST /collections/{c}/switch`
pub async fn start(
    State(app): State<App>,
    Path(c): Path<String>,
    Json(begin): Json<Begin>,
) -> Result<(StatusCode, Answer<Value>), Problem> {
    let collection: CollectionName = c.parse()?;
    if begin.collection.as_ref().is_some_and(|other| *other != collection) {
        let detail = "the body names another collection than the address; leave it out";
        return Err(Problem::input("request.collection", "collection", detail));
    }
    let request = SwitchRequest { collection, encoder: begin.encoder, drop_missing: begin.drop_missing };
    let job = app.work(move |app| switch::start(&app.0.library, request)).await?;
    Ok((StatusCode::ACCEPTED, Answer(json!({"job": job.0}))))
}

/// `DELETE /collections/{c}/switch`: what was encoded for it goes, the collection stays as it is.
pub async fn cancel(State(app): State<App>, Path(c): Path<String>) -> Result<Answer<Value>, Problem> {
    let name: CollectionName = c.parse()?;
    let was = app.work(move |app| app.library().collection(&name)?.cancel_switch()).await?;
    Ok(Answer(json!({"cancelled": was})))
}
