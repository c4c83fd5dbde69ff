//! How long a backup, a second one, a restore and a deep check take.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::speed::{SCAN_DIM, SpeedError, filled};
use crate::config::Config;
use crate::index::Recipe;
use crate::library::{self, Library, LibraryError, NewCollection};
use crate::store::{self, Access, Batch, Body, NewItem, Place};
use crate::types::{ItemKey, Kind};

/// One uploaded photo for so many items, and its bytes.
const UPLOAD_EVERY: usize = 100;
const UPLOAD_BYTES: usize = 200_000;

/// The figures, in seconds and megabytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    pub items: usize,
    pub dim: usize,
    pub uploads: usize,
    pub megabytes: f64,
    pub backup_s: f64,
    /// Into the same folder, when one item has changed.
    pub second_backup_s: f64,
    pub restore_s: f64,
    pub deep_check_s: f64,
}

/// Measures with a folder of `items` vectors and a hundredth as many uploaded photos, below `folder`.
pub fn run(config: &Config, folder: &Path, items: usize) -> Result<Figures, SpeedError> {
    let mut config = config.clone();
    config.data = folder.join("data");
    let uploads = items / UPLOAD_EVERY;
    let mut figures = Figures { items, dim: SCAN_DIM, uploads, ..Figures::default() };
    let library = Library::open(config.clone(), Access::Write)?;
    let collection = filled(&library, items)?;
    upload(&library, uploads)?;

    let (to, back) = (folder.join("backup"), folder.join("restored"));
    let begin = Instant::now();
    let report = library::backup(&config.data, &to, true)?;
    figures.backup_s = begin.elapsed().as_secs_f64();
    figures.megabytes = report.bytes as f64 / 1e6;
    let key = ItemKey::try_from("000000".to_owned()).expect("digits are a key");
    collection.commit(&Batch { upserts: Vec::new(), deletes: vec![key] })?;
    let begin = Instant::now();
    library::backup(&config.data, &to, true)?;
    figures.second_backup_s = begin.elapsed().as_secs_f64();
    drop((library, collection));

    let begin = Instant::now();
    store::restore(&to, &back).map_err(LibraryError::from)?;
    figures.restore_s = begin.elapsed().as_secs_f64();
    config.data = back;
    let library = Library::open(config, Access::Read)?;
    let begin = Instant::now();
    let wrong = library.store().check().map_err(LibraryError::from)?;
    let (_, bad) = library.store().check_blobs().map_err(LibraryError::from)?;
    library.check_caches();
    figures.deep_check_s = begin.elapsed().as_secs_f64();
    assert!(wrong.is_empty() && bad.is_empty(), "what was restored is whole");
    Ok(figures)
}

/// Originals of photos that nobody has to decode.
fn upload(library: &Library, count: usize) -> Result<(), LibraryError> {
    let name = "uploads".parse().expect("a constant name");
    let new = NewCollection { name, kind: Kind::Photos, encoder: None, recipe: Recipe::Flat };
    let collection = library.create(&new)?;
    let mut upserts = Vec::new();
    for i in 0..count {
        let mut bytes = vec![0; UPLOAD_BYTES];
        // Different from each other, and nothing that packs.
        blake3::Hasher::new().update(&i.to_le_bytes()).finalize_xof().fill(&mut bytes);
        let blob = library.store().put_blob(&bytes)?;
        let (bytes, place) = (bytes.len() as u64, Place::Blob(blob));
        upserts.push(NewItem {
            key: ItemKey::try_from(format!("{i:06}.jpg")).expect("digits are a key"),
            root: None,
            body: Body::Photo { width: 1, height: 1, format: "jpeg".to_owned(), bytes, place },
            tags: Vec::new(),
            extra: serde_json::Map::new(),
            stamp: None,
            content: Some(blob),
            words: Vec::new(),
            parts: Vec::new(),
        });
    }
    collection.commit(&Batch { upserts, deletes: Vec::new() })?;
    Ok(())
}
