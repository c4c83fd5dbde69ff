//! Compaction of a collection: dead rows go, searches see the same items before, during and after.

use std::fs;
use std::sync::Arc;

use super::progress::{Phase, Tracker};
use super::{Collection, LibraryError};
use crate::store::{Compacted, Compaction, Field};

/// Fewer dead rows than this cost nothing worth a job's while; asked for by a person they go all the same.
const WORTH_IT: u64 = 256;

impl Collection {
    /// Whether so many rows are dead that a job should compact.
    pub(super) fn wants_compaction(&self) -> bool {
        [self.snapshot(), self.captions()].iter().any(|snapshot| {
            let waste = snapshot.waste();
            waste.much() && waste.dead >= WORTH_IT
        })
    }

    /// Takes dead rows out where they are above a quarter of a segment, and builds what index the new segments lack.
    /// Returns how many rows went.
    pub fn compact(&self, tracker: &Tracker) -> Result<u64, LibraryError> {
        let dropped = self.drop_dead_rows(tracker)?;
        if dropped > 0 {
            self.build_indexes(tracker)?;
        }
        Ok(dropped)
    }

    /// The same without the index.
    pub(super) fn drop_dead_rows(&self, tracker: &Tracker) -> Result<u64, LibraryError> {
        let _alone = self.compacting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tracker.begin(Phase::Compacting, 0);
        let mut dropped = 0;
        for field in Field::ALL {
            let Some(copies) = self.store().compact(self.id(), field)? else { continue };
            let Some(done) = self.install(copies, field)? else { continue };
            self.store().sweep();
            self.forget_indexes(&done);
            dropped += done.dropped;
        }
        if dropped > 0 {
            tracing::info!("{}: {dropped} dead rows are gone", self.name());
        }
        Ok(dropped)
    }

    fn install(&self, copies: Compaction, field: Field) -> Result<Option<Compacted>, LibraryError> {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        let done = self.store().install(copies)?;
        if let Some(done) = &done {
            let shown = self.shown(field);
            shown.store(Arc::new(shown.load().compacted(done)));
        }
        Ok(done)
    }

    /// Index files of segments that are gone; one that cannot go costs some space in the cache, no more.
    fn forget_indexes(&self, done: &Compacted) {
        let names: Vec<String> = done.gone.iter().map(|id| format!("{id}.")).collect();
        for entry in fs::read_dir(self.shared.cache.join("ann")).into_iter().flatten().flatten() {
            let file = entry.file_name();
            if names.iter().any(|name| file.to_string_lossy().starts_with(name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
