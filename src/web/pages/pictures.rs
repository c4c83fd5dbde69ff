//! Photos for looking at: always re-encoded, never the file itself, so that nothing in it can act in a browser.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::library::Collection;
use crate::photo;
use crate::types::{CollectionName, ItemKey};
use crate::web::App;
use crate::web::extract::{Path, Query};
use crate::web::problem::Problem;

/// Longest side of a query photo as it is shown.
const QUERY_SIDE: u32 = 320;

#[derive(Deserialize)]
pub struct Version {
    /// The beginning of the content's hash; with it the picture may be kept for good.
    #[serde(default)]
    v: String,
}

/// `GET /c/{c}/thumb/{key}`
pub async fn thumb(
    State(app): State<App>,
    Path((c, key)): Path<(String, String)>,
    Query(version): Query<Version>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    picture(app, &c, &key, version, headers, "t", |collection, key| Ok(collection.thumbnail(key)?)).await
}

/// `GET /c/{c}/photo/{key}`
pub async fn photo(
    State(app): State<App>,
    Path((c, key)): Path<(String, String)>,
    Query(version): Query<Version>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    picture(app, &c, &key, version, headers, "p", |collection, key| Ok(collection.display_photo(key)?)).await
}

async fn picture(
    app: App,
    c: &str,
    key: &str,
    version: Version,
    headers: HeaderMap,
    size: &'static str,
    make: impl FnOnce(&Collection, &ItemKey) -> Result<Vec<u8>, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let (name, key): (CollectionName, ItemKey) = (c.parse()?, key.parse()?);
    let library = app.0.library.clone();
    let work = move || {
        let collection = library.collection(&name)?;
        let content = collection.get(&key)?.content.map(|c| c.to_string()).unwrap_or_default();
        let tag = format!("\"{size}-{content}\"");
        if !content.is_empty() && known(&headers, &tag) {
            return Ok((tag, content, None));
        }
        let jpeg = make(&collection, &key)?;
        Ok::<_, Problem>((tag, content, Some(jpeg)))
    };
    let (tag, content, jpeg) = app.0.pictures.run(work).await?;
    let for_good = !version.v.is_empty() && content.starts_with(&version.v);
    let cache = if for_good { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    let mut response = match jpeg {
        Some(jpeg) => jpeg_of(jpeg),
        None => StatusCode::NOT_MODIFIED.into_response(),
    };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// `GET /query/{id}`: a photo that somebody searched with.
pub async fn query(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let inner = app.clone();
    let work = move || {
        let bytes = inner.0.queries.get(&id).ok_or_else(gone)?;
        let photo = photo::decode(&bytes, &inner.library().photo_limits())?;
        Ok::<_, Problem>(photo::thumbnail(&photo.pixels, QUERY_SIDE))
    };
    let mut response = jpeg_of(app.0.pictures.run(work).await?);
    let cache = HeaderValue::from_static("private, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    Ok(response)
}

/// A query photo that is no longer kept.
pub fn gone() -> Problem {
    let detail = "this photo is no longer kept here; choose it again to search with it";
    Problem::new(StatusCode::NOT_FOUND, "query.photo_gone", detail).at("photo")
}

fn jpeg_of(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response()
}

fn known(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    sent.is_some_and(|list| list.split(',').any(|t| t.trim().trim_start_matches("W/") == tag))
}
