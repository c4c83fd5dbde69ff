//! Items of a collection: list, look at, put, delete.

use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::forms;
use crate::ingest::{self, Entry, Put, Told};
use crate::store::{Body, Filter, Item};
use crate::types::{CollectionName, Date, DateError, ItemKey, Kind};
use crate::web::App;
use crate::web::extract::{Path, Query, is_multipart, json};
use crate::web::multipart::Parts;
use crate::web::problem::Problem;
use crate::web::room::Room;

/// Items listed at once.
const LIMIT: usize = 100;
const MOST: usize = 1000;

/// An item as JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ItemJson {
    key: ItemKey,
    kind: Kind,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    extra: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Date>,
    #[serde(flatten)]
    body: BodyJson,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum BodyJson {
    Photo {
        width: u32,
        height: u32,
        format: String,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
    },
    Faq {
        question: String,
        answer: String,
        language: String,
        wordings: Vec<String>,
    },
}

impl From<Item> for ItemJson {
    fn from(item: Item) -> Self {
        let content = item.content.as_ref().map(ToString::to_string);
        let caption = item.caption().map(str::to_owned);
        let (kind, body) = match item.body {
            Body::Photo { width, height, format, bytes, .. } => {
                (Kind::Photos, BodyJson::Photo { width, height, format, bytes, caption })
            }
            Body::Faq { question, answer, language } => {
                let texts = item.parts.into_iter().filter_map(|part| part.text);
                let wordings = texts.filter(|text| *text != question).collect();
                (Kind::Faq, BodyJson::Faq { question, answer, language, wordings })
            }
        };
        let content = content.filter(|_| kind == Kind::Photos);
        Self { key: item.key, kind, tags: item.tags, extra: item.extra, content, date: item.date, body }
    }
}

/// Which items are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The key that the page begins behind.
    #[serde(default)]
    #[param(value_type = Option<String>, min_length = 1)]
    after: Option<String>,
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    path_prefix: Option<String>,
    #[serde(default)]
    date_from: Option<Date>,
    #[serde(default)]
    date_to: Option<Date>,
}

/// A page of items; `next` goes into `after` for the next one.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Listing {
    items: Vec<ItemJson>,
    next: Option<ItemKey>,
}

/// Items of a collection, by key, a page at a time.
#[utoipa::path(get, path = "/api/v1/collections/{c}/items", tag = "items", params(("c" = CollectionName, Path, description = "The collection"), Listed),
    responses((status = 200, description = "A page of items, by key", body = Listing)))]
pub async fn list(
    State(app): State<App>,
    Path(c): Path<String>,
    Query(listed): Query<Listed>,
) -> Result<Answer<Listing>, Problem> {
    let name: CollectionName = c.parse()?;
    let limit = listed.limit.unwrap_or(LIMIT);
    if limit == 0 || limit > MOST {
        let detail = format!("limit is {limit}; ask for 1 to {MOST} items");
        return Err(Problem::input("request.limit", "limit", detail));
    }
    let after = listed.after.map(ItemKey::try_from).transpose()?;
    let filter = Filter {
        tags: listed.tag.into_iter().collect(),
        path_prefix: listed.path_prefix,
        date_from: listed.date_from,
        date_to: listed.date_to,
    };
    let mut items = app
        .work(move |app| app.library().collection(&name)?.list(&filter, after.as_ref(), limit + 1))
        .await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| item.key.clone());
    Ok(Answer(Listing { items: items.into_iter().map(ItemJson::from).collect(), next }))
}

/// One item.
#[utoipa::path(get, path = "/api/v1/collections/{c}/items/{key}", tag = "items", params(("c" = CollectionName, Path, description = "The collection"), ("key" = String, Path, description = "The item; a `/` may stand as it is or as %2F", min_length = 1)),
    responses((status = 200, description = "The item", body = ItemJson)))]
pub async fn get(
    State(app): State<App>,
    Path((c, key)): Path<(String, String)>,
) -> Result<Answer<ItemJson>, Problem> {
    let (name, key): (CollectionName, ItemKey) = (c.parse()?, key.parse()?);
    let item = app.work(move |app| app.library().collection(&name)?.get(&key)).await?;
    Ok(Answer(item.into()))
}

/// Deletes an item.
#[utoipa::path(delete, path = "/api/v1/collections/{c}/items/{key}", tag = "items", params(("c" = CollectionName, Path, description = "The collection"), ("key" = String, Path, description = "The item; a `/` may stand as it is or as %2F", min_length = 1)),
    responses((status = 204, description = "Gone")))]
pub async fn delete(
    State(app): State<App>,
    Path((c, key)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (name, key): (CollectionName, ItemKey) = (c.parse()?, key.parse()?);
    app.work(move |app| {
        let collection = app.library().collection(&name)?;
        // An unknown key is told, not passed over.
        collection.get(&key)?;
        collection.delete(&[key])
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts an FAQ entry as JSON, or a photo: its bytes alone, or a form with `photo`, `caption`, `tags` and `date`.
/// What is not told of a photo that is there stays; an empty field takes it away.
#[utoipa::path(put, path = "/api/v1/collections/{c}/items/{key}", tag = "items", params(("c" = CollectionName, Path, description = "The collection"), ("key" = String, Path, description = "The item; a `/` may stand as it is or as %2F", min_length = 1)),
    request_body(content((Entry = "application/json"), (forms::Photo = "multipart/form-data"), (forms::Bytes = "image/jpeg"))),
    responses((status = 201, description = "New", body = PutDone),
        (status = 200, description = "Replaced, or the same as before", body = PutDone)))]
pub async fn put(
    State(app): State<App>,
    Path((c, key)): Path<(String, String)>,
    _room: Room,
    request: Request,
) -> Result<(StatusCode, Answer<PutDone>), Problem> {
    let (name, key): (CollectionName, ItemKey) = (c.parse()?, key.parse()?);
    let given = Given::receive(request, &app).await?;
    let (target, item) = (name, key.clone());
    let put = app
        .work(move |app| match given {
            Given::Entry(entry) => ingest::put_entry(app.library(), &target, item, entry),
            Given::Photo(bytes, told) => ingest::put_photo(app.library(), &target, item, &bytes, told),
        })
        .await?;
    let status = if put == Put::Indexed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(PutDone { key, outcome: put })))
}

/// What putting did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PutDone {
    key: ItemKey,
    outcome: Put,
}

/// What is to be put.
enum Given {
    Entry(Entry),
    Photo(Vec<u8>, Told),
}

impl Given {
    async fn receive(request: Request, app: &App) -> Result<Self, Problem> {
        if is_multipart(request.headers()) {
            let mut form = Parts::from_request(request, app).await?;
            form.only(&["photo", "caption", "tags", "date"])?;
            let told = told(&form)?;
            let Some(photo) = form.files.pop() else {
                return Err(Problem::input(
                    "request.field",
                    "photo",
                    "there is no photo in this form; add the file",
                ));
            };
            return Ok(Self::Photo(photo.bytes, told));
        }
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let is_json = kind.starts_with("application/json");
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|e| Problem::new(e.status(), "request.body", format!("{}; send less", e.body_text())))?;
        // A body without a type that begins like an object is an entry: no picture begins so.
        let looks_json = bytes.trim_ascii_start().first() == Some(&b'{');
        if is_json || looks_json {
            json(&bytes).map(Self::Entry)
        } else {
            Ok(Self::Photo(bytes.into(), Told::default()))
        }
    }
}

/// What a form tells of its photo.
fn told(form: &Parts) -> Result<Told, Problem> {
    let last = |name: &str| form.all(name).last().map(|value| value.trim().to_owned());
    let date = match last("date") {
        Some(text) if !text.is_empty() => {
            Some(Some(text.parse().map_err(|e: DateError| Problem::from(e).at("date"))?))
        }
        given => given.map(|_| None),
    };
    let tags = || form.all("tags").map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
    Ok(Told { caption: last("caption"), tags: form.all("tags").next().map(|_| tags()), date })
}
