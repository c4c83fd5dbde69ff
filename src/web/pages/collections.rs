//! The list of collections, and the making of a new one.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::see;
use super::shell::Shell;
use crate::encoder::Modality;
use crate::index::Recipe;
use crate::library::{CollectionInfo, NewCollection};
use crate::types::{CollectionName, EncoderName, Kind};
use crate::web::extract::Form;
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;
use crate::web::{App, format, link};

#[derive(Template, WebTemplate)]
#[template(path = "collections.html")]
pub struct CollectionsPage {
    s: Shell,
    list: Vec<CollectionCard>,
    encoders: Vec<EncoderChoice>,
    problem: Option<Problem>,
    /// The name as it was typed, if it could not be taken.
    typed: String,
}

/// A collection in the list.
pub struct CollectionCard {
    pub name: String,
    pub url: String,
    pub search: String,
    pub items: String,
    pub bytes: String,
    info: CollectionInfo,
}

impl CollectionCard {
    pub fn kind(&self, l: Lang) -> &'static str {
        kind(self.info.kind, l)
    }

    pub fn encoder(&self, l: Lang) -> String {
        self.info.encoder.as_ref().map_or_else(|| l.encoder_none().to_owned(), ToString::to_string)
    }
}

impl From<CollectionInfo> for CollectionCard {
    fn from(info: CollectionInfo) -> Self {
        Self {
            name: info.name.to_string(),
            url: link::collection(&info.name),
            search: link::search(&[("c", info.name.as_str())]),
            items: format::number(info.items),
            bytes: format::size(info.bytes),
            info,
        }
    }
}

/// What a collection holds, in the reader's words.
pub fn kind(kind: Kind, l: Lang) -> &'static str {
    match kind {
        Kind::Photos => l.photos(),
        Kind::Faq => l.faq(),
    }
}

/// An encoder to choose.
pub struct EncoderChoice {
    pub name: String,
    pub about: &'static str,
}

/// `GET /collections`
pub async fn show(State(app): State<App>, prefs: Prefs) -> Result<CollectionsPage, Problem> {
    app.work(move |app| page(app, prefs, None, String::new())).await
}

fn page(
    app: &App,
    prefs: Prefs,
    problem: Option<Problem>,
    typed: String,
) -> Result<CollectionsPage, Problem> {
    let l = prefs.lang;
    let list = app.library().collections()?.into_iter().map(CollectionCard::from).collect();
    let choice = |entry: crate::encoder::Entry| EncoderChoice {
        name: entry.name.to_string(),
        about: if entry.modality == Some(Modality::Photo) { l.photo_encoder() } else { l.text_encoder() },
    };
    let encoders = app.library().catalog().list().into_iter().map(choice).collect();
    Ok(CollectionsPage { s: Shell::new(app, prefs, "collections"), list, encoders, problem, typed })
}

/// The form of a new collection.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    name: String,
    kind: String,
    #[serde(default)]
    encoder: String,
    #[serde(default)]
    recipe: String,
}

impl NewForm {
    fn parse(&self) -> Result<NewCollection, Problem> {
        let name: CollectionName = self.name.trim().parse()?;
        let kind: Kind = self.kind.parse()?;
        let encoder: Option<EncoderName> = match self.encoder.as_str() {
            "" => None,
            name => Some(name.parse()?),
        };
        let recipe = match self.recipe.trim() {
            "" => Recipe::Flat,
            text => text.parse::<Recipe>()?,
        };
        Ok(NewCollection { name, kind, encoder, recipe })
    }
}

/// `POST /collections`
pub async fn create(
    State(app): State<App>,
    prefs: Prefs,
    Form(form): Form<NewForm>,
) -> Result<Response, Problem> {
    app.work(move |app| {
        let made = form.parse().and_then(|new| {
            app.library().create(&new)?;
            Ok(link::collection(&new.name))
        });
        match made {
            Ok(url) => Ok(see(&url)),
            Err(problem) => {
                let status = problem.status;
                Ok::<_, Problem>((status, page(app, prefs, Some(problem), form.name)?).into_response())
            }
        }
    })
    .await
}
