//! The jobs page, live: what runs, how fast, how long still, what was rejected.

use std::collections::HashMap;

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;

use super::job_words::{headline, outcome, progress, share};
use super::shell::Shell;
use crate::library::{JobView, Library};
use crate::store::{JobId, JobState, Reject};
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;
use crate::web::{App, format, link, sse};

/// Jobs that the page shows.
const SHOWN: usize = 50;
/// Rejects that a job shows at once.
const REJECTS: usize = 50;

#[derive(Template, WebTemplate)]
#[template(path = "jobs.html")]
pub struct JobsPage {
    s: Shell,
    list: Vec<JobCard>,
}

/// One job alone, for the stream.
#[derive(Template)]
#[template(path = "job.html")]
struct JobPiece<'a> {
    s: &'a Shell,
    job: JobCard,
}

pub async fn show(State(app): State<App>, prefs: Prefs) -> Result<JobsPage, Problem> {
    app.work(move |app| {
        let list = cards(app.library())?;
        Ok::<_, Problem>(JobsPage { s: Shell::new(app, prefs, "jobs"), list })
    })
    .await
}

fn cards(library: &Library) -> Result<Vec<JobCard>, Problem> {
    library.jobs().list(SHOWN)?.into_iter().map(|view| JobCard::of(library, view)).collect()
}

/// `GET /jobs/events`: each job's piece of the page, when it changed. The first look sends all.
pub async fn events(State(app): State<App>, prefs: Prefs) -> Response {
    let shell = Shell::bare(&app, prefs);
    let mut sent: HashMap<i64, blake3::Hash> = HashMap::new();
    sse::stream(&app, move |app| {
        // Oldest first: the page puts each new one on top.
        let cards = cards(app.library()).unwrap_or_default().into_iter().rev();
        let pieces = cards.filter_map(|job| {
            let id = job.id;
            let html = JobPiece { s: &shell, job }.render().ok()?;
            let hash = blake3::hash(html.as_bytes());
            (sent.insert(id, hash) != Some(hash)).then(|| Event::default().event("job").data(html))
        });
        sse::Look { events: pieces.collect(), last: false }
    })
}

/// A job as the page shows it.
pub struct JobCard {
    pub id: i64,
    pub title: String,
    pub rejects: Vec<Reject>,
    view: JobView,
}

impl JobCard {
    fn of(library: &Library, view: JobView) -> Result<Self, Problem> {
        let rejects = match view.rejects {
            0 => Vec::new(),
            _ => library.jobs().rejects(JobId(view.id), 0, REJECTS)?,
        };
        Ok(Self { id: view.id, title: view.title.clone(), rejects, view })
    }

    pub fn active(&self) -> bool {
        !self.view.state.ended()
    }

    pub fn state_code(&self) -> &'static str {
        self.view.state.as_str()
    }

    pub fn state(&self, l: Lang) -> &'static str {
        match self.view.state {
            JobState::Queued => l.state_queued(),
            JobState::Running => l.state_running(),
            JobState::Done if self.view.rejects > 0 => l.state_rejects(),
            JobState::Done => l.state_done(),
            JobState::Failed => l.state_failed(),
            JobState::Cancelled => l.state_cancelled(),
            JobState::Interrupted => l.state_interrupted(),
        }
    }

    pub fn headline(&self, l: Lang) -> String {
        headline(&self.view, l)
    }

    /// Why it failed.
    pub fn error(&self, l: Lang) -> Option<String> {
        self.view.error.as_ref().map(|e| l.trouble(&e.code, e.item.as_deref(), &e.message))
    }

    /// Why an item was rejected; which one stands before it.
    pub fn reason(&self, l: Lang, reject: &Reject) -> String {
        l.trouble(&reject.code, None, &reject.reason)
    }

    pub fn share(&self) -> Option<f64> {
        share(&self.view)
    }

    pub fn figures(&self, l: Lang) -> String {
        match (self.view.state, &self.view.report) {
            (JobState::Interrupted, _) => l.interrupted_line().to_owned(),
            (state, Some(report)) if state.ended() => outcome(report, l),
            (state, _) if state.ended() && self.view.rejects == 0 => String::new(),
            (state, _) if state.ended() => l.rejected_n(format::number(self.view.rejects)),
            _ => progress(&self.view, l),
        }
    }

    pub fn when(&self, l: Lang) -> String {
        let began = self.view.started.unwrap_or(self.view.created);
        let at = format::moment(l, began);
        match self.view.ended {
            Some(ended) => l.lasted(at, format::duration(l, (ended - began) as f64 / 1000.0)),
            None => l.began(at),
        }
    }

    pub fn collection_url(&self) -> Option<String> {
        self.view.collection.as_ref().map(link::collection)
    }

    pub fn more_rejects(&self) -> bool {
        self.view.rejects > self.rejects.len() as u64
    }
}
