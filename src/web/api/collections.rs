//! Collections: list, make, look at, change, delete, and index something of this machine into one.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::index::Recipe;
use crate::ingest::{self, Request, Source};
use crate::library::{CollectionInfo, NewCollection};
use crate::types::{CollectionName, EncoderName, Kind};
use crate::web::App;
use crate::web::extract::{Json, Path};
use crate::web::problem::Problem;

/// A job that began.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Started {
    pub job: i64,
}

/// All collections, by name.
#[utoipa::path(get, path = "/api/v1/collections", tag = "collections",
    responses((status = 200, description = "By name", body = [CollectionInfo])))]
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<CollectionInfo>>, Problem> {
    Ok(Answer(app.work(|app| app.library().collections()).await?))
}

/// The body of a new collection.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct New {
    name: CollectionName,
    kind: Kind,
    #[serde(default)]
    encoder: Option<EncoderName>,
    #[serde(default)]
    recipe: Option<Recipe>,
}

/// Makes a collection.
#[utoipa::path(post, path = "/api/v1/collections", tag = "collections", request_body = New,
    responses((status = 201, description = "Made", body = CollectionInfo)))]
pub async fn create(
    State(app): State<App>,
    Json(new): Json<New>,
) -> Result<(StatusCode, Answer<CollectionInfo>), Problem> {
    let recipe = new.recipe.unwrap_or(Recipe::Flat);
    let new = NewCollection { name: new.name, kind: new.kind, encoder: new.encoder, recipe };
    let info = app.work(move |app| app.library().create(&new)?.info()).await?;
    Ok((StatusCode::CREATED, Answer(info)))
}

/// One collection.
#[utoipa::path(get, path = "/api/v1/collections/{c}", tag = "collections", params(("c" = CollectionName, Path, description = "The collection")),
    responses((status = 200, description = "The collection", body = CollectionInfo)))]
pub async fn get(State(app): State<App>, Path(c): Path<String>) -> Result<Answer<CollectionInfo>, Problem> {
    let name: CollectionName = c.parse()?;
    Ok(Answer(app.work(move |app| app.library().collection(&name)?.info()).await?))
}

/// Deletes a collection.
#[utoipa::path(delete, path = "/api/v1/collections/{c}", tag = "collections", params(("c" = CollectionName, Path, description = "The collection")),
    responses((status = 204, description = "Gone with its items; photos of an indexed folder stay where they are")))]
pub async fn delete(State(app): State<App>, Path(c): Path<String>) -> Result<StatusCode, Problem> {
    let name: CollectionName = c.parse()?;
    app.work(move |app| app.library().drop_collection(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What can be changed of a collection.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    recipe: Recipe,
}

/// Asks for another index; it is built at the end of the next import.
#[utoipa::path(patch, path = "/api/v1/collections/{c}", tag = "collections", params(("c" = CollectionName, Path, description = "The collection")), request_body = Change,
    responses((status = 200, description = "As it is now", body = CollectionInfo)))]
pub async fn change(
    State(app): State<App>,
    Path(c): Path<String>,
    Json(change): Json<Change>,
) -> Result<Answer<CollectionInfo>, Problem> {
    let name: CollectionName = c.parse()?;
    let info = app
        .work(move |app| {
            let collection = app.library().collection(&name)?;
            collection.set_recipe(change.recipe)?;
            collection.info()
        })
        .await?;
    Ok(Answer(info))
}

/// The body of an import of something of this machine.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// May repeat the name in the URL.
    #[serde(default)]
    collection: Option<CollectionName>,
    /// Absolute.
    #[serde(with = "ingest::path_json")]
    #[schema(value_type = String, pattern = "^/[^/]", examples("/home/me/Pictures"))]
    path: std::path::PathBuf,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    encoder: Option<EncoderName>,
    #[serde(default)]
    recipe: Option<Recipe>,
    #[serde(default)]
    prune: bool,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    rehash: bool,
    #[serde(default, with = "ingest::path_json::maybe")]
    #[schema(value_type = Option<String>, pattern = "^/[^/]")]
    captions: Option<std::path::PathBuf>,
    #[serde(default)]
    caption_encoder: Option<EncoderName>,
}

/// Indexes a folder, a photo or an FAQ table of the machine that serves, as a job.
#[utoipa::path(post, path = "/api/v1/collections/{c}/index", tag = "collections", params(("c" = CollectionName, Path, description = "The collection")), request_body = Import,
    responses((status = 202, description = "A job began", body = Started)))]
pub async fn index(
    State(app): State<App>,
    Path(c): Path<String>,
    Json(import): Json<Import>,
) -> Result<(StatusCode, Answer<Started>), Problem> {
    let name: CollectionName = c.parse()?;
    if import.collection.as_ref().is_some_and(|other| *other != name) {
        let detail = "the body names another collection than the address; leave it out";
        return Err(Problem::input("request.collection", "collection", detail));
    }
    for (field, path) in [("path", Some(&import.path)), ("captions", import.captions.as_ref())] {
        if path.is_some_and(|path| !path.is_absolute()) {
            let detail = "the server does not know the folder that you are in; give an absolute path";
            return Err(Problem::input("path.relative", field, detail));
        }
    }
    let request = Request {
        collection: name,
        path: import.path,
        prefix: import.prefix,
        encoder: import.encoder,
        recipe: import.recipe,
        prune: import.prune,
        force: import.force,
        rehash: import.rehash,
        captions: import.captions,
        caption_encoder: import.caption_encoder,
    };
    let job = app
        .work(move |app| {
            // What is not there is told at once, unless it is to be pruned.
            if !request.prune {
                Source::of(&request.path)?;
            }
            request.check_captions()?;
            ingest::start(&app.0.library, request)
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Answer(Started { job: job.0 })))
}

/// Takes the vectors of deleted and replaced items out of the files, as a job.
#[utoipa::path(post, path = "/api/v1/collections/{c}/compact", tag = "collections",
    params(("c" = CollectionName, Path, description = "The collection")),
    responses((status = 202, description = "A job began", body = Started)))]
pub async fn compact(
    State(app): State<App>,
    Path(c): Path<String>,
) -> Result<(StatusCode, Answer<Started>), Problem> {
    let name: CollectionName = c.parse()?;
    let job = app.work(move |app| app.library().compact(&app.library().collection(&name)?)).await?;
    Ok((StatusCode::ACCEPTED, Answer(Started { job: job.0 })))
}
