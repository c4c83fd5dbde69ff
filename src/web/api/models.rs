//! Encoders: which there are, and getting one.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use super::collections::Started;
use crate::encoder::Entry;
use crate::library::Lane;
use crate::store::{JobId, NewJob};
use crate::types::EncoderName;
use crate::web::App;
use crate::web::extract::Path;
use crate::web::problem::Problem;

/// All encoders.
#[utoipa::path(get, path = "/api/v1/models", tag = "encoders",
    responses((status = 200, description = "Those on disk and those that can be got", body = [Entry])))]
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<Entry>>, Problem> {
    Ok(Answer(app.work(|app| Ok::<_, Problem>(app.library().catalog().list())).await?))
}

/// Gets an encoder, as a job.
#[utoipa::path(post, path = "/api/v1/models/{name}/pull", tag = "encoders",
    params(("name" = EncoderName, Path, description = "The encoder")),
    responses((status = 202, description = "A job began", body = Started)))]
pub async fn pull(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Answer<Started>), Problem> {
    let name: EncoderName = name.parse()?;
    let job = app.work(move |app| start_pull(app, name)).await?;
    Ok((StatusCode::ACCEPTED, Answer(Started { job: job.0 })))
}

/// Starts the job that gets an encoder.
///
/// # Errors
/// `encoder.unknown` for a name without a card.
pub fn start_pull(app: &App, name: EncoderName) -> Result<JobId, Problem> {
    if !app.library().catalog().list().iter().any(|entry| entry.name == name) {
        let detail = format!("there is no encoder {name}; see the list of encoders");
        return Err(Problem::new(StatusCode::NOT_FOUND, "encoder.unknown", detail).of_item(name.as_str()));
    }
    let job =
        NewJob { kind: "pull".to_owned(), collection: None, title: name.to_string(), params: Value::Null };
    let library = app.0.library.clone();
    Ok(app.library().jobs().start(Lane::Pull, &job, move |tracker| library.pull_job(&name, tracker))?)
}
