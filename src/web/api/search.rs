//! Search and ask: one question in JSON or as a form with a photo, ranked hits out.

use axum::Json as Out;
use axum::extract::{FromRequest, Request, State};
use serde::Deserialize;

use super::forms;
use crate::faq;
use crate::search::{self, Answer, Ask, Like, Page, Query};
use crate::store::Filter;
use crate::types::{CollectionName, DateError, ItemKey};
use crate::web::App;
use crate::web::extract::{Json, Path, is_multipart, json};
use crate::web::multipart::Parts;
use crate::web::problem::Problem;

/// Hits given when the asker names no number.
const K: usize = 10;

/// The body of a search: one of the first four says what is sought, or `text` together with a photo or an item.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    text: Option<String>,
    vector: Option<Vec<f32>>,
    item: Option<ItemKey>,
    /// Only in a form.
    #[serde(skip)]
    photo: Option<Vec<u8>>,
    k: Option<usize>,
    offset: Option<usize>,
    min_score: Option<f32>,
    filter: Option<Filter>,
}

/// Searches by one of text, vector, item, or a photo in a form.
#[utoipa::path(post, path = "/api/v1/collections/{c}/search", tag = "search", params(("c" = CollectionName, Path, description = "The collection")),
    request_body(content((Asked = "application/json"), (forms::Search = "multipart/form-data"))),
    responses((status = 200, description = "Ranked hits", body = Answer)))]
pub async fn search(
    State(app): State<App>,
    Path(c): Path<String>,
    request: Request,
) -> Result<Out<Answer>, Problem> {
    let name: CollectionName = c.parse()?;
    let asked = if is_multipart(request.headers()) {
        Asked::of_form(Parts::from_request(request, &app).await?)?
    } else {
        Json::<Asked>::from_request(request, &()).await?.0
    };
    let query = asked.query()?;
    Ok(Out(app.work(move |app| search::run(app.library(), &name, &query)).await?))
}

/// The body of a question to an FAQ.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    text: String,
    #[serde(default)]
    k: Option<usize>,
}

/// Asks an FAQ.
#[utoipa::path(post, path = "/api/v1/collections/{c}/ask", tag = "search", params(("c" = CollectionName, Path, description = "The collection")), request_body = Question,
    responses((status = 200, description = "Ranked answers", body = Answer)))]
pub async fn ask(
    State(app): State<App>,
    Path(c): Path<String>,
    Json(question): Json<Question>,
) -> Result<Out<Answer>, Problem> {
    let name: CollectionName = c.parse()?;
    let k = question.k.unwrap_or(K);
    Ok(Out(app.work(move |app| faq::ask(app.library(), &name, &question.text, k)).await?))
}

impl Asked {
    fn of_form(form: Parts) -> Result<Self, Problem> {
        const KNOWN: [&str; 11] = [
            "photo",
            "text",
            "item",
            "k",
            "offset",
            "min_score",
            "filter",
            "tags",
            "path_prefix",
            "date_from",
            "date_to",
        ];
        form.only(&KNOWN)?;
        let mut filter: Filter = match form.field("filter") {
            Some(text) => json(text.as_bytes()).map_err(below_filter)?,
            None => Filter::default(),
        };
        filter.tags.extend(form.all("tags").filter(|tag| !tag.is_empty()).map(str::to_owned));
        if let Some(prefix) = form.field("path_prefix") {
            filter.path_prefix = Some(prefix.to_owned());
        }
        for (name, side) in [("date_from", &mut filter.date_from), ("date_to", &mut filter.date_to)] {
            if let Some(text) = form.field(name) {
                *side = Some(text.parse().map_err(|e: DateError| Problem::from(e).at(name))?);
            }
        }
        let asked = Self {
            text: form.field("text").map(str::to_owned),
            item: form.field("item").map(str::parse).transpose()?,
            vector: None,
            k: number(&form, "k")?,
            offset: number(&form, "offset")?,
            min_score: number(&form, "min_score")?,
            filter: Some(filter),
            photo: None,
        };
        let photo = form.files.into_iter().find(|file| file.field == "photo").map(|file| file.bytes);
        Ok(Self { photo, ..asked })
    }

    fn query(self) -> Result<Query, Problem> {
        let given = [
            ("text", self.text.is_some()),
            ("vector", self.vector.is_some()),
            ("item", self.item.is_some()),
            ("photo", self.photo.is_some()),
        ];
        // Words and a picture go together.
        let worded = given[0].1 && (given[2].1 ^ given[3].1) && !given[1].1;
        let mut given = given.iter().filter(|(_, there)| *there && !worded).map(|(name, _)| *name);
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            let detail = format!(
                "{first} and {second} are both given; search by one of them, or by text with a photo or an item"
            );
            return Err(Problem::input("search.too_many", second, detail));
        }
        let ask = match (self.text, self.vector, self.item, self.photo) {
            (Some(text), _, Some(item), _) => Ask::Both(Like::Item(item), text),
            (Some(text), _, _, Some(photo)) => Ask::Both(Like::Photo(photo), text),
            (Some(text), ..) => Ask::Text(text),
            (_, Some(vector), ..) => Ask::Vector(vector),
            (_, _, Some(item), _) => Ask::Item(item),
            (_, _, _, Some(photo)) => Ask::Photo(photo),
            _ => {
                let detail = "nothing to search by; give text, vector or item, or a form with a photo";
                return Err(Problem::input("search.nothing_asked", "text", detail));
            }
        };
        let page =
            Page { k: self.k.unwrap_or(K), offset: self.offset.unwrap_or(0), min_score: self.min_score };
        Ok(Query { ask, page, filter: self.filter.unwrap_or_default() })
    }
}

/// A filter inside a form's part: its fields are `filter`'s.
fn below_filter(mut problem: Problem) -> Problem {
    problem.field = Some(problem.field.map_or("filter".to_owned(), |field| format!("filter.{field}")));
    if problem.code == "request.unknown_field" {
        problem.code = "filter.unknown_field".to_owned();
    }
    problem
}

fn number<T: std::str::FromStr>(form: &Parts, name: &'static str) -> Result<Option<T>, Problem> {
    let Some(text) = form.field(name) else { return Ok(None) };
    let parsed = text.trim().parse().map_err(|_| {
        Problem::input("request.field", name, format!("{name} is {text:?}, which is no number; correct it"))
    })?;
    Ok(Some(parsed))
}
