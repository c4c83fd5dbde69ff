//! An item's own page: the photo large, or the whole entry, with what is known of it.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;

use super::results::{TagLink, label};
use super::shell::Shell;
use crate::store::{Body, Item};
use crate::types::{CollectionName, ItemKey};
use crate::web::extract::Path;
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;
use crate::web::{App, format, link};

/// Longest side of a photo as it is shown; the library re-encodes to this.
const SIDE: f64 = 1600.0;

#[derive(Template, WebTemplate)]
#[template(path = "item.html")]
pub struct ItemPage {
    s: Shell,
    collection: String,
    collection_url: String,
    key: String,
    label: String,
    photo: Option<String>,
    /// Width and height, so that the page does not move when the photo arrives.
    shown_size: Option<(u32, u32)>,
    answer: Option<String>,
    caption: Option<String>,
    tags: Vec<TagLink>,
    more: String,
    facts: Vec<Fact>,
}

struct Fact {
    name: &'static str,
    value: String,
}

/// `GET /c/{c}/item/{key}`
pub async fn show(
    State(app): State<App>,
    prefs: Prefs,
    Path((c, key)): Path<(String, String)>,
) -> Result<ItemPage, Problem> {
    let (name, key): (CollectionName, ItemKey) = (c.parse()?, key.parse()?);
    app.work(move |app| {
        let item = app.library().collection(&name)?.get(&key)?;
        Ok::<_, Problem>(page(Shell::new(app, prefs, "search"), &name, &item))
    })
    .await
}

fn page(s: Shell, name: &CollectionName, item: &Item) -> ItemPage {
    let key = item.key.as_str();
    let mut page = ItemPage {
        facts: facts(item, s.l),
        s,
        collection: name.to_string(),
        collection_url: link::collection(name),
        key: key.to_owned(),
        label: label(key).to_owned(),
        photo: None,
        shown_size: None,
        answer: None,
        caption: item.caption().map(str::to_owned),
        tags: item.tags.iter().map(|tag| TagLink::of(name, tag)).collect(),
        more: link::search(&[("c", name.as_str()), ("item", key)]),
    };
    match &item.body {
        Body::Photo { width, height, .. } => {
            let content = item.content.as_ref().map(ToString::to_string).unwrap_or_default();
            let version: String = content.chars().take(16).collect();
            page.photo = Some(format!("{}?v={version}", link::photo(name, &item.key)));
            page.shown_size = Some(fit(*width, *height));
        }
        Body::Faq { question, answer, .. } => {
            page.label = question.clone();
            page.answer = Some(answer.clone());
        }
    }
    page
}

fn fit(width: u32, height: u32) -> (u32, u32) {
    let scale = (SIDE / f64::from(width.max(height).max(1))).min(1.0);
    let side = |n: u32| ((f64::from(n) * scale).round() as u32).max(1);
    (side(width), side(height))
}

fn facts(item: &Item, l: Lang) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name, value: String| {
        if !value.is_empty() {
            facts.push(Fact { name, value });
        }
    };
    match &item.body {
        Body::Photo { width, height, format, bytes, .. } => {
            add(l.size(), format!("{width} × {height}"));
            add(l.format(), format.to_uppercase());
            add(l.on_disk(), format::size(*bytes));
        }
        Body::Faq { question, language, .. } => {
            add(l.language(), language.clone());
            let wordings: Vec<&str> =
                item.parts.iter().filter_map(|p| p.text.as_deref()).filter(|t| t != question).collect();
            add(l.wordings(), wordings.join(" · "));
        }
    }
    add(l.date(), item.date.as_ref().map(|date| date.as_str().replace('T', " ")).unwrap_or_default());
    facts
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_photo_is_fitted_without_changing_its_shape() {
        assert_eq!(super::fit(8000, 6000), (1600, 1200));
        assert_eq!(super::fit(10, 20), (10, 20));
        assert_eq!(super::fit(100_000, 1), (1600, 1));
    }
}
