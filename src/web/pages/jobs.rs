//! The jobs page, live: what runs, how fast, how long still, what was rejected; and the strip on every page.

use std::collections::HashMap;

use askama::Template;
use askama_web::WebTemplate;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use serde_json::{Value, json};

use super::shell::Shell;
use crate::library::{JobView, Library, Phase};
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

/// `GET /strip`: the strip in the reader's language, for the script of every page.
pub async fn strip(State(app): State<App>, prefs: Prefs) -> Result<Json<Value>, Problem> {
    let strip = app.work(|app| Ok::<_, Problem>(Strip::of(app.library()))).await?;
    let running = strip.map(|strip| {
        json!({"title": strip.title(prefs.lang), "figures": strip.figures(prefs.lang), "share": strip.share()})
    });
    Ok(Json(json!({"running": running})))
}

/// The job that runs, in one line.
pub struct Strip(JobView);

impl Strip {
    pub fn of(library: &Library) -> Option<Self> {
        let mut jobs = library.jobs().list(20).ok()?;
        jobs.retain(|job| !job.state.ended());
        // One that runs rather than one in line; the oldest of those.
        let at = jobs.iter().rposition(|job| job.state == JobState::Running).or(jobs.len().checked_sub(1))?;
        Some(Self(jobs.swap_remove(at)))
    }

    pub fn title(&self, l: Lang) -> String {
        headline(&self.0, l)
    }

    pub fn figures(&self, l: Lang) -> String {
        progress(&self.0, l)
    }

    pub fn share(&self) -> Option<f64> {
        share(&self.0)
    }
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

fn headline(view: &JobView, l: Lang) -> String {
    let what = match view.kind.as_str() {
        "upload" => l.job_upload(),
        "pull" => l.job_pull(),
        "rebuild" => l.job_rebuild(),
        "switch" => l.job_switch(),
        "switch_captions" => l.job_switch_captions(),
        "compact" => l.job_compact(),
        _ => l.job_index(),
    };
    match &view.collection {
        Some(collection) => l.job_into(what, collection),
        None => what.to_owned(),
    }
}

fn share(view: &JobView) -> Option<f64> {
    let p = &view.progress;
    (p.total > 0).then(|| (p.done as f64 / p.total as f64).min(1.0))
}

/// "340 of 1,200 · 12/s · 1 min left · 3 rejected", or what it does before there are figures.
fn progress(view: &JobView, l: Lang) -> String {
    let p = &view.progress;
    let bytes = p.phase == Phase::GettingEncoder;
    let count = |n| if bytes { format::size(n) } else { format::number(n) };
    let mut parts = Vec::new();
    match p.phase {
        Phase::Waiting => parts.push(l.phase_waiting().to_owned()),
        Phase::GettingEncoder => parts.push(l.phase_encoder().to_owned()),
        Phase::LoadingEncoder => parts.push(l.phase_loading().to_owned()),
        Phase::Listing => parts.push(l.phase_listing().to_owned()),
        Phase::Compacting => parts.push(l.phase_compacting().to_owned()),
        Phase::BuildingIndex => parts.push(l.phase_building().to_owned()),
        Phase::Finished => parts.push(l.phase_finished().to_owned()),
        Phase::Indexing => {}
    }
    match (p.done, p.total) {
        (0, 0) if p.phase == Phase::Indexing => parts.push(l.phase_indexing().to_owned()),
        (0, 0) => {}
        (done, 0) => parts.push(count(done)),
        (done, total) => parts.push(l.of(count(done), count(total))),
    }
    if p.per_second > 0.0 && p.done > 0 {
        let rate = if bytes { format::size(p.per_second as u64) } else { format::rate(p.per_second) };
        parts.push(l.per_second(rate));
    }
    if let Some(seconds) = p.seconds_left.filter(|_| p.done > 0) {
        parts.push(l.left(format::duration(l, seconds)));
    }
    if p.rejected > 0 {
        parts.push(l.rejected_n(format::number(p.rejected)));
    }
    parts.join(" · ")
}

/// "12 new · 3 unchanged"; what is zero is left out.
fn outcome(report: &Value, l: Lang) -> String {
    let count = |name: &str| report[name].as_u64().unwrap_or_default();
    if let Some(swapped) = report["swapped"].as_bool() {
        let encoder = report["encoder"].as_str().unwrap_or_default();
        let waits = report["missing"].as_array().map_or(0, Vec::len);
        return match (swapped, waits) {
            (true, _) => l.report_switched(encoder, format::number(count("encoded"))),
            (false, 0) => String::new(),
            (false, n) => l.report_switch_waits(format::number(n as u64)),
        };
    }
    let rejected = report["rejected"].as_array().map_or(0, |list| list.len() as u64);
    let counts = [
        (count("indexed"), l.report_indexed(format::number(count("indexed")))),
        (count("replaced"), l.report_replaced(format::number(count("replaced")))),
        (count("unchanged"), l.report_unchanged(format::number(count("unchanged")))),
        (count("removed"), l.report_removed(format::number(count("removed")))),
        (count("vanished"), l.report_vanished(format::number(count("vanished")))),
        (count("captioned"), l.report_captioned(format::number(count("captioned")))),
        (count("skipped"), l.report_skipped(format::number(count("skipped")))),
        (rejected, l.rejected_n(format::number(rejected))),
    ];
    let some: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
    match (some.is_empty(), report.get("indexed")) {
        (true, Some(_)) => l.nothing_new().to_owned(),
        _ => some.join(" · "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Progress;

    fn job(progress: Progress) -> JobView {
        JobView {
            id: 1,
            kind: "index".to_owned(),
            collection: Some("photos".parse().unwrap()),
            title: "/tmp".to_owned(),
            state: JobState::Running,
            progress,
            report: None,
            error: None,
            rejects: 0,
            created: 0,
            started: None,
            ended: None,
        }
    }

    #[test]
    fn progress_is_one_line_of_what_is_known() {
        let mut p = Progress { phase: Phase::Indexing, ..Progress::default() };
        assert_eq!(progress(&job(p.clone()), Lang::En), "indexing");
        p = Progress { done: 340, total: 1200, per_second: 12.3, seconds_left: Some(70.0), rejected: 3, ..p };
        let line = "340 of 1,200 · 12/s · 1 min 10 s left · 3 rejected";
        assert_eq!(progress(&job(p.clone()), Lang::En), line);
        assert_eq!(progress(&job(p), Lang::Zh), "340 / 1,200 · 每秒 12 · 剩余 1 分 10 秒 · 3 个未收录");
        let pull = Progress {
            phase: Phase::GettingEncoder,
            done: 5_000_000,
            total: 90_000_000,
            per_second: 2e6,
            ..Progress::default()
        };
        assert_eq!(progress(&job(pull), Lang::En), "getting the encoder · 5.0 MB of 90 MB · 2.0 MB/s");
        assert_eq!(headline(&job(Progress::default()), Lang::Zh), "索引：photos");
    }

    #[test]
    fn an_outcome_leaves_out_what_is_zero() {
        let report = json!({"indexed": 0, "unchanged": 12, "skipped": 1, "rejected": [{}]});
        assert_eq!(outcome(&report, Lang::En), "12 unchanged · 1 skipped · 1 rejected");
        let none = json!({"indexed": 0, "unchanged": 0, "rejected": []});
        assert_eq!(outcome(&none, Lang::En), "nothing new");
        assert_eq!(outcome(&Value::Null, Lang::En), "");
    }
}
