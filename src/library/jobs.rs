//! Long work: a line of jobs, one running at a time per lane, each with progress, a wish to stop and a report on disk.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LibraryError;
use super::progress::{Progress, Tracker};
use crate::store::{self, JobId, JobRecord, JobState, NewJob, Store};
use crate::types::{Coded, CollectionName, Fault};

/// A job as pages, API and terminal show it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobView {
    pub id: i64,
    /// `index`, `upload`, `pull`, `rebuild`, `switch`, `switch_captions` or `compact`.
    pub kind: String,
    pub collection: Option<CollectionName>,
    /// What it works on: a folder, a file, an encoder.
    pub title: String,
    pub state: JobState,
    pub progress: Progress,
    /// The report of a job that ended well.
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
    pub error: Option<JobError>,
    pub rejects: u64,
    /// Unix milliseconds.
    pub created: i64,
    pub started: Option<i64>,
    pub ended: Option<i64>,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobError {
    pub code: String,
    pub message: String,
    /// What a caller does about it; internal for jobs of older versions.
    #[serde(default)]
    pub fault: Fault,
    /// What it happened to: a path, a key, a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub item: Option<String>,
}

impl JobError {
    pub fn of(error: &dyn Coded) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            fault: error.fault(),
            item: error.item(),
        }
    }
}

/// How a job's work ended.
pub enum Outcome {
    Done {
        report: Value,
        rejects: Vec<store::Reject>,
    },
    /// Stopped by wish; what was committed stays.
    Cancelled {
        report: Value,
        rejects: Vec<store::Reject>,
    },
    Failed(JobError),
}

/// What jobs of one lane do one after the other; lanes run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    Index,
    Pull,
    Switch,
}

type Work = Box<dyn FnOnce(&Tracker) -> Outcome + Send>;

/// A job that waits for its turn.
type InLine = (JobId, Arc<Tracker>, Work);

/// The job table and what runs of it.
pub struct Jobs {
    store: Arc<Store>,
    live: Arc<Mutex<HashMap<JobId, Arc<Tracker>>>>,
    /// Those in line whose turn has not come. Who takes a job out of here runs it, or ends it.
    waiting: Arc<Mutex<HashSet<JobId>>>,
    lanes: Mutex<HashMap<Lane, Sender<InLine>>>,
    /// The program ends: what is in line waits for its next begin.
    stopping: Arc<AtomicBool>,
}

impl Jobs {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            live: Arc::default(),
            waiting: Arc::default(),
            lanes: Mutex::default(),
            stopping: Arc::default(),
        }
    }

    /// Puts work in line and returns at once.
    pub fn start(
        &self,
        lane: Lane,
        job: &NewJob,
        work: impl FnOnce(&Tracker) -> Outcome + Send + 'static,
    ) -> Result<JobId, LibraryError> {
        let (id, tracker) = self.register(job)?;
        self.line_up(lane, id, tracker, Box::new(work));
        Ok(id)
    }

    /// Puts a job in line again that was interrupted; it begins with an empty report.
    pub fn again(
        &self,
        lane: Lane,
        id: JobId,
        work: impl FnOnce(&Tracker) -> Outcome + Send + 'static,
    ) -> Result<(), LibraryError> {
        self.store.requeue_job(id)?;
        let tracker = self.track(id);
        self.line_up(lane, id, tracker, Box::new(work));
        Ok(())
    }

    /// Those of the newest `look_back` jobs that were interrupted, the newest first.
    pub fn interrupted(&self, look_back: usize) -> Result<Vec<JobRecord>, LibraryError> {
        let mut jobs = self.store.jobs(look_back)?;
        jobs.retain(|job| job.state == JobState::Interrupted);
        Ok(jobs)
    }

    /// Notes that a job is tried again, and says the how-manieth time in a row that is. An orderly end forgets it.
    pub fn note_try(&self, id: JobId) -> Result<u32, LibraryError> {
        Ok(self.store.note_try(id)?)
    }

    fn line_up(&self, lane: Lane, id: JobId, tracker: Arc<Tracker>, work: Work) {
        self.waiting.lock().expect("no holder of this lock panics").insert(id);
        let mut lanes = self.lanes.lock().expect("no holder of this lock panics");
        let line = lanes.entry(lane).or_insert_with(|| self.open_lane());
        // The lane's thread lives as long as this table, so the send cannot fail.
        let _ = line.send((id, tracker, work));
    }

    /// A job whose work arrives from outside (an upload): running from now until [`Self::end`].
    pub fn begin(&self, job: &NewJob) -> Result<(JobId, Arc<Tracker>), LibraryError> {
        let (id, tracker) = self.register(job)?;
        self.store.update_job(id, JobState::Running, &Value::Null)?;
        Ok((id, tracker))
    }

    /// Ends a job that was begun from outside.
    pub fn end(&self, id: JobId, outcome: Outcome) -> Result<(), LibraryError> {
        let tracker = self.live.lock().expect("no holder of this lock panics").remove(&id);
        record_end(&self.store, id, tracker.as_deref(), outcome)
    }

    fn register(&self, job: &NewJob) -> Result<(JobId, Arc<Tracker>), LibraryError> {
        let id = self.store.create_job(job)?;
        Ok((id, self.track(id)))
    }

    fn track(&self, id: JobId) -> Arc<Tracker> {
        let tracker = Arc::new(Tracker::default());
        self.live.lock().expect("no holder of this lock panics").insert(id, tracker.clone());
        tracker
    }

    fn open_lane(&self) -> Sender<InLine> {
        let (line, waiting) = mpsc::channel::<InLine>();
        let (store, live, turn) = (self.store.clone(), self.live.clone(), self.waiting.clone());
        let stopping = self.stopping.clone();
        thread::spawn(move || {
            for (id, tracker, work) in waiting {
                if !turn.lock().expect("no holder of this lock panics").remove(&id) {
                    continue;
                }
                if stopping.load(Ordering::SeqCst) {
                    tracker.interrupt();
                }
                run_one(&store, id, &tracker, work);
                live.lock().expect("no holder of this lock panics").remove(&id);
            }
        });
        line
    }

    /// The newest jobs first.
    pub fn list(&self, limit: usize) -> Result<Vec<JobView>, LibraryError> {
        Ok(self.store.jobs(limit)?.into_iter().map(|record| self.view(record)).collect())
    }

    pub fn get(&self, id: JobId) -> Result<JobView, LibraryError> {
        let record = self.store.job(id)?.ok_or(LibraryError::UnknownJob(id.0))?;
        Ok(self.view(record))
    }

    pub fn rejects(
        &self,
        id: JobId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<store::Reject>, LibraryError> {
        self.get(id)?;
        Ok(self.store.rejects(id, offset, limit)?)
    }

    /// Asks a job to stop; what it has committed stays. Asking one that has ended changes nothing.
    pub fn cancel(&self, id: JobId) -> Result<(), LibraryError> {
        self.get(id)?;
        if let Some(tracker) = self.tracker(id) {
            tracker.cancel();
        }
        // One that waits in line ends at once: it has nothing to bring to an end.
        if self.waiting.lock().expect("no holder of this lock panics").remove(&id) {
            self.end(id, Outcome::Cancelled { report: Value::Null, rejects: Vec::new() })?;
        }
        Ok(())
    }

    /// Stops every job because the program ends: what runs commits what it has, what waits does not begin, and both are
    /// noted as interrupted.
    pub fn interrupt_all(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for tracker in self.live.lock().expect("no holder of this lock panics").values() {
            tracker.interrupt();
        }
    }

    /// Waits until no job is left, or until patience ends.
    pub fn wait(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if self.live.lock().expect("no holder of this lock panics").is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The progress of a job that has not ended.
    pub fn tracker(&self, id: JobId) -> Option<Arc<Tracker>> {
        self.live.lock().expect("no holder of this lock panics").get(&id).cloned()
    }

    fn view(&self, record: JobRecord) -> JobView {
        let mut progress = match self.tracker(record.id) {
            Some(tracker) => tracker.progress(),
            None => serde_json::from_value(record.progress).unwrap_or_default(),
        };
        if record.ended.is_some() {
            progress.seconds_left = None;
        }
        let (report, error) = match record.result {
            Some(value) if record.state == JobState::Failed => (None, serde_json::from_value(value).ok()),
            other => (other, None),
        };
        JobView {
            id: record.id.0,
            kind: record.kind,
            collection: record.collection,
            title: record.title,
            state: record.state,
            rejects: progress.rejected.max(record.rejects),
            progress,
            report,
            error,
            created: record.created,
            started: record.started,
            ended: record.ended,
        }
    }
}

fn run_one(store: &Store, id: JobId, tracker: &Tracker, work: Work) {
    let _told = tracing::error_span!("job", id = id.0).entered();
    tracing::info!("job begins");
    if tracker.interrupted() {
        let never_begun = Outcome::Cancelled { report: Value::Null, rejects: Vec::new() };
        if let Err(e) = record_end(store, id, Some(tracker), never_begun) {
            tracing::error!("job {} waits for the next start, but that could not be written: {e}", id.0);
        }
        return;
    }
    let begun = store.update_job(id, JobState::Running, &Value::Null);
    let outcome = match begun {
        Err(e) => Outcome::Failed(JobError::of(&e)),
        // A panic is a bug; it must cost this job only, not the lane.
        Ok(()) => {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(tracker))).unwrap_or_else(|_| {
                let message = "an internal error stopped this job; see the log".to_owned();
                Outcome::Failed(JobError {
                    code: "job.panicked".to_owned(),
                    message,
                    fault: Fault::Internal,
                    item: None,
                })
            })
        }
    };
    if let Err(e) = record_end(store, id, Some(tracker), outcome) {
        tracing::error!("job {} ended, but that could not be written: {e}", id.0);
    }
}

fn record_end(
    store: &Store,
    id: JobId,
    tracker: Option<&Tracker>,
    outcome: Outcome,
) -> Result<(), LibraryError> {
    let (state, result, rejects) = match outcome {
        Outcome::Done { report, rejects } => (JobState::Done, report, rejects),
        Outcome::Cancelled { report, rejects } if tracker.is_some_and(Tracker::interrupted) => {
            (JobState::Interrupted, report, rejects)
        }
        Outcome::Cancelled { report, rejects } => (JobState::Cancelled, report, rejects),
        Outcome::Failed(error) => {
            let value = serde_json::to_value(&error).expect("two texts have a JSON form");
            (JobState::Failed, value, Vec::new())
        }
    };
    store.add_rejects(id, &rejects)?;
    let progress = tracker.map(Tracker::progress).unwrap_or_default();
    let progress = serde_json::to_value(progress).expect("counts have a JSON form");
    store.update_job(id, JobState::Running, &progress)?;
    store.finish_job(id, state, &result)?;
    tracing::info!(job = id.0, state = state.as_str(), "job ended");
    Ok(())
}
