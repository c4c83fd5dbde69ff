//! Jobs: list, look at, follow, their rejects, and the wish to stop one.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::library::JobView;
use crate::store::{JobId, Reject};
use crate::web::extract::{Path, Query};
use crate::web::problem::Problem;
use crate::web::{App, sse};

/// How much of a list is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Part {
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    limit: Option<usize>,
}

impl Part {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(100).clamp(1, 10_000)
    }
}

/// Jobs, the newest first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(Part),
    responses((status = 200, description = "The newest first", body = [JobView])))]
pub async fn list(State(app): State<App>, Query(part): Query<Part>) -> Result<Answer<Vec<JobView>>, Problem> {
    let limit = part.limit();
    let jobs = app.work(move |app| app.library().jobs().list(part.offset.saturating_add(limit))).await?;
    Ok(Answer(jobs.into_iter().skip(part.offset).collect()))
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The job", body = JobView)))]
pub async fn get(State(app): State<App>, Path(id): Path<i64>) -> Result<Answer<JobView>, Problem> {
    Ok(Answer(app.work(move |app| app.library().jobs().get(JobId(id))).await?))
}

/// Rejects of a job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Rejects {
    total: u64,
    rejects: Vec<Reject>,
}

/// What a job could not take, and why.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/rejects", tag = "jobs", params(("id" = i64, Path, description = "The job"), Part),
    responses((status = 200, description = "In the order they came", body = Rejects)))]
pub async fn rejects(
    State(app): State<App>,
    Path(id): Path<i64>,
    Query(part): Query<Part>,
) -> Result<Answer<Rejects>, Problem> {
    app.work(move |app| {
        let total = app.library().jobs().get(JobId(id))?.rejects;
        let rejects = app.library().jobs().rejects(JobId(id), part.offset, part.limit())?;
        Ok::<_, Problem>(Answer(Rejects { total, rejects }))
    })
    .await
}

/// Asks a job to stop; what it committed stays.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "As it is now", body = JobView)))]
pub async fn cancel(State(app): State<App>, Path(id): Path<i64>) -> Result<Answer<JobView>, Problem> {
    Ok(Answer(app.work(move |app| stop(app, JobId(id))).await?))
}

/// The same: asks a job to stop. It stays in the list, as what became of it.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "As it is now", body = JobView)))]
pub async fn delete(State(app): State<App>, Path(id): Path<i64>) -> Result<Answer<JobView>, Problem> {
    Ok(Answer(app.work(move |app| stop(app, JobId(id))).await?))
}

/// Asks a job to stop; an upload, which waits for its browser, ends at once.
pub fn stop(app: &App, id: JobId) -> Result<JobView, Problem> {
    app.library().jobs().cancel(id)?;
    // Not an upload, or one that has ended: nothing is left to do.
    let _ = app.0.uploads.finish(id);
    Ok(app.library().jobs().get(id)?)
}

/// Follows a job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/events", tag = "jobs", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "`job` with its view when it changes, `end` when it has ended", body = String, content_type = "text/event-stream")))]
pub async fn events(State(app): State<App>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let id = JobId(id);
    app.work(move |app| app.library().jobs().get(id)).await?;
    let mut last = String::new();
    let response = sse::stream(&app, move |app| {
        let Ok(view) = app.library().jobs().get(id) else {
            return sse::Look { events: Vec::new(), last: true };
        };
        let text = serde_json::to_string(&view).unwrap_or_default();
        let mut events = Vec::new();
        if text != last {
            events.push(Event::default().event("job").data(text.clone()));
            last = text;
        }
        let ended = view.state.ended();
        if ended {
            events.push(Event::default().event("end").data(view.state.as_str()));
        }
        sse::Look { events, last: ended }
    });
    Ok(response.into_response())
}
