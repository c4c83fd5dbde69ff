//! Faiss indexes beside sealed segments: opened at start, built at the end of a job, rebuilt when lost or damaged.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::progress::{Phase, Tracker};
use super::{Collection, LibraryError};
use crate::index::{self, About, Ann, Build, IndexError, Recipe};
use crate::store::Segment;

/// Chooses the rows that an index is trained on; fixed, so that a rebuilt index is the same.
const SEED: u64 = 1;

impl Collection {
    /// Attaches the index files that are there and whole. Returns how many sealed segments lack theirs.
    pub(super) fn open_indexes(&self) -> Result<usize, LibraryError> {
        let recipe = self.recipe()?;
        if recipe == Recipe::Flat || !index::faiss_usable() {
            return Ok(0);
        }
        let mut lacking = 0;
        for segment in self.snapshot().segments().filter(|s| s.sealed()) {
            let about = about(segment, recipe);
            match Ann::open(&self.index_path(&about), &about) {
                Ok(ann) => {
                    let ann = Arc::new(ann);
                    self.publish(|now| now.with_index(segment.id(), ann));
                }
                Err(e) => {
                    lacking += 1;
                    tracing::warn!("{}: index {recipe} is to be built again: {e}", self.name());
                }
            }
        }
        Ok(lacking)
    }

    /// Seals what has grown and builds the recipe's index beside every segment that lacks one; above a quarter dead rows
    /// it compacts first, so that no index is built over them.
    ///
    /// # Errors
    /// `recipe.too_few_rows` and what the building child reports; the collection is then searched flat.
    pub fn build_indexes(&self, tracker: &Tracker) -> Result<(), LibraryError> {
        if self.wants_compaction() {
            self.drop_dead_rows(tracker)?;
        }
        let recipe = self.recipe()?;
        if recipe == Recipe::Flat || !index::faiss_usable() {
            self.publish(|now| Some(now.without_indexes()));
            return Ok(());
        }
        let snapshot = self.snapshot();
        let mut refused = None;
        let mut built = 0;
        for segment in snapshot.segments() {
            // A young segment with too few rows stays flat and goes on growing.
            if let Err(e) = recipe.check(segment.dim(), segment.rows() as usize) {
                refused = Some(e);
                continue;
            }
            if !segment.sealed() {
                self.store().seal(segment.id())?;
            }
            self.build_index(segment, recipe, tracker)?;
            built += 1;
        }
        match refused {
            Some(e) if built == 0 => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn build_index(
        &self,
        segment: &Arc<Segment>,
        recipe: Recipe,
        tracker: &Tracker,
    ) -> Result<(), LibraryError> {
        let about = about(segment, recipe);
        let out = self.index_path(&about);
        if Ann::open(&out, &about).is_err() {
            tracker.begin(Phase::BuildingIndex, about.rows);
            if let Some(folder) = out.parent() {
                let io = |source| IndexError::Io { path: folder.to_owned(), done: "made", source };
                fs::create_dir_all(folder).map_err(io)?;
            }
            let build = Build {
                rows_file: segment.path().to_owned(),
                byte_offset: Segment::HEADER_BYTES,
                out: out.clone(),
                about: about.clone(),
                seed: SEED,
            };
            let told = |p: index::Progress| tracker.set(p.done, p.total);
            index::build_in_child(&self.shared.program, &build, told, tracker.cancel_flag())?;
        }
        let ann = Arc::new(Ann::open(&out, &about)?);
        self.publish(|now| now.with_index(segment.id(), ann));
        Ok(())
    }

    fn index_path(&self, about: &About) -> PathBuf {
        self.shared.cache.join("ann").join(about.file_name())
    }
}

fn about(segment: &Segment, recipe: Recipe) -> About {
    About { segment: segment.id().to_string(), recipe, rows: u64::from(segment.rows()), dim: segment.dim() }
}
