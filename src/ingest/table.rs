//! An FAQ table's rows become entries; a table imported again replaces what it brought before.

use std::collections::{HashMap, HashSet};

use super::error::IngestError;
use super::plan::{self, First, Plan};
use super::{Done, Reject, Report};
use crate::files;
use crate::library::{Collection, Library, Phase, Tracker, Urgency};
use crate::store::{Batch, Body, ContentId, InSpace, NewItem, NewPart, RootId, RootRecord};
use crate::text::table::{FaqRow, Format, Table, read_faq};
use crate::text::{self, Language};
use crate::types::ItemKey;

/// Entries encoded and committed together.
const BATCH: usize = 16;
/// Bytes of a table; it is read whole.
const LARGEST: u64 = 1 << 30;

/// Imports a table file of this machine.
pub fn import(library: &Library, plan: &Plan, tracker: &Tracker) -> Result<Done, IngestError> {
    tracker.begin(Phase::Listing, 0);
    let path = plan.source.path();
    let bytes = files::read(path, LARGEST).map_err(|source| IngestError::path(path, source))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let import =
        TableImport { library, collection: &plan.collection, root: &plan.root, named: plan.named.as_ref() };
    import.run(&bytes, &name, tracker)
}

/// A table's bytes on their way into a collection.
pub struct TableImport<'a> {
    pub library: &'a Library,
    pub collection: &'a Collection,
    pub root: &'a RootRecord,
    pub named: Option<&'a crate::types::EncoderName>,
}

impl TableImport<'_> {
    /// # Errors
    /// What is wrong with the table as a whole, `key.collides`, and what stops encoder or store.
    pub fn run(&self, bytes: &[u8], name: &str, tracker: &Tracker) -> Result<Done, IngestError> {
        let format = Format::of(name).unwrap_or(Format::Csv);
        let table = read_faq(bytes, format, name)
            .map_err(|source| IngestError::Table { path: name.to_owned(), source })?;
        let mut report = Report { rejected: rejects(&table, name), ..Report::default() };
        report.rejected.iter().for_each(|_| tracker.reject());
        let language = Some(text::language_needed(table.rows.iter().map(|row| row.question.as_str())));
        let entries = self.entries(table)?;
        plan::refuse_collisions(self.collection, self.root, entries.iter().map(|(key, _)| key))?;
        let known = self.collection.store().stamps(self.collection.id(), self.root.id)?;
        let gone = no_longer_there(&entries, known.keys());
        let known: HashMap<ItemKey, Option<ContentId>> =
            known.into_iter().map(|(key, (_, content))| (key, content)).collect();
        let total = entries.len();
        let changed: Vec<_> = entries
            .into_iter()
            .filter(|(key, row)| known.get(key).is_none_or(|before| *before != Some(content(row))))
            .collect();
        report.unchanged = (total - changed.len()) as u64;
        let cancelled = self.take(&changed, &known, language, &mut report, tracker)?;
        if !cancelled && !gone.is_empty() {
            report.removed = self.collection.delete(&gone)?;
        }
        Ok(Done { report, cancelled })
    }

    fn entries(&self, table: Table) -> Result<Vec<(ItemKey, FaqRow)>, IngestError> {
        let prefix = self.root.prefix.as_deref();
        table
            .rows
            .into_iter()
            .map(|row| Ok((super::key::with_prefix(prefix, row.key().as_str())?, row)))
            .collect()
    }

    fn take(
        &self,
        changed: &[(ItemKey, FaqRow)],
        known: &HashMap<ItemKey, Option<ContentId>>,
        language: Option<Language>,
        report: &mut Report,
        tracker: &Tracker,
    ) -> Result<bool, IngestError> {
        if changed.is_empty() {
            return Ok(tracker.cancelled());
        }
        let texts: Vec<&str> = changed.iter().flat_map(|(_, row)| texts(row)).collect();
        let first = First { named: self.named, language, texts: &texts };
        let encoder = plan::encoder_for(self.library, self.collection, first, tracker)?;
        let rows = texts.len();
        let there = self.collection.snapshot().rows();
        self.collection.recipe()?.check(encoder.about().dim(), there + rows)?;
        tracker.begin(Phase::Indexing, changed.len() as u64);
        for batch in changed.chunks(BATCH) {
            if tracker.cancelled() {
                return Ok(true);
            }
            plan::settle(|| self.take_batch(batch))?;
            for (key, _) in batch {
                if known.contains_key(key) {
                    report.replaced += 1;
                } else {
                    report.indexed += 1;
                }
            }
            tracker.advance(batch.len() as u64);
        }
        Ok(false)
    }

    fn take_batch(&self, batch: &[(ItemKey, FaqRow)]) -> Result<(), IngestError> {
        let texts: Vec<&str> = batch.iter().flat_map(|(_, row)| texts(row)).collect();
        let mut vectors = self.collection.encoding()?.texts(&texts, Urgency::Bulk)?.into_iter();
        let upserts =
            batch.iter().map(|(key, row)| item(key.clone(), self.root.id, row, &mut vectors)).collect();
        self.collection.commit(&Batch { upserts, deletes: Vec::new() })?;
        Ok(())
    }
}

/// The question and its further wordings: what is encoded, in the order of the parts.
pub fn texts(row: &FaqRow) -> impl Iterator<Item = &str> {
    std::iter::once(row.question.as_str()).chain(row.wordings.iter().map(String::as_str))
}

/// Equal for rows that would make equal items.
pub fn content(row: &FaqRow) -> ContentId {
    let parts = (&row.question, &row.answer, &row.language, &row.tags, &row.wordings, &row.extra);
    ContentId::of(&serde_json::to_vec(&parts).expect("texts have a JSON form"))
}

/// The item of an entry; takes the vectors of each of its texts.
pub fn item(
    key: ItemKey,
    root: RootId,
    row: &FaqRow,
    vectors: &mut impl Iterator<Item = Vec<InSpace>>,
) -> NewItem {
    let part =
        |text: &str| NewPart { text: Some(text.to_owned()), vectors: vectors.next().unwrap_or_default() };
    let parts = texts(row).map(part).collect();
    let mut words = text::words(&row.question);
    words.extend(row.tags.iter().flat_map(|tag| text::words(tag)));
    NewItem {
        key,
        root: Some(root),
        body: Body::Faq {
            question: row.question.clone(),
            answer: row.answer.clone(),
            language: row
                .language
                .clone()
                .unwrap_or_else(|| text::language(&row.question).as_str().to_owned()),
        },
        tags: row.tags.clone(),
        extra: row.extra.clone(),
        stamp: None,
        content: Some(content(row)),
        words,
        parts,
    }
}

fn rejects(table: &Table, name: &str) -> Vec<Reject> {
    let reject = |e: &crate::text::table::LineError| Reject {
        path: format!("{name}:{}", e.line),
        code: e.code.to_owned(),
        reason: e.reason.clone(),
    };
    table.rejects.iter().map(reject).collect()
}

fn no_longer_there<'a>(
    entries: &[(ItemKey, FaqRow)],
    known: impl Iterator<Item = &'a ItemKey>,
) -> Vec<ItemKey> {
    let now: HashSet<&ItemKey> = entries.iter().map(|(key, _)| key).collect();
    let mut gone: Vec<ItemKey> = known.filter(|key| !now.contains(key)).cloned().collect();
    gone.sort();
    gone
}
