//! One item put by its key, as the API does: a photo's bytes or an FAQ entry.

use serde::{Deserialize, Serialize};

use super::captions::Told;
use super::error::IngestError;
use super::plan::{self, First, Target};
use super::{captions, photos, table};
use crate::library::{Collection, Library, Tracker, Urgency};
use crate::store::{Batch, NewItem, Place, RootKind, RootRecord};
use crate::text;
use crate::text::table::{FaqRow, distinct};
use crate::types::{CollectionName, ItemKey, Kind};

/// What putting an item did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Put {
    Indexed,
    Replaced,
    Unchanged,
}

/// An FAQ entry as the API takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FaqEntry)]
pub struct Entry {
    pub question: String,
    pub answer: String,
    #[serde(default)]
    pub wordings: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub language: Option<String>,
}

/// Name of the root of all items that were put one by one.
const API_ROOT: &str = "api";

/// Puts a photo under a key; the bytes are kept. What is not told of it stays as it was. Returns after the commit.
///
/// # Errors
/// `photo.*` for what is no good photo, `collection.*`, and what stops encoder or store.
pub fn put_photo(
    library: &Library,
    collection: &CollectionName,
    key: ItemKey,
    bytes: &[u8],
    told: Told,
) -> Result<Put, IngestError> {
    let new = library.collection(collection).is_err();
    let name = collection;
    let collection = open(library, name, Kind::Photos)?;
    let root = plan::root(&collection, RootKind::Api, API_ROOT, None)?;
    let put = put_photo_in(library, &collection, &root, key, bytes, told, Urgency::Interactive);
    if put.is_err() && new {
        library.drop_if_empty(name)?;
    }
    put
}

/// Puts a photo into a root that is settled already.
pub fn put_photo_in(
    library: &Library,
    collection: &Collection,
    root: &RootRecord,
    key: ItemKey,
    bytes: &[u8],
    told: Told,
    urgency: Urgency,
) -> Result<Put, IngestError> {
    plan::encoder_for(library, collection, First::default(), &Tracker::default())?;
    let limits = &library.photo_limits();
    let refused = |source| IngestError::Photo { path: key.to_string(), source };
    limits.check_bytes(bytes.len() as u64).map_err(refused)?;
    let put = plan::settle(|| {
        let encoding = collection.encoding()?;
        let prepared = photos::prepare(collection, bytes, limits, &encoding).map_err(refused)?;
        let before = collection.store().item(collection.id(), &key)?;
        if before.as_ref().is_some_and(|b| b.content.as_ref() == Some(&prepared.content)) {
            return Ok(Put::Unchanged);
        }
        let vectors = encoding.photos(&[&prepared.crops], urgency)?.remove(0);
        let place = Place::Blob(collection.store().put_blob(bytes)?);
        let (had, caption) = before.as_ref().map(|b| (b.tags.clone(), b.caption())).unwrap_or_default();
        let tags = told.tags.clone().unwrap_or(had);
        let item = photos::item(key.clone(), root.id, &prepared, vectors, place, None, tags, caption);
        commit(collection, item, before.is_some())
    })?;
    let described = captions::tell(library, collection, &key, told, urgency)?;
    Ok(match put {
        Put::Unchanged if described => Put::Replaced,
        put => put,
    })
}

/// Puts an FAQ entry under its id. Returns after the commit.
///
/// # Errors
/// `faq.question_empty`, `faq.answer_empty`, `collection.*`, and what stops encoder or store.
pub fn put_entry(
    library: &Library,
    collection: &CollectionName,
    key: ItemKey,
    entry: Entry,
) -> Result<Put, IngestError> {
    if text::normalise(&entry.question).is_empty() {
        return Err(IngestError::EmptyQuestion);
    }
    if text::normalise(&entry.answer).is_empty() {
        return Err(IngestError::EmptyAnswer);
    }
    let collection = open(library, collection, Kind::Faq)?;
    let root = plan::root(&collection, RootKind::Api, API_ROOT, None)?;
    let row = row_of(&key, entry);
    let before = collection.store().item(collection.id(), &key)?;
    if before.as_ref().is_some_and(|b| b.content == Some(table::content(&row))) {
        return Ok(Put::Unchanged);
    }
    let language = Some(text::language(&row.question));
    let first = First { language, ..First::default() };
    plan::encoder_for(library, &collection, first, &Tracker::default())?;
    let texts: Vec<&str> = table::texts(&row).collect();
    plan::settle(|| {
        let mut vectors = collection.encoding()?.texts(&texts, Urgency::Interactive)?.into_iter();
        let item = table::item(key.clone(), root.id, &row, &mut vectors);
        commit(&collection, item, before.is_some())
    })
}

fn open(
    library: &Library,
    name: &CollectionName,
    kind: Kind,
) -> Result<std::sync::Arc<Collection>, IngestError> {
    Target { name, kind, encoder: None, recipe: None }.open(library)
}

fn row_of(key: &ItemKey, entry: Entry) -> FaqRow {
    let mut wordings: Vec<String> = Vec::new();
    for wording in entry.wordings {
        let known = wording == entry.question || wordings.contains(&wording);
        if !known && !text::normalise(&wording).is_empty() {
            wordings.push(wording);
        }
    }
    FaqRow {
        line: 1,
        id: Some(key.to_string()),
        question: entry.question,
        answer: entry.answer,
        language: entry.language,
        tags: distinct(entry.tags.iter().map(|tag| text::normalise(tag)).collect(), None),
        wordings,
        extra: serde_json::Map::new(),
    }
}

fn commit(collection: &Collection, item: NewItem, there: bool) -> Result<Put, IngestError> {
    collection.commit(&Batch { upserts: vec![item], deletes: Vec::new() })?;
    Ok(if there { Put::Replaced } else { Put::Indexed })
}
