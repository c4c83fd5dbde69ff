//! A collection's page: what is in it, what it costs, how to add to it, how to delete it.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::collections;
use super::encoder::EncoderPanel;
use super::results::{ANSWER_CHARS, QUESTION_CHARS, label};
use super::shell::Shell;
use crate::library::{Collection, CollectionInfo, LibraryError, RootInfo};
use crate::store::{Body, Filter};
use crate::types::{CollectionName, ItemKey, Kind};
use crate::web::extract::{Path, Query};
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;
use crate::web::{App, format, link};

/// Items of the collection shown at once.
const SHOWN: usize = 48;

#[derive(Template, WebTemplate)]
#[template(path = "collection.html")]
pub struct CollectionPage {
    s: Shell,
    c: CollectionView,
    panels: Vec<EncoderPanel>,
    problem: Option<Problem>,
}

/// The URL's parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Of a collection that is made by adding to it.
    kind: String,
    after: String,
}

/// A collection as its page shows it; it may be one that its first upload will make.
pub struct CollectionView {
    pub name: String,
    pub url: String,
    pub api: String,
    pub search: String,
    pub exists: bool,
    pub is_photos: bool,
    pub has_items: bool,
    pub items: String,
    pub vectors: String,
    /// How many, and what reads them.
    pub captions: Option<String>,
    pub index: String,
    pub bytes: String,
    pub created: String,
    pub roots: Vec<RootView>,
    pub pictures: Vec<PictureView>,
    pub entries: Vec<EntryView>,
    pub next: Option<String>,
    /// Folders of this machine may be named: the server answers on loopback only.
    pub local: bool,
    pub here_open: bool,
    pub prefix_open: bool,
    kind: Kind,
    encoder: Option<String>,
}

/// Where items came from.
pub struct RootView(RootInfo);

impl std::ops::Deref for RootView {
    type Target = RootInfo;
    fn deref(&self) -> &RootInfo {
        &self.0
    }
}

impl RootView {
    /// What came over the API has no place to name.
    pub fn is_api(&self) -> bool {
        !["folder", "table", "upload"].contains(&self.0.kind)
    }

    pub fn kind(&self, l: Lang) -> &'static str {
        match self.0.kind {
            "folder" => l.root_folder(),
            "table" => l.root_table(),
            "upload" => l.root_upload(),
            _ => l.root_api(),
        }
    }
}

pub struct PictureView {
    pub key: String,
    pub label: String,
    pub url: String,
    pub thumb: String,
}

pub struct EntryView {
    pub question: String,
    pub answer: String,
    /// Where all of it is, if the answer is only begun here.
    pub whole: Option<String>,
}

/// `GET /c/{c}`
pub async fn show(
    State(app): State<App>,
    prefs: Prefs,
    Path(c): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<CollectionPage, Problem> {
    let name: CollectionName = c.parse()?;
    app.work(move |app| page(app, prefs, &name, &asked, None)).await
}

fn page(
    app: &App,
    prefs: Prefs,
    name: &CollectionName,
    asked: &Asked,
    problem: Option<Problem>,
) -> Result<CollectionPage, Problem> {
    let l = prefs.lang;
    let collides = problem.as_ref().is_some_and(|p| p.code == "key.collides");
    let (mut c, panels) = match (app.library().collection(name), asked.kind.parse::<Kind>()) {
        (Ok(collection), _) => {
            let info = collection.info()?;
            let own = EncoderPanel::of(app.library(), &collection, &info)?;
            let panels = vec![own, EncoderPanel::of_captions(app.library(), &info)];
            (CollectionView::of(&collection, info, &asked.after, l)?, panels)
        }
        (Err(LibraryError::UnknownCollection { .. }), Ok(kind)) => {
            (CollectionView::to_be(name, kind), Vec::new())
        }
        (Err(e), _) => return Err(e.into()),
    };
    c.here_open = problem.as_ref().is_some_and(|p| p.field.as_deref() == Some("path"));
    c.prefix_open = collides;
    Ok(CollectionPage { s: Shell::new(app, prefs, "collections"), c, panels, problem })
}

/// The page again after a form of it failed.
pub async fn failed(app: App, prefs: Prefs, name: CollectionName, kind: Kind, problem: Problem) -> Response {
    let asked = Asked { kind: kind.to_string(), ..Asked::default() };
    let status: StatusCode = problem.status;
    let kept = problem.clone();
    match app.work(move |app| page(app, prefs, &name, &asked, Some(problem))).await {
        Ok(page) => (status, page).into_response(),
        Err(_) => kept.into_response(),
    }
}

impl CollectionView {
    /// One that is not there yet.
    fn to_be(name: &CollectionName, kind: Kind) -> Self {
        let url = link::collection(name);
        Self {
            name: name.to_string(),
            api: format!("/api/v1/collections/{}", link::component(name.as_str())),
            search: link::search(&[("c", name.as_str())]),
            url,
            exists: false,
            is_photos: kind == Kind::Photos,
            has_items: false,
            items: String::new(),
            vectors: String::new(),
            captions: None,
            index: String::new(),
            bytes: String::new(),
            created: String::new(),
            roots: Vec::new(),
            pictures: Vec::new(),
            entries: Vec::new(),
            next: None,
            local: true,
            here_open: false,
            prefix_open: false,
            kind,
            encoder: None,
        }
    }

    fn of(collection: &Collection, info: CollectionInfo, after: &str, l: Lang) -> Result<Self, Problem> {
        let mut view = Self::to_be(&info.name, info.kind).with(info, l);
        let after = Some(after).filter(|a| !a.is_empty()).map(str::parse::<ItemKey>).transpose()?;
        let items = collection.list(&Filter::default(), after.as_ref(), SHOWN + 1)?;
        for item in items.iter().take(SHOWN) {
            let key = item.key.to_string();
            match &item.body {
                Body::Photo { .. } => {
                    let content = item.content.as_ref().map(ToString::to_string).unwrap_or_default();
                    let thumb = link::thumb(collection.name(), &item.key, &content);
                    let url = link::item(collection.name(), &item.key);
                    view.pictures.push(PictureView { label: label(&key).to_owned(), key, url, thumb });
                }
                Body::Faq { question, answer, .. } => {
                    let (answer, is_whole) = format::clip(answer, ANSWER_CHARS);
                    let whole = (!is_whole).then(|| link::item(collection.name(), &item.key));
                    let question = format::clip(question, QUESTION_CHARS).0;
                    view.entries.push(EntryView { question, answer, whole });
                }
            }
        }
        if items.len() > SHOWN {
            let last = items[SHOWN - 1].key.as_str();
            view.next = Some(format!("{}?after={}#items", view.url, link::component(last)));
        }
        Ok(view)
    }

    fn with(self, info: CollectionInfo, l: Lang) -> Self {
        let created: Option<jiff::Timestamp> = info.created.parse().ok();
        Self {
            exists: true,
            has_items: info.items > 0,
            items: format::number(info.items),
            vectors: format::number(info.vectors),
            bytes: format::size(info.bytes),
            created: created.map(|at| format::moment(l, at.as_millisecond())).unwrap_or_default(),
            encoder: info.encoder.map(|e| match info.dim {
                Some(dim) => format!("{e}, {dim}-d"),
                None => e.to_string(),
            }),
            captions: info.caption_encoder.map(|e| format!("{}, {e}", format::number(info.captions))),
            index: info.index,
            roots: info.roots.into_iter().map(RootView).collect(),
            ..self
        }
    }

    pub fn kind(&self, l: Lang) -> &'static str {
        collections::kind(self.kind, l)
    }

    pub fn reads_heic(&self) -> bool {
        crate::photo::READS_HEIC
    }

    pub fn add_title(&self, l: Lang) -> &'static str {
        if self.is_photos { l.add_photos_title() } else { l.add_faq_title() }
    }

    pub fn encoder(&self, l: Lang) -> String {
        self.encoder.clone().unwrap_or_else(|| l.encoder_none().to_owned())
    }
}
