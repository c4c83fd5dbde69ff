//! What passes between simile and its child that builds an index: a request, how far it is, a last sentence.

use serde::{Deserialize, Serialize};

use super::About;

/// `simile build-index ROWS OUT`, with a request on stdin; for simile itself only.
pub const SUBCOMMAND: &str = "build-index";
/// Before the sentence that the parent passes on; Faiss writes to stderr too.
pub(super) const SAYS: &str = "build-index: ";
/// How unfinished files end.
pub(super) const PART: &str = ".part";

/// What the child reads as one line of JSON; the two paths go as arguments, since they may be no UTF-8.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub byte_offset: u64,
    pub about: About,
    pub seed: u64,
    pub threads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Train,
    Add,
    Write,
}

/// How far a build is; `done` of `total` rows within its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
}
