//! Jobs that the end of the program interrupted go on when it begins again: what they had committed is there and known.

use std::sync::Arc;

use super::switch::{self, SwitchRequest};
use super::{IngestError, Request, work};
use crate::library::{JobError, Lane, Library, Outcome};
use crate::store::JobRecord;
use crate::types::{EncoderName, Fault};

/// Newest jobs that are looked at; older ones that were interrupted are history.
const LOOK_BACK: usize = 200;

/// How often a job goes on by itself if the program ends without warning each time it runs.
const TRIES: u32 = 3;

/// Puts interrupted imports, switches and downloads in line again, the oldest first; says how many.
///
/// # Errors
/// What the job table reports.
pub fn resume(library: &Arc<Library>) -> Result<usize, IngestError> {
    let mut jobs = library.jobs().interrupted(LOOK_BACK)?;
    jobs.reverse();
    let mut resumed = 0;
    for job in jobs {
        resumed += usize::from(resume_one(library, &job)?);
    }
    Ok(resumed)
}

fn resume_one(library: &Arc<Library>, job: &JobRecord) -> Result<bool, IngestError> {
    let worker = library.clone();
    let jobs = library.jobs();
    match job.kind.as_str() {
        "index" => {
            let Ok(request) = serde_json::from_value::<Request>(job.params.clone()) else { return Ok(false) };
            if too_often(library, job)? {
                return Ok(false);
            }
            jobs.again(Lane::Index, job.id, move |tracker| work(&worker, &request, tracker))?;
        }
        "pull" => {
            let Ok(name) = job.title.parse::<EncoderName>() else { return Ok(false) };
            if too_often(library, job)? {
                return Ok(false);
            }
            jobs.again(Lane::Pull, job.id, move |tracker| worker.pull_job(&name, tracker))?;
        }
        "switch" | "switch_captions" => {
            let Ok(request) = serde_json::from_value::<SwitchRequest>(job.params.clone()) else {
                return Ok(false);
            };
            if too_often(library, job)? {
                return Ok(false);
            }
            jobs.again(Lane::Switch, job.id, move |tracker| switch::work(&worker, &request, tracker))?;
        }
        // An upload's files come from outside, a lost index is rebuilt when its collection is opened.
        _ => return Ok(false),
    }
    tracing::info!(job = job.id.0, "goes on");
    Ok(true)
}

/// A job that takes the program down each time must not keep it down. Ends such a job.
fn too_often(library: &Library, job: &JobRecord) -> Result<bool, IngestError> {
    if library.jobs().note_try(job.id)? <= TRIES {
        return Ok(false);
    }
    let message = format!(
        "the program ended {TRIES} times while this job ran; see why in its log, then start the job again"
    );
    let error = JobError { code: "job.interrupted".to_owned(), message, fault: Fault::Internal, item: None };
    library.jobs().end(job.id, Outcome::Failed(error))?;
    Ok(true)
}
