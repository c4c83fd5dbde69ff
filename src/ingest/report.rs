//! What became of an import: counts, and every reject with its reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The one line that `simile index` ends with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// New items.
    pub indexed: u64,
    /// Items already there and the same.
    pub unchanged: u64,
    /// Items whose content changed.
    pub replaced: u64,
    /// Items taken out: pruned, or no longer in their table.
    pub removed: u64,
    /// Items whose file is gone and that are kept (without `--prune`).
    pub vanished: u64,
    /// Photos whose caption, tags or date came or changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub captioned: u64,
    /// Files that are no pictures, all kinds.
    pub skipped: u64,
    /// Of those skipped: HEIC, RAW and video by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped_kinds: BTreeMap<String, u64>,
    pub rejected: Vec<Reject>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One item that could not be taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reject {
    /// The item's key, or the table's line as `file.csv:12`.
    pub path: String,
    pub code: String,
    pub reason: String,
}

impl Report {
    /// Counts another report's items in.
    pub fn add(&mut self, other: &Self) {
        self.indexed += other.indexed;
        self.unchanged += other.unchanged;
        self.replaced += other.replaced;
        self.removed += other.removed;
        self.vanished += other.vanished;
        self.captioned += other.captioned;
        self.skipped += other.skipped;
        for (kind, count) in &other.skipped_kinds {
            *self.skipped_kinds.entry(kind.clone()).or_default() += count;
        }
        self.rejected.extend(other.rejected.iter().cloned());
    }
}
