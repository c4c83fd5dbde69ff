//! The strip on every page: the job that runs, in one line.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::job_words::{headline, progress, share};
use crate::library::{JobView, Library};
use crate::store::JobState;
use crate::types::CollectionName;
use crate::web::App;
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;

/// `GET /strip`: the strip in the reader's language, for the script of every page.
pub async fn show(State(app): State<App>, prefs: Prefs) -> Result<Json<Value>, Problem> {
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

    /// Whether something is being brought into this collection.
    pub fn is_filling(library: &Library, name: &CollectionName) -> bool {
        let brings = |job: &JobView| {
            !job.state.ended()
                && job.collection.as_ref() == Some(name)
                && ["index", "upload"].contains(&job.kind.as_str())
        };
        library.jobs().list(20).is_ok_and(|jobs| jobs.iter().any(brings))
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
