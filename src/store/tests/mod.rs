//! The store as a whole, on real folders.

mod access;
mod backup;
mod captions;
mod compact;
mod crash;
mod damage;
mod inject;
mod model;
mod records;
mod spaces;
mod switch;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;
use crate::types::{Coded, Dim, ItemKey, Kind, Vector};

/// The code that it was refused with.
pub fn refused<T>(result: Result<T, StoreError>) -> &'static str {
    result.map(drop).unwrap_err().code()
}

/// In memory where there is such a place: these tests sync a lot.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub fn key(text: &str) -> ItemKey {
    text.parse().unwrap()
}

pub fn vector(seed: u32) -> Vector {
    let x = f64::from(seed);
    Vector::unit(vec![x.sin() as f32, x.cos() as f32, 0.5], Dim::new(3).unwrap()).unwrap()
}

pub fn space() -> SpaceRecord {
    SpaceRecord { id: "space-1".into(), descriptor: json!({"pooling": "mean"}), dim: Dim::new(3).unwrap() }
}

/// An FAQ entry whose parts are `seed`, `seed + 1`, … and whose question tells the seed.
pub fn entry(text: &str, seed: u32, parts: u32) -> NewItem {
    let part = |i| {
        let vectors = vec![InSpace { space: space().id, vector: vector(seed + i) }];
        NewPart { text: Some(format!("wording {i}")), vectors }
    };
    NewItem {
        key: key(text),
        root: None,
        body: Body::Faq { question: format!("question {seed}"), answer: "yes".into(), language: "en".into() },
        tags: Vec::new(),
        extra: Map::new(),
        stamp: None,
        content: None,
        words: Vec::new(),
        parts: (0..parts).map(part).collect(),
    }
}

pub fn upsert(items: Vec<NewItem>) -> Batch {
    Batch { upserts: items, deletes: Vec::new() }
}

/// An FAQ collection with a space.
pub fn collection(store: &Store) -> CollectionId {
    let new =
        NewCollection { name: "faq".parse().unwrap(), kind: Kind::Faq, encoder: None, recipe: "Flat".into() };
    let id = store.create_collection(&new).unwrap().id;
    store.set_encoder(id, &"minilm".parse().unwrap(), &space()).unwrap();
    id
}

pub fn fresh(data: &Path) -> (Store, CollectionId) {
    let store = Store::open(data, Access::Write).unwrap();
    let id = collection(&store);
    (store, id)
}

/// What a reader sees: each item's question, and each of its parts' vectors as they lie in the segments.
pub fn seen(store: &Store, id: CollectionId) -> BTreeMap<String, (String, Vec<Vec<f32>>)> {
    let segments = store.segments(id).unwrap();
    let mut vectors: BTreeMap<ItemId, BTreeMap<u16, Vec<f32>>> = BTreeMap::new();
    for live in store.live(id).unwrap() {
        let segment = segments.iter().find(|s| s.id() == live.segment).unwrap();
        let twice = vectors.entry(live.item).or_default().insert(live.part, segment.row(live.row).to_vec());
        assert_eq!(twice, None, "one vector for each part");
    }
    let items = store.list(id, &Filter::default(), None, usize::MAX).unwrap();
    let out = items.into_iter().map(|item| {
        let Body::Faq { question, .. } = item.body else { panic!("an FAQ") };
        let mine = vectors.remove(&item.id).unwrap_or_default();
        (item.key.as_str().to_owned(), (question, mine.into_values().collect()))
    });
    let out = out.collect();
    assert!(vectors.is_empty(), "every live row is an item's");
    out
}

/// What `seen` shows of entries made by `entry`.
pub fn expected(model: &BTreeMap<String, (u32, u32)>) -> BTreeMap<String, (String, Vec<Vec<f32>>)> {
    let entry = |&(seed, parts): &(u32, u32)| {
        (format!("question {seed}"), (0..parts).map(|i| vector(seed + i).into_inner()).collect())
    };
    model.iter().map(|(key, made)| (key.clone(), entry(made))).collect()
}
