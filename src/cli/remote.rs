//! Work handed to the server that holds the data folder, over loopback: the same progress, report and exit code.

use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::RequestBuilder;

use super::progress::{draw, new_bar};
use super::{CliError, exit};
use crate::ingest::switch::{SwitchRequest, Switched};
use crate::ingest::{Done, Request};
use crate::library::{JobView, Tracker};
use crate::store::{Hint, JobState};
use crate::types::{CollectionName, Secret};

/// How often the job is asked how far it is.
const EVERY: Duration = Duration::from_millis(200);
/// How often a busy server is asked again.
const BUSY_TRIES: u32 = 50;

/// Has the server import, and waits for the end.
pub fn index(
    hint: Option<&Hint>,
    request: &Request,
    tracker: &Tracker,
    show: bool,
) -> Result<Done, CliError> {
    let body = serde_json::to_value(request).expect("a request has a JSON form");
    let path = format!("/api/v1/collections/{}/index", request.collection);
    let (report, cancelled) = follow(hint, &path, &body, tracker, show)?;
    Ok(Done { report: report.unwrap_or_default(), cancelled })
}

/// Has the server switch a collection to another encoder, and waits for the end. `None`: stopped before it began.
pub fn switch(
    hint: Option<&Hint>,
    request: &SwitchRequest,
    tracker: &Tracker,
    show: bool,
) -> Result<Option<Switched>, CliError> {
    let body = serde_json::to_value(request).expect("a request has a JSON form");
    let path = format!("/api/v1/collections/{}/switch", request.collection);
    let (report, cancelled) = follow(hint, &path, &body, tracker, show)?;
    Ok(report.map(|report| Switched { report, cancelled }))
}

/// Has the server give a switch up. Whether there was one.
pub fn cancel_switch(
    hint: Option<&Hint>,
    collection: &CollectionName,
    captions: bool,
) -> Result<bool, CliError> {
    let server = Server::of(hint)?;
    let which = if captions { "?captions=true" } else { "" };
    let path = format!("/api/v1/collections/{collection}/switch{which}");
    let answer: Value = server.delete(&path)?;
    Ok(answer["cancelled"] == true)
}

/// Starts a job and follows it to its end: its report, `None` if it was stopped in line; and whether it was stopped.
fn follow<R: DeserializeOwned>(
    hint: Option<&Hint>,
    path: &str,
    body: &Value,
    tracker: &Tracker,
    show: bool,
) -> Result<(Option<R>, bool), CliError> {
    let server = Server::of(hint)?;
    let begun: Value = server.post(path, body)?;
    let job = begun["job"].as_i64().ok_or_else(|| server.nonsense("no job in its answer"))?;
    let bar = show.then(new_bar);
    let mut cancelled = false;
    loop {
        if tracker.cancelled() && !cancelled {
            cancelled = true;
            server.post::<Value>(&format!("/api/v1/jobs/{job}/cancel"), &Value::Null)?;
        }
        let view: JobView = server.get(&format!("/api/v1/jobs/{job}")).map_err(|e| server.gone(e))?;
        if let Some(bar) = &bar {
            draw(bar, &view.progress);
        }
        if let Some(done) = ended(&server, view)? {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok(done);
        }
        thread::sleep(EVERY);
    }
}

/// Has the server compact, and waits for the end. Returns how many rows went.
pub fn compact(hint: Option<&Hint>, collection: &CollectionName) -> Result<u64, CliError> {
    let server = Server::of(hint)?;
    let begun: Value = server.post(&format!("/api/v1/collections/{collection}/compact"), &Value::Null)?;
    let job = begun["job"].as_i64().ok_or_else(|| server.nonsense("no job in its answer"))?;
    loop {
        let view: JobView = server.get(&format!("/api/v1/jobs/{job}")).map_err(|e| server.gone(e))?;
        match (view.state, view.report, view.error) {
            (JobState::Queued | JobState::Running, ..) => thread::sleep(EVERY),
            (JobState::Done, Some(report), _) => return Ok(report["dropped"].as_u64().unwrap_or_default()),
            (_, _, Some(e)) => {
                return Err(CliError { exit: exit::code_of(e.fault), code: e.code, message: e.message });
            }
            _ => return Err(server.nonsense("the job was stopped; run the command again")),
        }
    }
}

fn ended<R: DeserializeOwned>(server: &Server, view: JobView) -> Result<Option<(Option<R>, bool)>, CliError> {
    match view.state {
        JobState::Queued | JobState::Running => Ok(None),
        // Stopped before its turn came: nothing was done, so nothing is reported.
        JobState::Cancelled if view.report.as_ref().is_none_or(Value::is_null) => Ok(Some((None, true))),
        JobState::Done | JobState::Cancelled => {
            let report: R = view
                .report
                .and_then(|report| serde_json::from_value(report).ok())
                .ok_or_else(|| server.nonsense("no report in the job"))?;
            Ok(Some((Some(report), view.state == JobState::Cancelled)))
        }
        JobState::Failed => {
            let error = view.error.ok_or_else(|| server.nonsense("no reason in the failed job"))?;
            Err(CliError { exit: exit::code_of(error.fault), code: error.code, message: error.message })
        }
        JobState::Interrupted => {
            let message = format!(
                "the server at {} stops; what it committed is there, and the job goes on when it starts again",
                server.address
            );
            Err(CliError::new(exit::UNAVAILABLE, "job.interrupted", message))
        }
    }
}

/// The exit code of a refusal, from the status that the fault has over HTTP.
fn exit_of(status: u16) -> u8 {
    match status {
        404 => exit::NOT_FOUND,
        409 => exit::CONFLICT,
        429 | 503 => exit::UNAVAILABLE,
        400..500 => exit::INPUT,
        _ => exit::INTERNAL,
    }
}

type Asked = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

struct Server {
    address: String,
    /// What a server wants to be shown that was started with a token.
    key: Option<Secret>,
    agent: ureq::Agent,
}

impl Server {
    fn of(hint: Option<&Hint>) -> Result<Self, CliError> {
        let Some(address) = hint.and_then(|hint| hint.address.clone()) else {
            let message =
                "another simile is writing to the data folder and serves no address; wait until it ends";
            return Err(CliError::new(exit::UNAVAILABLE, "store.locked", message));
        };
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(3)))
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        let key = hint.and_then(|hint| hint.key.clone());
        Ok(Self { address, key, agent: config.into() })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.read(&|| self.showing_key(self.agent.get(self.url(path))).call())
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, CliError> {
        self.read(&|| self.showing_key(self.agent.post(self.url(path))).send_json(body))
    }

    fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.read(&|| self.showing_key(self.agent.delete(self.url(path))).call())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn showing_key<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {}", key.expose())),
            None => request,
        }
    }

    /// A server that has too much to do (429) is asked again for a while.
    fn read<T: DeserializeOwned>(&self, ask: &dyn Fn() -> Asked) -> Result<T, CliError> {
        for _ in 0..BUSY_TRIES {
            match ask() {
                Ok(answer) if answer.status() == 429 => thread::sleep(EVERY),
                other => return self.read_one(other),
            }
        }
        self.read_one(ask())
    }

    fn read_one<T: DeserializeOwned>(&self, answer: Asked) -> Result<T, CliError> {
        let mut answer = answer.map_err(|e| {
            let message = format!(
                "a program at {} holds the data folder and does not answer ({e}); stop it or wait",
                self.address
            );
            CliError::new(exit::UNAVAILABLE, "store.locked", message)
        })?;
        if answer.status().is_success() {
            return answer.body_mut().read_json().map_err(|e| self.nonsense(&e.to_string()));
        }
        let exit = exit_of(answer.status().as_u16());
        let problem: Value = answer.body_mut().read_json().map_err(|e| self.nonsense(&e.to_string()))?;
        let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        Err(CliError { exit, code: text("code"), message: text("detail") })
    }

    /// What it means that a server does not answer which has taken the work.
    fn gone(&self, e: CliError) -> CliError {
        if e.code != "store.locked" {
            return e;
        }
        let message = format!(
            "the server at {} has stopped; what it committed is there, run the command again for the rest",
            self.address
        );
        CliError::new(exit::UNAVAILABLE, "server.gone", message)
    }

    fn nonsense(&self, why: &str) -> CliError {
        let message = format!("the server at {} answered what is not understood ({why})", self.address);
        CliError::new(exit::INTERNAL, "server.answer", message)
    }
}
