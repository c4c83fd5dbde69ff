//! Uploads: opened as a job, fed file by file, finished with a report; or all of that in one request.

use axum::Json as Answer;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::collections::Started;
use super::forms;
use crate::ingest::upload::{Added, LOOSE, NewUpload};
use crate::ingest::{IngestError, Put, Reject, Report};
use crate::library::LibraryError;
use crate::store::JobId;
use crate::types::{Coded, CollectionName, Fault, Kind};
use crate::web::App;
use crate::web::extract::{Json, Path, is_multipart};
use crate::web::multipart::{File, Parts};
use crate::web::problem::Problem;
use crate::web::room::Room;

/// What opens an upload.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Opening {
    root: Option<String>,
    prefix: Option<String>,
    files: u64,
    /// Of a collection that the upload makes; photos if it is left out.
    kind: Option<Kind>,
}

/// A report with its job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Finished {
    #[serde(serialize_with = "bare")]
    #[schema(value_type = i64)]
    pub job: JobId,
    #[serde(flatten)]
    pub report: Report,
}

fn bare<S: serde::Serializer>(job: &JobId, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_i64(job.0)
}

/// Opens an upload with JSON; a form adds files to one (`job`), or is a whole one.
#[utoipa::path(post, path = "/api/v1/collections/{c}/uploads", tag = "uploads", params(("c" = CollectionName, Path, description = "The collection")),
    request_body(content((Opening = "application/json"), (forms::Upload = "multipart/form-data"))),
    responses((status = 201, description = "Opened: a job that files are added to", body = Started),
        (status = 200, description = "Files were added, or the whole upload is done", body = Finished)))]
pub async fn upload(
    State(app): State<App>,
    Path(c): Path<String>,
    _room: Room,
    request: Request,
) -> Result<Response, Problem> {
    let name: CollectionName = c.parse()?;
    if !is_multipart(request.headers()) {
        let Json(opening) = Json::<Opening>::from_request(request, &()).await?;
        let job = app.work(move |app| open(app, &name, opening)).await?;
        return Ok((StatusCode::CREATED, Answer(Started { job: job.0 })).into_response());
    }
    let form = Parts::from_request(request, &app).await?;
    let files = ["file", "files", "folder", "photo", "photos"];
    form.only(&[&["root", "prefix", "job", "kind", "form_token"], &files[..]].concat())?;
    let done = app
        .bulk(move |app| {
            let kind = form.field("kind").map(str::parse::<Kind>).transpose()?;
            match form.field("job") {
                Some(job) => {
                    let job = job.trim().parse().map(JobId).map_err(|_| {
                        Problem::input("request.field", "job", format!("job is {job:?}, which is no number"))
                    })?;
                    Ok::<_, Problem>(Finished { job, report: add(app, job, &form.files)? })
                }
                None => whole(app, &name, kind, &form),
            }
        })
        .await?;
    Ok(Answer(done).into_response())
}

/// Ends an upload.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/finish", tag = "uploads", params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "Done", body = Finished)))]
pub async fn finish(State(app): State<App>, Path(id): Path<i64>) -> Result<Answer<Finished>, Problem> {
    let job = JobId(id);
    let report = app.bulk(move |app| app.0.uploads.finish(job)).await?;
    Ok(Answer(Finished { job, report }))
}

/// Opens, adds and finishes.
pub fn whole(
    app: &App,
    name: &CollectionName,
    kind: Option<Kind>,
    form: &Parts,
) -> Result<Finished, Problem> {
    let text = |name: &str| form.field(name).map(|text| text.trim().to_owned());
    let picked = form.files.iter().find_map(|file| file.name.split_once('/')).map(|(folder, _)| folder);
    let tables = form.files.iter().all(|file| crate::ingest::is_table(file.name.as_ref()));
    let opening = Opening {
        root: text("root").or(picked.map(str::to_owned)),
        prefix: text("prefix"),
        files: form.files.len() as u64,
        kind: kind.or((tables && !form.files.is_empty()).then_some(Kind::Faq)),
    };
    if form.files.is_empty() {
        return Err(Problem::input("upload.empty", "files", "no file was sent; choose at least one"));
    }
    let job = open(app, name, opening)?;
    let added = add(app, job, &form.files);
    let finished = app.0.uploads.finish(job);
    added?;
    Ok(Finished { job, report: finished? })
}

fn open(app: &App, name: &CollectionName, opening: Opening) -> Result<JobId, Problem> {
    let kind = match app.library().collection(name) {
        Ok(collection) => collection.kind(),
        Err(LibraryError::UnknownCollection { .. }) => opening.kind.unwrap_or(Kind::Photos),
        Err(e) => return Err(e.into()),
    };
    let some = |text: Option<String>| text.filter(|t| !t.trim().is_empty());
    Ok(app.0.uploads.open(&NewUpload {
        collection: name.clone(),
        kind,
        root: some(opening.root).unwrap_or_else(|| LOOSE.to_owned()),
        prefix: some(opening.prefix),
        files: opening.files,
    })?)
}

/// Adds files and reports on these alone. A bad file is a reject; what concerns the whole upload stops it.
fn add(app: &App, job: JobId, files: &[File]) -> Result<Report, Problem> {
    let mut report = Report::default();
    for file in files {
        match app.0.uploads.add(job, &file.name, &file.bytes) {
            Ok(Added::Photo { put: Put::Indexed, .. }) => report.indexed += 1,
            Ok(Added::Photo { put: Put::Replaced, .. }) => report.replaced += 1,
            Ok(Added::Photo { put: Put::Unchanged, .. }) => report.unchanged += 1,
            Ok(Added::Table { report: table }) => report.add(&table),
            // Counted when the upload ends: their photos may come later.
            Ok(Added::Captions { .. }) => {}
            Ok(Added::Skipped { .. }) => report.skipped += 1,
            Err(e) if stops(&e) => return Err(e.into()),
            Err(e) => report.rejected.push(Reject {
                path: file.name.clone(),
                code: e.code().to_owned(),
                reason: e.reason(),
            }),
        }
    }
    Ok(report)
}

/// Whether an error is about more than its file.
fn stops(e: &IngestError) -> bool {
    !matches!(e.fault(), Fault::Input | Fault::TooLarge | Fault::Unsupported)
}
