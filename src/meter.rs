//! How long the stages of the work take, by the names that `/metrics` tells. Nothing is kept until a server installs a
//! recorder. Knows nothing of what the work is.

use std::time::Instant;

/// Seconds that a stage took, by `stage`.
pub const STAGE_SECONDS: &str = "simile_stage_seconds";

/// A stage of a search or of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Bytes of a picture to pixels.
    Decode,
    /// A person's question to a vector, the wait for the encoder left out.
    Encode,
    /// A batch of an import to vectors.
    EncodeBulk,
    /// A vector to the rows nearest to it.
    Search,
    /// Rows to items.
    Items,
    /// A batch to disk.
    Commit,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::EncodeBulk => "encode_bulk",
            Self::Search => "search",
            Self::Items => "items",
            Self::Commit => "commit",
        }
    }
}

/// Runs `work` and notes how long it took.
pub fn time<T>(stage: Stage, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    metrics::histogram!(STAGE_SECONDS, "stage" => stage.as_str()).record(begin.elapsed().as_secs_f64());
    done
}
