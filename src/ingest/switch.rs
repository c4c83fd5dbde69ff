//! A collection, or its captions, get another encoder: all is encoded again from stored texts and originals, beside the use
//! of it, and the spaces swap when none lacks a vector. What is done is kept when the job is stopped.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::IngestError;
use super::{captions, plan};
use crate::encoder::{Embedding, EncoderError, Role};
use crate::files;
use crate::library::{
    Collection, JobError, Lane, Library, LibraryError, LoadedEncoder, Outcome, Phase, Tracker, Urgency,
    Wanted,
};
use crate::photo::{self, Crop};
use crate::store::{self, Body, ContentId, Field, Item, ItemId, JobId, NewJob, PartId, StoreError};
use crate::types::{Coded, CollectionName, EncoderName, ItemKey, Kind, Vector};

/// Parts encoded and committed together.
const BATCH: usize = 16;

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    pub collection: CollectionName,
    /// `None`: the one that a switch under way goes to, else the collection's own (an encoder that fits a table on the
    /// texts fits it anew).
    #[serde(default)]
    pub encoder: Option<EncoderName>,
    /// Take out what cannot be encoded again (a photo whose original is gone), rather than wait.
    #[serde(default)]
    pub drop_missing: bool,
    /// Its captions' encoder, rather than its own.
    #[serde(default)]
    pub captions: bool,
}

impl SwitchRequest {
    /// What is switched.
    pub fn field(&self) -> Field {
        if self.captions { Field::Captions } else { Field::Own }
    }
}

/// What became of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchReport {
    pub encoder: EncoderName,
    /// Parts that were encoded.
    pub encoded: u64,
    /// Items taken out because they could not be.
    pub dropped: u64,
    /// The collection is searched with the new encoder now.
    pub swapped: bool,
    /// What cannot be encoded again; unless it was dropped, the collection keeps its encoder until it is.
    pub missing: Vec<store::Reject>,
}

impl SwitchReport {
    fn new(encoder: EncoderName) -> Self {
        Self { encoder, encoded: 0, dropped: 0, swapped: false, missing: Vec::new() }
    }
}

/// How a switch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    pub report: SwitchReport,
    /// Stopped by wish, or given up; asked again it goes on.
    pub cancelled: bool,
}

/// Switches in the foreground.
///
/// # Errors
/// `switch.same`, `switch.other`, an encoder of the other modality, a recipe that it cannot have, and what stops encoder
/// or store. What is wrong with one item is in the report instead.
pub fn run(library: &Library, request: &SwitchRequest, tracker: &Tracker) -> Result<Switched, IngestError> {
    let collection = library.collection(&request.collection)?;
    let encoder = match target(library, &collection, request, tracker) {
        Err(IngestError::Library(LibraryError::Encoder(EncoderError::Pull { name, .. })))
            if tracker.cancelled() =>
        {
            return Ok(Switched { report: SwitchReport::new(name), cancelled: true });
        }
        other => other?,
    };
    let field = request.field();
    // Captions are scanned exactly, whatever the recipe.
    if field == Field::Own {
        let info = collection.info()?;
        info.recipe.check(encoder.about().dim(), usize::try_from(info.vectors).unwrap_or(usize::MAX))?;
    }
    collection.begin_switch(field, encoder.about())?;
    let report = SwitchReport::new(encoder.about().name().clone());
    let mut switch = Switch { library, collection, field, encoder, report, missing: BTreeMap::new() };
    let cancelled = switch.fill_and_swap(request.drop_missing, tracker)?;
    if switch.report.swapped && field == Field::Own {
        match switch.collection.build_indexes(tracker) {
            Err(_) if tracker.cancelled() => {}
            built => built?,
        }
    }
    Ok(Switched { report: switch.report, cancelled })
}

/// Switches as a job, beside imports.
///
/// # Errors
/// `collection.unknown`; all else ends the job.
pub fn start(library: &Arc<Library>, request: SwitchRequest) -> Result<JobId, IngestError> {
    let collection = library.collection(&request.collection)?;
    let under_way = collection.switching(request.field())?.map(|switch| switch.encoder);
    let record = collection.record()?;
    let title = request.encoder.clone().or(under_way).or(request.field().of(&record).0.cloned());
    let job = NewJob {
        kind: kind_of(request.field()).to_owned(),
        collection: Some(request.collection.clone()),
        title: title.map(String::from).unwrap_or_default(),
        params: serde_json::to_value(&request).unwrap_or_default(),
    };
    let worker = library.clone();
    Ok(library.jobs().start(Lane::Switch, &job, move |tracker| work(&worker, &request, tracker))?)
}

/// The kind of its jobs.
fn kind_of(field: Field) -> &'static str {
    match field {
        Field::Own => "switch",
        Field::Captions => "switch_captions",
    }
}

/// What the job does.
pub(super) fn work(library: &Library, request: &SwitchRequest, tracker: &Tracker) -> Outcome {
    match run(library, request, tracker) {
        Ok(Switched { report, cancelled }) => {
            let rejects = report.missing.clone();
            let report = serde_json::to_value(report).unwrap_or_default();
            if cancelled { Outcome::Cancelled { report, rejects } } else { Outcome::Done { report, rejects } }
        }
        Err(e) => Outcome::Failed(JobError::of(&e)),
    }
}

/// Goes on with the switches that another program left, where no job does.
pub fn resume(library: &Arc<Library>) {
    let jobs = library.jobs().list(200).unwrap_or_default();
    let busy = |name: &CollectionName, kind: &str| {
        jobs.iter().any(|j| j.kind == kind && j.collection.as_ref() == Some(name) && !j.state.ended())
    };
    for info in library.collections().unwrap_or_default() {
        for (under_way, field) in [(info.switching, Field::Own), (info.caption_switching, Field::Captions)] {
            if under_way.is_none() || busy(&info.name, kind_of(field)) {
                continue;
            }
            let (collection, captions) = (info.name.clone(), field == Field::Captions);
            let request = SwitchRequest { collection, encoder: None, drop_missing: false, captions };
            if let Err(e) = start(library, request) {
                tracing::warn!("a switch does not go on: {e}");
            }
        }
    }
}

/// The encoder that the switch goes to, as the collection will have it.
fn target(
    library: &Library,
    collection: &Collection,
    request: &SwitchRequest,
    tracker: &Tracker,
) -> Result<Arc<LoadedEncoder>, IngestError> {
    let field = request.field();
    let under_way = collection.switching(field)?.map(|switch| switch.encoder);
    if under_way.is_some() && (request.encoder.is_none() || request.encoder == under_way) {
        tracker.begin(Phase::LoadingEncoder, 0);
        return collection.next_encoder(field)?.ok_or_else(|| StoreError::NoSwitch.into());
    }
    if request.captions && collection.kind() == Kind::Faq {
        return Err(IngestError::CaptionsOfFaq);
    }
    let record = collection.record()?;
    let named = request.encoder.as_ref().or(field.of(&record).0);
    if named.is_none() {
        return Err(LibraryError::NoEncoderYet { collection: collection.name().clone() }.into());
    }
    // Captions are texts, as an FAQ's are.
    let kind = if request.captions { Kind::Faq } else { collection.kind() };
    let encoder = library.encoder_for(Wanted { kind, language: None, named }, tracker)?;
    if encoder.about().ngram_weights().is_none() {
        return Ok(encoder);
    }
    Ok(plan::fitted(library, encoder, &collection.texts()?))
}

struct Switch<'a> {
    library: &'a Library,
    collection: Arc<Collection>,
    field: Field,
    encoder: Arc<LoadedEncoder>,
    report: SwitchReport,
    /// Parts that cannot be encoded; of a batch that failed, each was tried alone.
    missing: BTreeMap<PartId, (ItemKey, store::Reject)>,
}

impl Switch<'_> {
    /// Whether it was stopped.
    fn fill_and_swap(&mut self, drop_missing: bool, tracker: &Tracker) -> Result<bool, IngestError> {
        tracker.begin(Phase::Indexing, self.collection.lacking_beside(self.field)?.len() as u64);
        loop {
            // Items may come and change meanwhile: asked anew until nothing is left.
            let mut lacking = self.collection.lacking_beside(self.field)?;
            lacking.retain(|part| !self.missing.contains_key(part));
            for parts in lacking.chunks(BATCH) {
                if tracker.cancelled() {
                    return Ok(true);
                }
                if !self.fill(parts, tracker)? {
                    return Ok(true);
                }
            }
            if lacking.is_empty() {
                match self.swap(drop_missing) {
                    Err(IngestError::Library(LibraryError::Store(StoreError::SwitchLacks { .. }))) => {}
                    Err(IngestError::Library(LibraryError::Store(StoreError::NoSwitch))) => return Ok(true),
                    other => return other.map(|()| false),
                }
            }
        }
    }

    fn swap(&mut self, drop_missing: bool) -> Result<(), IngestError> {
        let lacking: HashSet<PartId> = self.collection.lacking_beside(self.field)?.into_iter().collect();
        // Those that were deleted or replaced meanwhile are nobody's any more.
        self.missing.retain(|part, _| lacking.contains(part));
        self.report.missing = self.missing.values().map(|(_, reject)| reject.clone()).collect();
        if !self.missing.is_empty() {
            if !drop_missing {
                return Ok(());
            }
            let keys: HashSet<ItemKey> = self.missing.values().map(|(key, _)| key.clone()).collect();
            let keys: Vec<ItemKey> = keys.into_iter().collect();
            self.report.dropped += match self.field {
                Field::Own => self.collection.delete(&keys)?,
                Field::Captions => captions::forget(&self.collection, &keys)?,
            };
        }
        self.collection.swap(self.field)?;
        self.report.swapped = true;
        Ok(())
    }

    /// Encodes and commits some parts. False if the switch was given up meanwhile.
    fn fill(&mut self, parts: &[PartId], tracker: &Tracker) -> Result<bool, IngestError> {
        let ids: Vec<ItemId> =
            parts.iter().map(|part| part.item).collect::<HashSet<_>>().into_iter().collect();
        let items = self.collection.store().items(&ids)?;
        // An item that is gone lacks nothing any more.
        let wanted: Vec<(PartId, &Item)> = parts
            .iter()
            .filter_map(|&part| Some((part, items.iter().find(|item| item.id == part.item)?)))
            .collect();
        let vectors = match (self.field, self.collection.kind()) {
            (Field::Captions, _) | (_, Kind::Faq) => self.texts(&wanted, tracker)?,
            (Field::Own, Kind::Photos) => self.photos(&wanted, tracker)?,
        };
        match self.collection.fill_beside(self.field, &self.encoder, &vectors) {
            Err(LibraryError::Store(StoreError::NoSwitch)) => return Ok(false),
            filled => self.report.encoded += filled?,
        }
        tracker.advance(parts.len() as u64);
        Ok(true)
    }

    fn texts(
        &mut self,
        wanted: &[(PartId, &Item)],
        tracker: &Tracker,
    ) -> Result<Vec<(PartId, Vector)>, IngestError> {
        let texts: Vec<&str> = wanted.iter().map(|(part, item)| text_of(*part, item)).collect();
        let together = match self.encoder.texts(&texts, Role::Passage, Urgency::Bulk) {
            Err(EncoderError::EmptyText { .. }) => None,
            other => Some(other?),
        };
        if let Some(made) = together {
            return Ok(wanted.iter().zip(made).map(|((part, _), one)| (*part, one.vector)).collect());
        }
        let mut vectors = Vec::new();
        for ((part, item), text) in wanted.iter().zip(texts) {
            match self.encoder.texts(&[text], Role::Passage, Urgency::Bulk) {
                Ok(made) => vectors.extend(made.into_iter().map(|one| (*part, one.vector))),
                Err(e @ EncoderError::EmptyText { .. }) => self.miss(*part, item, &e, tracker),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(vectors)
    }

    fn photos(
        &mut self,
        wanted: &[(PartId, &Item)],
        tracker: &Tracker,
    ) -> Result<Vec<(PartId, Vector)>, IngestError> {
        let limits = self.library.photo_limits();
        let cut: Vec<Result<Crop, LibraryError>> =
            wanted.par_iter().map(|(_, item)| self.crop(item, &limits)).collect();
        let (mut parts, mut crops) = (Vec::new(), Vec::new());
        for ((part, item), cut) in wanted.iter().zip(cut) {
            match cut {
                Ok(crop) => {
                    parts.push(*part);
                    crops.push(crop);
                }
                Err(e) => self.miss(*part, item, &e, tracker),
            }
        }
        let made: Vec<Embedding> = self.encoder.crops(&crops, Urgency::Bulk)?;
        Ok(parts.into_iter().zip(made.into_iter().map(|one| one.vector)).collect())
    }

    /// The original as the new encoder looks at it, if it is still what was indexed.
    fn crop(&self, item: &Item, limits: &photo::Limits) -> Result<Crop, LibraryError> {
        let path = self.collection.photo_file(&item.key)?;
        let bytes = files::read(&path, limits.bytes)
            .map_err(|source| LibraryError::Original { path: path.display().to_string(), source })?;
        if item.content.is_some_and(|content| content != ContentId::of(&bytes)) {
            return Err(LibraryError::OriginalChanged { path: path.display().to_string() });
        }
        let preprocess = self.encoder.about().preprocess().expect("a photo encoder has its preprocessing");
        Ok(preprocess.apply(&photo::decode(&bytes, limits)?.pixels))
    }

    fn miss(&mut self, part: PartId, item: &Item, why: &dyn Coded, tracker: &Tracker) {
        tracker.reject();
        let reject = store::Reject {
            path: item.key.to_string(),
            code: why.code().to_owned(),
            reason: why.to_string(),
        };
        self.missing.insert(part, (item.key.clone(), reject));
    }
}

/// What a part says; the question of an entry is its first.
fn text_of(part: PartId, item: &Item) -> &str {
    let kept = item.parts.iter().find(|p| p.part == part.part).and_then(|p| p.text.as_deref());
    kept.unwrap_or(match &item.body {
        Body::Faq { question, .. } => question,
        Body::Photo { .. } => "",
    })
}
