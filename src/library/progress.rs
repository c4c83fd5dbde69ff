//! How far a job is: counts that a page, a terminal and a test can read at any time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What a job is doing now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Waiting,
    /// Getting an encoder's files; `done` and `total` are bytes.
    GettingEncoder,
    LoadingEncoder,
    /// Listing files; `done` counts those seen.
    Listing,
    /// Reading, encoding, storing; `done` and `total` are items.
    Indexing,
    /// Copying live rows away from dead ones.
    Compacting,
    /// Training and filling a Faiss index.
    BuildingIndex,
    Finished,
}

/// A job's progress as one consistent picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    pub phase: Phase,
    pub done: u64,
    /// 0 while unknown.
    pub total: u64,
    pub rejected: u64,
    /// Items (or bytes) per second since the phase began; 0 while unknown.
    pub per_second: f64,
    /// Seconds left at that rate; absent while unknown, and of a job that has ended.
    pub seconds_left: Option<f64>,
}

/// Written by the job, read by everybody; also carries the wish to stop.
#[derive(Debug)]
pub struct Tracker {
    phase: Mutex<(Phase, Instant)>,
    done: AtomicU64,
    total: AtomicU64,
    rejected: AtomicU64,
    cancelled: AtomicBool,
    interrupted: AtomicBool,
}

impl Default for Tracker {
    fn default() -> Self {
        Self {
            phase: Mutex::new((Phase::Waiting, Instant::now())),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
        }
    }
}

impl Tracker {
    /// Begins a phase; counts start anew.
    pub fn begin(&self, phase: Phase, total: u64) {
        let mut now = self.phase.lock().expect("no holder of this lock panics");
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        *now = (phase, Instant::now());
    }

    pub fn advance(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
    }

    /// Sets both counts, for work that reports itself (a download).
    pub fn set(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    pub fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Stops the work because the program ends, so that it goes on when the program begins again.
    pub fn interrupt(&self) {
        // What a person had stopped stays stopped.
        if !self.cancelled.swap(true, Ordering::Relaxed) {
            self.interrupted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the wish to stop came with the program's end, not from a person.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    pub fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The flag itself, for code that only knows of flags.
    pub fn cancel_flag(&self) -> &AtomicBool {
        &self.cancelled
    }

    pub fn progress(&self) -> Progress {
        let (phase, since) = *self.phase.lock().expect("no holder of this lock panics");
        let done = self.done.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        let per_second = rate(done, since.elapsed());
        let left = total.saturating_sub(done);
        let seconds_left = (per_second > 0.0 && total > 0).then(|| left as f64 / per_second);
        let rejected = self.rejected.load(Ordering::Relaxed);
        Progress { phase, done, total, rejected, per_second, seconds_left }
    }
}

fn rate(done: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { done as f64 / seconds } else { 0.0 }
}
