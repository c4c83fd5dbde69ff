//! The photo pipeline: read and decode on some threads, encode in batches on one, commit; every queue has a bound.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::error::IngestError;
use super::plan::{self, Plan};
use super::{Reject, Report};
use crate::library::{Collection, Library, LoadedEncoder, Phase, Tracker, Urgency, keywords};
use crate::meter::{self, Stage};
use crate::photo::{self, Crop, PhotoError, Preprocess};
use crate::store::{Batch, Body, ContentId, InSpace, NewItem, NewPart, Place, RootId, Stamp};
use crate::types::{Coded, ItemKey};

/// Committed at least every so many items, and at least once in so long a time.
const BATCH: usize = 16;
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// A picture file that is to be read.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub key: ItemKey,
    pub path: PathBuf,
    pub stamp: Stamp,
    /// The content that the store has under this key.
    pub known: Option<ContentId>,
    /// There is an item of this key.
    pub there: bool,
}

/// A photo that is ready to be encoded.
pub struct Prepared {
    pub crop: Crop,
    pub width: u32,
    pub height: u32,
    pub format: String,
    pub bytes: u64,
    pub content: ContentId,
}

/// Bytes to what the encoder and the item need; the thumbnail is kept on the way.
pub fn prepare(
    collection: &Collection,
    bytes: &[u8],
    limits: &photo::Limits,
    preprocess: &Preprocess,
) -> Result<Prepared, PhotoError> {
    let photo = meter::time(Stage::Decode, || photo::decode(bytes, limits))?;
    let content = ContentId::of(bytes);
    collection.make_thumbnail(&content, &photo.pixels);
    Ok(Prepared {
        crop: preprocess.apply(&photo.pixels),
        width: photo.pixels.width(),
        height: photo.pixels.height(),
        format: photo.format.name().to_owned(),
        bytes: bytes.len() as u64,
        content,
    })
}

/// The item of a prepared photo and its vector.
pub fn item(
    key: ItemKey,
    root: RootId,
    prepared: &Prepared,
    vectors: Vec<InSpace>,
    place: Place,
    stamp: Option<Stamp>,
    tags: Vec<String>,
) -> NewItem {
    NewItem {
        words: keywords(&key, &tags),
        key,
        root: Some(root),
        body: Body::Photo {
            width: prepared.width,
            height: prepared.height,
            format: prepared.format.clone(),
            bytes: prepared.bytes,
            place,
        },
        tags,
        extra: serde_json::Map::new(),
        stamp,
        content: Some(prepared.content),
        parts: vec![NewPart { text: None, vectors }],
    }
}

enum Read {
    Ready(Candidate, Prepared),
    /// Same content under a new stamp.
    Same(Candidate),
    Bad(Reject),
}

/// Takes all candidates in; counts go to the report. Returns whether it was stopped by wish.
pub fn take(
    library: &Library,
    plan: &Plan,
    candidates: Vec<Candidate>,
    report: &mut Report,
    tracker: &Tracker,
) -> Result<bool, IngestError> {
    if candidates.is_empty() {
        return Ok(tracker.cancelled());
    }
    let encoder = plan::encoder_for(library, &plan.collection, plan.named.as_ref(), None, tracker)?;
    check_recipe(plan, candidates.len(), &encoder)?;
    tracker.begin(Phase::Indexing, candidates.len() as u64);
    let workers = thread::available_parallelism().map_or(1, |n| n.get()).div_ceil(2);
    let (ready, decoded) = bounded::<Read>(workers + BATCH);
    let waiting = Mutex::new(candidates.into_iter());
    let preprocess = encoder.about().preprocess().expect("a photo encoder has its preprocessing").clone();
    let limits = library.photo_limits();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (ready, waiting, preprocess, limits) = (ready.clone(), &waiting, &preprocess, &limits);
            scope.spawn(move || read_all(plan, waiting, &ready, preprocess, limits, tracker));
        }
        drop(ready);
        // Gone after an error, so that no reader waits for room in it.
        encode_all(plan, &encoder, decoded, report, tracker)
    })?;
    Ok(tracker.cancelled())
}

/// A recipe that cannot be is told before hours of encoding, not after.
fn check_recipe(plan: &Plan, coming: usize, encoder: &LoadedEncoder) -> Result<(), IngestError> {
    let there = plan.collection.snapshot().rows();
    Ok(plan.collection.recipe()?.check(encoder.about().dim(), there + coming).map(drop)?)
}

fn read_all(
    plan: &Plan,
    waiting: &Mutex<std::vec::IntoIter<Candidate>>,
    ready: &Sender<Read>,
    preprocess: &Preprocess,
    limits: &photo::Limits,
    tracker: &Tracker,
) {
    while !tracker.cancelled() {
        let next = waiting.lock().expect("no holder of this lock panics").next();
        let Some(candidate) = next else { return };
        // The other side is gone only after an error that ends the import.
        if ready.send(read_one(plan, candidate, preprocess, limits)).is_err() {
            return;
        }
    }
}

fn read_one(plan: &Plan, candidate: Candidate, preprocess: &Preprocess, limits: &photo::Limits) -> Read {
    let reject = |code: &str, reason: String| {
        Read::Bad(Reject { path: candidate.key.to_string(), code: code.to_owned(), reason })
    };
    if let Err(e) = limits.check_bytes(candidate.stamp.size) {
        return reject(e.code(), e.to_string());
    }
    let bytes = match fs::read(&candidate.path) {
        Ok(bytes) => bytes,
        Err(e) => return reject("path.unreadable", format!("{e}; check its permissions")),
    };
    if candidate.known.as_ref() == Some(&ContentId::of(&bytes)) {
        return Read::Same(candidate);
    }
    match prepare(&plan.collection, &bytes, limits, preprocess) {
        Ok(prepared) => Read::Ready(candidate, prepared),
        Err(e) => reject(e.code(), e.to_string()),
    }
}

fn encode_all(
    plan: &Plan,
    encoder: &LoadedEncoder,
    decoded: Receiver<Read>,
    report: &mut Report,
    tracker: &Tracker,
) -> Result<(), IngestError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut same = Vec::new();
    let mut since = Instant::now();
    loop {
        let patience = AT_LEAST_EVERY.saturating_sub(since.elapsed());
        let (flush, end) = match decoded.recv_timeout(patience) {
            Ok(Read::Ready(candidate, prepared)) => {
                batch.push((candidate, prepared));
                (batch.len() >= BATCH, false)
            }
            Ok(Read::Same(candidate)) => {
                same.push((candidate.key, candidate.stamp));
                report.unchanged += 1;
                tracker.advance(1);
                (false, false)
            }
            Ok(Read::Bad(reject)) => {
                report.rejected.push(reject);
                tracker.reject();
                tracker.advance(1);
                (false, false)
            }
            Err(RecvTimeoutError::Timeout) => (true, false),
            Err(RecvTimeoutError::Disconnected) => (true, true),
        };
        if flush || since.elapsed() >= AT_LEAST_EVERY {
            let taken = std::mem::take(&mut batch);
            encode_batch(plan, encoder, taken, report, tracker)?;
            if !same.is_empty() {
                plan.collection.store().restamp(plan.collection.id(), &std::mem::take(&mut same))?;
            }
            since = Instant::now();
        }
        if end {
            return Ok(());
        }
    }
}

fn encode_batch(
    plan: &Plan,
    encoder: &LoadedEncoder,
    batch: Vec<(Candidate, Prepared)>,
    report: &mut Report,
    tracker: &Tracker,
) -> Result<(), IngestError> {
    if batch.is_empty() {
        return Ok(());
    }
    let crops: Vec<Crop> = batch.iter().map(|(_, prepared)| prepared.crop.clone()).collect();
    let embeddings = encoder.crops(&crops, Urgency::Bulk)?;
    let mut upserts = Vec::with_capacity(batch.len());
    for ((candidate, prepared), embedding) in batch.into_iter().zip(embeddings) {
        if candidate.there {
            report.replaced += 1;
        } else {
            report.indexed += 1;
        }
        let place = Place::File { path: candidate.path };
        let stamp = Some(candidate.stamp);
        upserts.push(item(
            candidate.key,
            plan.root.id,
            &prepared,
            vec![encoder.placed(embedding)],
            place,
            stamp,
            Vec::new(),
        ));
    }
    let count = upserts.len() as u64;
    plan.collection.commit(&Batch { upserts, deletes: Vec::new() })?;
    tracker.advance(count);
    Ok(())
}
