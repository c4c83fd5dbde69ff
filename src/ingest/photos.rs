//! The photo pipeline: read and decode on some threads, encode in batches on one, commit; every queue has a bound.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::error::IngestError;
use super::plan::{self, First, Plan};
use super::{Reject, Report};
use crate::files;
use crate::library::{
    Collection, Crops, Encoding, Library, LoadedEncoder, Phase, Tracker, Urgency, keywords,
};
use crate::meter::{self, Stage};
use crate::photo::{self, PhotoError};
use crate::store::{Batch, Body, ContentId, InSpace, NewItem, NewPart, Place, RootId, Stamp};
use crate::types::{Coded, ItemKey};

/// Committed at least every so many items, and at least once in so long a time.
const BATCH: usize = 16;
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// A picture file that is to be read.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub root: RootId,
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
    pub crops: Crops,
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
    encoding: &Encoding,
) -> Result<Prepared, PhotoError> {
    let photo = meter::time(Stage::Decode, || photo::decode(bytes, limits))?;
    let content = ContentId::of(bytes);
    collection.make_thumbnail(&content, &photo.pixels);
    Ok(Prepared {
        crops: encoding.cut(&photo.pixels),
        width: photo.pixels.width(),
        height: photo.pixels.height(),
        format: photo.format.name().to_owned(),
        bytes: bytes.len() as u64,
        content,
    })
}

/// The item of a prepared photo and its vector. The store hands on the caption that a photo of the same key had; here are
/// its words.
#[allow(clippy::too_many_arguments)]
pub fn item(
    key: ItemKey,
    root: RootId,
    prepared: &Prepared,
    vectors: Vec<InSpace>,
    place: Place,
    stamp: Option<Stamp>,
    tags: Vec<String>,
    caption: Option<&str>,
) -> NewItem {
    NewItem {
        words: keywords(&key, &tags, caption),
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
    let encoder = plan::encoder_for(
        library,
        &plan.collection,
        First { named: plan.named.as_ref(), ..First::default() },
        tracker,
    )?;
    check_recipe(plan, candidates.len(), &encoder)?;
    tracker.begin(Phase::Indexing, candidates.len() as u64);
    let workers = thread::available_parallelism().map_or(1, |n| n.get()).div_ceil(2);
    let (ready, decoded) = bounded::<Read>(workers + BATCH);
    let waiting = Mutex::new(candidates.into_iter());
    let source =
        Reader { plan, limits: library.photo_limits(), encoding: Mutex::new(plan.collection.encoding()?) };
    thread::scope(|scope| {
        for _ in 0..workers {
            let (ready, waiting, source) = (ready.clone(), &waiting, &source);
            scope.spawn(move || source.read_all(waiting, &ready, tracker));
        }
        drop(ready);
        // Gone after an error, so that no reader waits for room in it.
        encode_all(&source, decoded, report, tracker)
    })?;
    Ok(tracker.cancelled())
}

/// A recipe that cannot be is told before hours of encoding, not after.
fn check_recipe(plan: &Plan, coming: usize, encoder: &LoadedEncoder) -> Result<(), IngestError> {
    let there = plan.collection.snapshot().rows();
    Ok(plan.collection.recipe()?.check(encoder.about().dim(), there + coming).map(drop)?)
}

/// Reads pictures as the encoders of now look at them.
struct Reader<'a> {
    plan: &'a Plan,
    limits: photo::Limits,
    /// As of the last batch: a switch may begin or end meanwhile.
    encoding: Mutex<Encoding>,
}

impl Reader<'_> {
    fn read_all(
        &self,
        waiting: &Mutex<std::vec::IntoIter<Candidate>>,
        ready: &Sender<Read>,
        tracker: &Tracker,
    ) {
        while !tracker.cancelled() {
            let next = waiting.lock().expect("no holder of this lock panics").next();
            let Some(candidate) = next else { return };
            // The other side is gone only after an error that ends the import.
            if ready.send(self.read_one(candidate)).is_err() {
                return;
            }
        }
    }

    fn read_one(&self, candidate: Candidate) -> Read {
        let reject = |code: &str, reason: String| {
            Read::Bad(Reject { path: candidate.key.to_string(), code: code.to_owned(), reason })
        };
        if let Err(e) = self.limits.check_bytes(candidate.stamp.size) {
            return reject(e.code(), e.to_string());
        }
        let bytes = match files::read(&candidate.path, self.limits.bytes) {
            Ok(bytes) => bytes,
            // It was a file when the folder was listed.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                return reject("path.special", format!("{e}; only files are read"));
            }
            Err(e) => return reject("path.unreadable", format!("{e}; check its permissions")),
        };
        if candidate.known.as_ref() == Some(&ContentId::of(&bytes)) {
            return Read::Same(candidate);
        }
        let encoding = self.encoding.lock().expect("no holder of this lock panics").clone();
        match prepare(&self.plan.collection, &bytes, &self.limits, &encoding) {
            Ok(prepared) => Read::Ready(candidate, prepared),
            Err(e) => reject(e.code(), e.to_string()),
        }
    }

    /// The encoders of now, for this batch and for the photos that are read next.
    fn renew(&self) -> Result<Encoding, IngestError> {
        let encoding = self.plan.collection.encoding()?;
        *self.encoding.lock().expect("no holder of this lock panics") = encoding.clone();
        Ok(encoding)
    }
}

fn encode_all(
    source: &Reader<'_>,
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
            let mut taken = std::mem::take(&mut batch);
            plan::settle(|| encode_batch(source, &mut taken, report, tracker))?;
            if !same.is_empty() {
                let collection = &source.plan.collection;
                collection.store().restamp(collection.id(), &std::mem::take(&mut same))?;
            }
            since = Instant::now();
        }
        if end {
            return Ok(());
        }
    }
}

fn encode_batch(
    source: &Reader<'_>,
    batch: &mut Vec<(Candidate, Prepared)>,
    report: &mut Report,
    tracker: &Tracker,
) -> Result<(), IngestError> {
    if batch.is_empty() {
        return Ok(());
    }
    let encoding = source.renew()?;
    cut_again(source, &encoding, batch, report, tracker);
    let crops: Vec<&Crops> = batch.iter().map(|(_, prepared)| &prepared.crops).collect();
    let vectors = encoding.photos(&crops, Urgency::Bulk)?;
    let collection = &source.plan.collection;
    let mut upserts = Vec::with_capacity(batch.len());
    for ((candidate, prepared), vectors) in batch.iter().zip(vectors) {
        // What was told of a photo stays when its file changes.
        let before = match candidate.there {
            true => collection.store().item(collection.id(), &candidate.key)?,
            false => None,
        };
        let (tags, caption) = before.as_ref().map(|b| (b.tags.clone(), b.caption())).unwrap_or_default();
        let place = Place::File { path: candidate.path.clone() };
        let (key, root, stamp) = (candidate.key.clone(), candidate.root, Some(candidate.stamp));
        upserts.push(item(key, root, prepared, vectors, place, stamp, tags, caption));
    }
    collection.commit(&Batch { upserts, deletes: Vec::new() })?;
    let replaced = batch.iter().filter(|(candidate, _)| candidate.there).count() as u64;
    report.replaced += replaced;
    report.indexed += batch.len() as u64 - replaced;
    tracker.advance(batch.len() as u64);
    Ok(())
}

/// Photos that were cut for an encoder which the collection has left are read once more.
fn cut_again(
    source: &Reader<'_>,
    encoding: &Encoding,
    batch: &mut Vec<(Candidate, Prepared)>,
    report: &mut Report,
    tracker: &Tracker,
) {
    if batch.iter().all(|(_, prepared)| encoding.fits(&prepared.crops)) {
        return;
    }
    for (candidate, prepared) in std::mem::take(batch) {
        if encoding.fits(&prepared.crops) {
            batch.push((candidate, prepared));
            continue;
        }
        match source.read_one(candidate) {
            Read::Ready(candidate, prepared) => batch.push((candidate, prepared)),
            Read::Bad(reject) => {
                report.rejected.push(reject);
                tracker.reject();
                tracker.advance(1);
            }
            // Its content was another a moment ago, so it is a new one again.
            Read::Same(_) => {
                report.unchanged += 1;
                tracker.advance(1);
            }
        }
    }
}
