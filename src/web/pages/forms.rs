//! The forms of the pages: each does one thing and leads to the page that shows it.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{collection, see, see_job};
use crate::ingest::{self, Request};
use crate::store::JobId;
use crate::types::{CollectionName, EncoderName, Kind};
use crate::web::App;
use crate::web::api::uploads;
use crate::web::extract::{Form, Path, Query};
use crate::web::multipart::Parts;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;
use crate::web::room::Room;

/// The form that indexes a folder of this machine.
#[derive(Debug, Deserialize)]
pub struct IndexForm {
    path: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    captions: String,
    #[serde(default)]
    prune: Option<String>,
}

/// `POST /c/{c}/index`
pub async fn index(
    State(app): State<App>,
    prefs: Prefs,
    Path(c): Path<String>,
    Form(form): Form<IndexForm>,
) -> Result<Response, Problem> {
    let name: CollectionName = c.parse()?;
    let request = Request {
        collection: name.clone(),
        path: form.path.trim().into(),
        prefix: Some(form.prefix.trim().to_owned()).filter(|p| !p.is_empty()),
        encoder: None,
        recipe: None,
        prune: form.prune.is_some(),
        force: false,
        rehash: false,
        captions: Some(form.captions.trim()).filter(|p| !p.is_empty()).map(Into::into),
        caption_encoder: None,
    };
    let started = app
        .work(move |app| {
            // A job would tell it too, but the person is still at the form.
            let source = ingest::Source::of(&request.path)?;
            request.check_captions()?;
            let id = ingest::start(&app.0.library, request)?;
            Ok::<_, Problem>((id, source.kind()))
        })
        .await;
    match started {
        Ok((id, _)) => Ok(see_job(id)),
        Err(problem) => Ok(collection::failed(app, prefs, name, Kind::Photos, problem).await),
    }
}

/// Which kind a collection is to have that the upload makes.
#[derive(Debug, Deserialize)]
pub struct KindQuery {
    #[serde(default)]
    kind: Option<Kind>,
}

/// `POST /c/{c}/upload`: the whole upload in one request, for browsers without scripts.
pub async fn upload(
    State(app): State<App>,
    prefs: Prefs,
    Path(c): Path<String>,
    Query(query): Query<KindQuery>,
    _room: Room,
    form: Parts,
) -> Result<Response, Problem> {
    let name: CollectionName = c.parse()?;
    let kind = query.kind.unwrap_or(Kind::Photos);
    let target = name.clone();
    match app.bulk(move |app| uploads::whole(app, &target, Some(kind), &form)).await {
        Ok(done) => Ok(see_job(done.job)),
        Err(problem) => Ok(collection::failed(app, prefs, name, kind, problem).await),
    }
}

/// `POST /c/{c}/delete`
pub async fn delete(State(app): State<App>, Path(c): Path<String>) -> Result<Response, Problem> {
    let name: CollectionName = c.parse()?;
    app.work(move |app| app.library().drop_collection(&name)).await?;
    Ok(see("/collections"))
}

/// `POST /jobs/{id}/cancel`
pub async fn cancel(State(app): State<App>, Path(id): Path<i64>) -> Result<Response, Problem> {
    app.work(move |app| crate::web::api::jobs::stop(app, JobId(id))).await?;
    Ok(see_job(JobId(id)))
}

/// `POST /models/{name}/pull`
pub async fn pull(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    let name: EncoderName = name.parse()?;
    let id = app.work(move |app| crate::web::api::models::start_pull(app, name)).await?;
    Ok(see_job(id))
}
