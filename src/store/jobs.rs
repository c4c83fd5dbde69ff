//! The table of jobs and their rejects. Runs nothing.

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, StoreError, now, sql_count, unreadable};
use crate::types::CollectionName;

/// Names a job; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub i64);

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
    /// Its program ended before it did.
    Interrupted,
}

impl JobState {
    const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled, Self::Interrupted];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Nothing more will happen.
    pub fn ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A job to be noted.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub kind: String,
    pub collection: Option<CollectionName>,
    /// What it works on, for a person.
    pub title: String,
    pub params: Value,
}

/// A job as it is on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    pub id: JobId,
    pub kind: String,
    pub collection: Option<CollectionName>,
    pub title: String,
    pub params: Value,
    pub state: JobState,
    pub progress: Value,
    pub result: Option<Value>,
    pub rejects: u64,
    /// Unix milliseconds.
    pub created: i64,
    pub started: Option<i64>,
    pub ended: Option<i64>,
}

/// One item that a job could not take, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JobReject)]
pub struct Reject {
    pub path: String,
    pub code: String,
    pub reason: String,
}

const JOB: &str = "SELECT id, kind, collection, title, params, state, progress, result, rejects, created, started, \
     ended FROM jobs";

fn job_of(row: &Row<'_>) -> Result<JobRecord, StoreError> {
    let json = |text: String| serde_json::from_str(&text).map_err(|e| unreadable("job", e));
    let state: String = row.get(5)?;
    let collection: Option<String> = row.get(2)?;
    Ok(JobRecord {
        id: JobId(row.get(0)?),
        kind: row.get(1)?,
        collection: collection.map(|c| c.parse()).transpose().map_err(|e| unreadable("job", e))?,
        title: row.get(3)?,
        params: json(row.get(4)?)?,
        state: JobState::ALL
            .into_iter()
            .find(|s| s.as_str() == state)
            .ok_or_else(|| unreadable("job", &state))?,
        progress: json(row.get(6)?)?,
        result: row.get::<_, Option<String>>(7)?.map(json).transpose()?,
        rejects: row.get::<_, i64>(8)?.unsigned_abs(),
        created: row.get(9)?,
        started: row.get(10)?,
        ended: row.get(11)?,
    })
}

/// The setting that counts how often a job was tried.
fn tries_of(id: JobId) -> String {
    format!("job.{}.tries", id.0)
}

fn changed(id: JobId, rows: usize) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NoJob { id: id.0 }) } else { Ok(()) }
}

impl Store {
    /// Notes a job as queued.
    pub fn create_job(&self, new: &NewJob) -> Result<JobId, StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO jobs (kind, collection, title, params, state, progress, created)
                 VALUES (?, ?, ?, ?, 'queued', 'null', ?)",
                params![
                    new.kind,
                    new.collection.as_ref().map(CollectionName::as_str),
                    new.title,
                    new.params.to_string(),
                    now()
                ],
            )?;
            Ok(JobId(tx.last_insert_rowid()))
        })
    }

    /// Notes how far a job is. Cheap: a power cut may take it back.
    pub fn update_job(&self, id: JobId, state: JobState, progress: &Value) -> Result<(), StoreError> {
        self.write_loosely(|tx| {
            let sql = "UPDATE jobs SET state = ?1, progress = ?2,
                       started = CASE WHEN ?1 = 'running' THEN coalesce(started, ?3) ELSE started END WHERE id = ?4";
            let mut update = tx.prepare_cached(sql)?;
            changed(id, update.execute(params![state.as_str(), progress.to_string(), now(), id.0])?)
        })
    }

    /// Notes a job that had ended as queued again, as if it were new.
    pub fn requeue_job(&self, id: JobId) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("DELETE FROM job_rejects WHERE job = ?", [id.0])?;
            let sql = "UPDATE jobs SET state = 'queued', progress = 'null', result = NULL, rejects = 0,
                       started = NULL, ended = NULL WHERE id = ?";
            changed(id, tx.execute(sql, [id.0])?)
        })
    }

    /// Counts one more try of a job, and says how many there were since [`Self::finish_job`] was last called for it.
    pub fn note_try(&self, id: JobId) -> Result<u32, StoreError> {
        let tries = self.setting(&tries_of(id))?.and_then(|n| n.parse::<u32>().ok()).unwrap_or(0) + 1;
        self.set_setting(&tries_of(id), Some(&tries.to_string()))?;
        Ok(tries)
    }

    /// Notes how a job ended.
    pub fn finish_job(&self, id: JobId, state: JobState, result: &Value) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("DELETE FROM settings WHERE key = ?", [tries_of(id)])?;
            let mut update =
                tx.prepare_cached("UPDATE jobs SET state = ?, result = ?, ended = ? WHERE id = ?")?;
            changed(id, update.execute(params![state.as_str(), result.to_string(), now(), id.0])?)
        })
    }

    /// Adds to a job's rejects, behind those it has.
    pub fn add_rejects(&self, id: JobId, rejects: &[Reject]) -> Result<(), StoreError> {
        if rejects.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let count = sql_count(rejects.len());
            changed(id, tx.execute("UPDATE jobs SET rejects = rejects + ? WHERE id = ?", [count, id.0])?)?;
            let sql = "INSERT INTO job_rejects (job, seq, path, code, reason)
                       VALUES (?1, (SELECT coalesce(max(seq), -1) + 1 FROM job_rejects WHERE job = ?1), ?2, ?3, ?4)";
            let mut insert = tx.prepare_cached(sql)?;
            for r in rejects {
                insert.execute(params![id.0, r.path, r.code, r.reason])?;
            }
            Ok(())
        })
    }

    pub fn job(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{JOB} WHERE id = ?"))?;
            let mut rows = query.query([id.0])?;
            rows.next()?.map(job_of).transpose()
        })
    }

    /// The newest jobs first.
    pub fn jobs(&self, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{JOB} ORDER BY id DESC LIMIT ?"))?;
            let mut rows = query.query([sql_count(limit)])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(job_of(row)?);
            }
            Ok(out)
        })
    }

    /// How many jobs there are in each state, those without any included.
    pub fn job_counts(&self) -> Result<Vec<(JobState, u64)>, StoreError> {
        self.read(|db| {
            let mut count = db.prepare_cached("SELECT count(*) FROM jobs WHERE state = ?")?;
            let counts = JobState::ALL.into_iter().map(|state| {
                let jobs: i64 = count.query_row([state.as_str()], |row| row.get(0))?;
                Ok((state, jobs.unsigned_abs()))
            });
            counts.collect()
        })
    }

    /// A job's rejects in the order they came.
    pub fn rejects(&self, id: JobId, offset: usize, limit: usize) -> Result<Vec<Reject>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT path, code, reason FROM job_rejects WHERE job = ? AND seq >= ? ORDER BY seq LIMIT ?",
            )?;
            let found = query.query_map(params![id.0, sql_count(offset), sql_count(limit)], |row| {
                Ok(Reject { path: row.get(0)?, code: row.get(1)?, reason: row.get(2)? })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}
