//! The search page. The question is in its URL: text as it was typed, a photo by its content, an item by its key.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::results::{self, About, Example, Found, Listing, Means, label};
use super::shell::Shell;
use super::strip::Strip;
use super::{pictures, see};
use crate::library::{Collection, CollectionInfo};
use crate::search::{self as searching, Answer, Ask, Like, Page};
use crate::store::{Body, Filter, Item};
use crate::types::{CollectionName, Date, ItemKey, Kind};
use crate::web::extract::Query;
use crate::web::lang::Lang;
use crate::web::multipart::Parts;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;
use crate::web::{App, format, link};

/// Hits on one page.
const PHOTOS: usize = 24;
const ANSWERS: usize = 8;

/// The URL's parameters; others (from links of other programs) are let pass.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub c: String,
    pub q: String,
    pub photo: String,
    pub item: String,
    pub tag: String,
    #[serde(rename = "in")]
    pub folder: String,
    pub since: String,
    pub until: String,
    pub from: String,
}

impl Asked {
    fn url(&self, from: usize) -> String {
        let from = if from == 0 { String::new() } else { from.to_string() };
        link::search(&[
            ("c", &self.c),
            ("q", &self.q),
            ("photo", &self.photo),
            ("item", &self.item),
            ("tag", &self.tag),
            ("in", &self.folder),
            ("since", &self.since),
            ("until", &self.until),
            ("from", &from),
        ])
    }

    fn offset(&self) -> usize {
        self.from.parse().unwrap_or(0)
    }

    fn filter(&self) -> Result<Filter, Problem> {
        let some = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let date = |text: &String| some(text).map(|text| text.parse::<Date>()).transpose();
        Ok(Filter {
            tags: some(&self.tag).into_iter().collect(),
            path_prefix: some(&self.folder),
            date_from: date(&self.since)?,
            date_to: date(&self.until)?,
        })
    }

    fn filters(&self) -> bool {
        [&self.tag, &self.folder, &self.since, &self.until].iter().any(|text| !text.is_empty())
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "search.html")]
pub struct SearchPage {
    s: Shell,
    form: AskForm,
    found: Found,
    /// The collection is searched with an encoder that came with simile to start with.
    starter: bool,
    /// Something is on its way into the collection.
    filling: bool,
}

/// `GET /`
pub async fn show(
    State(app): State<App>,
    prefs: Prefs,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = app.work(move |app| SearchPage::make(app, prefs, asked)).await?;
    let status = match &page.found {
        Found::Failed(problem) => problem.status,
        _ => StatusCode::OK,
    };
    Ok((status, page).into_response())
}

/// `POST /`: the form, with or without a photo. Answers with the URL that shows the result.
pub async fn ask(State(app): State<App>, form: Parts) -> Result<Response, Problem> {
    let text = |name: &str| form.field(name).unwrap_or_default().to_owned();
    let mut asked = Asked {
        c: text("c"),
        q: text("q").trim().to_owned(),
        tag: text("tag"),
        folder: text("in"),
        since: text("since").trim().to_owned(),
        until: text("until").trim().to_owned(),
        ..Asked::default()
    };
    let kept = text("kept");
    // Photos with captions are asked by both at once.
    let both = form.field("both").is_some();
    let photo = form.files.into_iter().find(|file| file.field == "photo" && !file.bytes.is_empty());
    if let Some(photo) = photo {
        if !both {
            asked.q.clear();
        }
        asked.photo = app.work(move |app| keep(app, &photo.bytes)).await?;
    } else if asked.q.is_empty() || both {
        asked.photo = kept;
    }
    Ok(see(&asked.url(0)))
}

fn keep(app: &App, bytes: &[u8]) -> Result<String, Problem> {
    app.library().photo_limits().check_bytes(bytes.len() as u64)?;
    app.0.queries.keep(bytes).map_err(|e| {
        let detail = format!("the photo cannot be kept for this search ({e}); is the disk full?");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "query.not_kept", detail)
    })
}

impl SearchPage {
    fn make(app: &App, prefs: Prefs, mut asked: Asked) -> Result<Self, Problem> {
        let s = Shell::new(app, prefs, "search");
        let collections = app.library().collections()?;
        let chosen = match asked.c.as_str() {
            "" => collections.iter().find(|c| c.items > 0).or(collections.first()),
            name => collections.iter().find(|c| c.name.as_str() == name),
        };
        let Some(chosen) = chosen else {
            let found = match asked.c.parse::<CollectionName>() {
                Err(e) if !asked.c.is_empty() => Found::Failed(e.into()),
                Ok(name) => Found::Failed(
                    app.library().collection(&name).err().map_or_else(Problem::internal, Into::into),
                ),
                Err(_) => Found::Nothing,
            };
            let form = AskForm::new(&collections, None, &asked, Vec::new());
            return Ok(Self { s, form, found, starter: false, filling: false });
        };
        asked.c = chosen.name.to_string();
        let collection = app.library().collection(&chosen.name)?;
        let form = AskForm::new(&collections, Some(chosen), &asked, collection.tags()?);
        let found = find(app, &collection, chosen, &asked, s.l).unwrap_or_else(Found::Failed);
        let starter = chosen.encoder.as_ref().is_some_and(|name| app.library().catalog().is_starter(name));
        let filling = matches!(&found, Found::Start(examples) if examples.is_empty())
            && Strip::is_filling(app.library(), &chosen.name);
        Ok(Self { s, form, found, starter, filling })
    }
}

fn find(
    app: &App,
    collection: &Collection,
    info: &CollectionInfo,
    asked: &Asked,
    l: Lang,
) -> Result<Found, Problem> {
    let Some((ask, means)) = ask_of(app, info, asked)? else {
        return Ok(Found::Start(examples(collection)?));
    };
    let size = if info.kind == Kind::Photos { PHOTOS } else { ANSWERS };
    let offset = asked.offset();
    let filter = asked.filter()?;
    let filtered = !filter.is_empty();
    // One more than is shown tells whether there is a next page.
    let page = Page { k: size + 1, offset, min_score: None };
    let mut answer = searching::run(app.library(), &info.name, &searching::Query { ask, page, filter })?;
    let more = answer.hits.len() > size;
    answer.hits.truncate(size);
    let about = About::of(&answer, info, means, filtered, offset);
    let earlier = (offset > 0).then(|| asked.url(offset.saturating_sub(size)));
    let later = more.then(|| asked.url(offset + size));
    Ok(listing(info, answer, about, earlier, later, &asked.q, l))
}

/// `None`: nothing is asked.
fn ask_of(app: &App, info: &CollectionInfo, asked: &Asked) -> Result<Option<(Ask, Means)>, Problem> {
    let words = Some(asked.q.clone()).filter(|q| !q.trim().is_empty());
    let photos = info.kind == Kind::Photos;
    let like = if !asked.photo.is_empty() {
        Some(Like::Photo(app.0.queries.get(&asked.photo).ok_or_else(pictures::gone)?))
    } else if !asked.item.is_empty() {
        Some(Like::Item(asked.item.parse::<ItemKey>()?))
    } else {
        None
    };
    Ok(match (like, words) {
        (Some(like), Some(words)) if photos => Some((Ask::Both(like, words), Means::Both)),
        (Some(Like::Photo(bytes)), _) => Some((Ask::Photo(bytes), Means::Photo)),
        (Some(Like::Item(key)), _) => Some((Ask::Item(key), Means::Item)),
        (None, Some(words)) if !photos => Some((Ask::Text(words), Means::Text)),
        (None, Some(words)) if info.captions > 0 => Some((Ask::Text(words), Means::Captions)),
        (None, Some(words)) => Some((Ask::Text(words), Means::Words)),
        (None, None) => None,
    })
}

fn listing(
    info: &CollectionInfo,
    answer: Answer,
    about: About,
    earlier: Option<String>,
    later: Option<String>,
    asked: &str,
    l: Lang,
) -> Found {
    let encoder = answer.encoder.as_ref().map(|e| e.as_str());
    let notes = answer.notes.iter().map(|n| results::note(n, encoder, l)).collect();
    match info.kind {
        Kind::Photos => {
            let hits = answer.hits.iter().filter_map(|hit| results::photo(&info.name, hit, l)).collect();
            Found::Photos(Listing { hits, notes, earlier, later, about })
        }
        Kind::Faq => {
            let hits = answer.hits.iter().filter_map(|hit| results::answer(&info.name, hit, asked)).collect();
            Found::Answers(Listing { hits, notes, earlier, later, about })
        }
    }
}

/// Three items from here and there in the collection.
fn examples(collection: &Collection) -> Result<Vec<Example>, Problem> {
    let items = collection.list(&Filter::default(), None, 60)?;
    let step = (items.len() / 3).max(1);
    Ok(items.iter().step_by(step).take(3).map(|item| example(collection.name(), item)).collect())
}

fn example(name: &CollectionName, item: &Item) -> Example {
    let key = item.key.as_str();
    match &item.body {
        Body::Photo { .. } => {
            let content = item.content.as_ref().map(ToString::to_string).unwrap_or_default();
            Example {
                url: link::search(&[("c", name.as_str()), ("item", key)]),
                label: label(key).to_owned(),
                thumb: Some(link::thumb(name, &item.key, &content)),
            }
        }
        Body::Faq { question, .. } => Example {
            url: link::search(&[("c", name.as_str()), ("q", question)]),
            label: question.clone(),
            thumb: None,
        },
    }
}

/// The form as it was sent.
pub struct AskForm {
    pub collections: Vec<Choice>,
    pub text: String,
    pub photo: Option<String>,
    pub item: Option<ItemChip>,
    pub tags: Vec<Tag>,
    pub folder: String,
    pub since: String,
    pub until: String,
    /// Its photos have captions: a photo and words may be given together.
    pub both: bool,
    /// Where a photo is searched that is dropped on the page: here, else in the first collection of photos.
    pub photos: Option<String>,
    kind: Option<Kind>,
    asked: Asked,
}

/// A collection to choose.
pub struct Choice {
    pub name: String,
    pub items: String,
    pub chosen: bool,
}

/// A tag to choose.
pub struct Tag {
    pub name: String,
    pub count: String,
    pub chosen: bool,
}

/// The item that others are to be like.
pub struct ItemChip(String);

impl ItemChip {
    pub fn label(&self) -> &str {
        label(&self.0)
    }
}

impl std::fmt::Display for ItemChip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl AskForm {
    fn new(
        all: &[CollectionInfo],
        chosen: Option<&CollectionInfo>,
        asked: &Asked,
        tags: Vec<(String, u64)>,
    ) -> Self {
        let is_chosen = |c: &CollectionInfo| chosen.is_some_and(|chosen| chosen.name == c.name);
        let choice = |c: &CollectionInfo| Choice {
            name: c.name.to_string(),
            items: format::number(c.items),
            chosen: is_chosen(c),
        };
        let tag = |(name, count): (String, u64)| Tag {
            chosen: name == asked.tag,
            name,
            count: format::number(count),
        };
        let some = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let photos = |c: &&CollectionInfo| c.kind == Kind::Photos && (is_chosen(c) || c.items > 0);
        Self {
            photos: chosen.filter(photos).or_else(|| all.iter().find(photos)).map(|c| c.name.to_string()),
            collections: all.iter().map(choice).collect(),
            text: asked.q.clone(),
            photo: some(&asked.photo).filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit())),
            item: some(&asked.item).map(ItemChip),
            tags: tags.into_iter().take(200).map(tag).collect(),
            folder: asked.folder.clone(),
            since: asked.since.clone(),
            until: asked.until.clone(),
            both: chosen.is_some_and(|c| c.captions > 0),
            kind: chosen.map(|c| c.kind),
            asked: asked.clone(),
        }
    }

    pub fn takes_photos(&self) -> bool {
        self.kind == Some(Kind::Photos)
    }

    pub fn placeholder(&self, l: Lang) -> &'static str {
        match (self.takes_photos(), self.both) {
            (true, true) => l.ask_captions(),
            (true, false) => l.ask_photos(),
            (false, _) => l.ask_faq(),
        }
    }

    pub fn can_filter(&self) -> bool {
        self.takes_photos() || !self.tags.is_empty()
    }

    /// A filter is set.
    pub fn filters(&self) -> bool {
        self.asked.filters()
    }

    pub fn collection_url(&self) -> String {
        format!("/c/{}", link::component(&self.asked.c))
    }

    /// The same search without its photo or item.
    pub fn without_photo(&self) -> String {
        Asked { photo: String::new(), item: String::new(), ..self.asked.clone() }.url(0)
    }
}
