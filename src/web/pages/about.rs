//! Encoders with their state and licence, and simile itself.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State as Shared;

use super::shell::Shell;
use crate::encoder::{Entry, Modality, State};
use crate::web::App;
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;

#[derive(Template, WebTemplate)]
#[template(path = "about.html")]
pub struct AboutPage {
    s: Shell,
    encoders: Vec<EncoderCard>,
    version: &'static str,
    data: String,
}

/// An encoder as the page shows it.
pub struct EncoderCard {
    pub name: String,
    pub languages: Vec<String>,
    pub licence: String,
    pub pullable: bool,
    pub starter: bool,
    pub state_code: &'static str,
    /// Code, folder and sentence of what is wrong with it.
    wrong: Option<(&'static str, Option<String>, String)>,
    /// Whether its vectors were compared with its original's; `None` where no file is on disk.
    verified: Option<bool>,
    modality: Option<Modality>,
    dim: Option<String>,
}

impl EncoderCard {
    pub fn about(&self, l: Lang) -> String {
        match (self.modality, &self.dim) {
            (Some(Modality::Photo), Some(dim)) => l.for_photos(dim),
            (Some(Modality::Text), Some(dim)) => l.for_text(dim),
            (Some(Modality::Photo), None) => l.photo_encoder().to_owned(),
            (Some(Modality::Text), None) => l.text_encoder().to_owned(),
            (None, _) => String::new(),
        }
    }

    /// "en, zh"; `*` is any.
    pub fn languages(&self, l: Lang) -> String {
        let named = self.languages.iter().map(|code| if code == "*" { l.any_language() } else { code });
        named.collect::<Vec<_>>().join(", ")
    }

    /// Why it cannot be used.
    pub fn why(&self, l: Lang) -> Option<String> {
        self.wrong.as_ref().map(|(code, path, why)| l.trouble(code, path.as_deref(), why))
    }

    pub fn verified_line(&self, l: Lang) -> Option<String> {
        let line = |verified| if verified { l.verified().to_owned() } else { l.not_verified(&self.name) };
        self.verified.map(line)
    }

    pub fn state(&self, l: Lang) -> &'static str {
        match self.state_code {
            "ready" => l.state_on_disk(),
            "pullable" => l.state_pullable(),
            _ => l.state_broken(),
        }
    }
}

/// `GET /about`
pub async fn show(Shared(app): Shared<App>, prefs: Prefs) -> Result<AboutPage, Problem> {
    app.work(move |app| {
        let encoders = app.library().catalog().list().into_iter().map(EncoderCard::from).collect();
        let data = app.library().config().data.display().to_string();
        let version = env!("CARGO_PKG_VERSION");
        Ok::<_, Problem>(AboutPage { s: Shell::new(app, prefs, "about"), encoders, version, data })
    })
    .await
}

impl From<Entry> for EncoderCard {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.name.to_string(),
            languages: entry.languages,
            licence: entry.licence.unwrap_or_default(),
            pullable: entry.state == State::Pullable,
            starter: entry.starter,
            state_code: match entry.state {
                State::OnDisk => "ready",
                State::Pullable => "pullable",
                State::Unusable => "broken",
            },
            verified: (entry.state == State::OnDisk && entry.path.is_some()).then_some(entry.verified),
            wrong: entry.why.map(|why| (entry.code.unwrap_or_default(), entry.path, why)),
            modality: entry.modality,
            dim: entry.dim.map(|d| d.to_string()),
        }
    }
}
