//! An answer as the search page shows it. Knows nothing of how it was asked.

use crate::library::CollectionInfo;
use crate::search::{Answer, By, Hit, Match, Note, Shown};
use crate::types::{CollectionName, Kind};
use crate::web::lang::Lang;
use crate::web::problem::Problem;
use crate::web::{format, link};

/// What the page shows below the box.
pub enum Found {
    /// There is no collection.
    Nothing,
    /// Nothing was asked yet.
    Start(Vec<Example>),
    Photos(Listing<PhotoHit>),
    Answers(Listing<AnswerHit>),
    Failed(Problem),
}

impl Found {
    /// The page greets rather than answers.
    pub fn is_start(&self) -> bool {
        matches!(self, Self::Nothing | Self::Start(_))
    }
}

/// Something of the collection itself to begin with.
pub struct Example {
    pub url: String,
    pub label: String,
    pub thumb: Option<String>,
}

/// How the question was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    Words,
    Text,
    Photo,
    Item,
    /// Words asked of captions.
    Captions,
    /// A photo or an item, and words.
    Both,
}

/// Hits with what is said about them.
pub struct Listing<H> {
    pub hits: Vec<H>,
    pub notes: Vec<String>,
    pub earlier: Option<String>,
    pub later: Option<String>,
    pub about: About,
}

/// What is said about hits.
pub struct About {
    pub kind: Kind,
    pub means: Means,
    pub filtered: bool,
    pub offset: usize,
    encoder: Option<String>,
    caption_encoder: Option<String>,
    dim: Option<String>,
    timings: [f64; 4],
}

impl About {
    pub fn of(
        answer: &Answer,
        collection: &CollectionInfo,
        means: Means,
        filtered: bool,
        offset: usize,
    ) -> Self {
        let t = answer.timings_ms;
        Self {
            kind: collection.kind,
            means,
            filtered,
            offset,
            encoder: answer.encoder.as_ref().map(ToString::to_string),
            caption_encoder: answer.caption_encoder.as_ref().map(ToString::to_string),
            dim: collection.dim.map(|d| d.to_string()),
            timings: [t.decode, t.encode, t.search, t.load],
        }
    }
}

impl<H> Listing<H> {
    pub fn count(&self, l: Lang) -> String {
        let n = self.hits.len() as u64;
        match self.about.kind {
            Kind::Photos => l.count_photos(n),
            Kind::Faq => l.count_answers(n),
        }
    }

    /// "photo, 2048-d resnet50".
    pub fn understood(&self, l: Lang) -> String {
        let what = match self.about.means {
            Means::Words => return l.as_words().to_owned(),
            Means::Captions => return self.with_captions(l.as_captions(), l),
            Means::Both => return self.with_captions(l.as_both(), l),
            Means::Text => l.as_text(),
            Means::Photo => l.as_photo(),
            Means::Item => l.as_item(),
        };
        match (&self.about.encoder, &self.about.dim) {
            (Some(encoder), Some(dim)) => l.understood(what, encoder, dim),
            (Some(encoder), None) => l.understood_short(what, encoder),
            (None, _) => what.to_owned(),
        }
    }

    fn with_captions(&self, what: &str, l: Lang) -> String {
        let encoders: Vec<&str> =
            self.about.encoder.iter().chain(&self.about.caption_encoder).map(String::as_str).collect();
        if encoders.is_empty() { what.to_owned() } else { l.understood_short(what, encoders.join(" + ")) }
    }

    pub fn took(&self, l: Lang) -> String {
        l.took(format::millis(self.about.timings.iter().sum()))
    }

    pub fn timings(&self, l: Lang) -> String {
        let [decode, encode, search, load] = self.about.timings.map(format::millis);
        l.timings(decode, encode, search, load)
    }

    /// What to do when nothing was found.
    pub fn advice(&self, l: Lang) -> &'static str {
        match (self.about.filtered, self.about.means, self.about.kind) {
            (true, ..) => l.none_filter(),
            (_, Means::Item | Means::Both, _) => l.none_else(),
            _ if self.about.offset > 0 => l.none_else(),
            (_, Means::Words | Means::Captions, _) => l.none_words(),
            (_, _, Kind::Faq) => l.none_faq(),
            (_, _, Kind::Photos) => l.empty_collection(),
        }
    }

    pub fn first_rank(&self) -> usize {
        self.about.offset + 1
    }
}

impl Listing<AnswerHit> {
    /// The best answer, on the first page.
    pub fn best(&self) -> &[AnswerHit] {
        &self.hits[..self.split()]
    }

    pub fn others(&self) -> &[AnswerHit] {
        &self.hits[self.split()..]
    }

    fn split(&self) -> usize {
        if self.about.offset == 0 { self.hits.len().min(1) } else { 0 }
    }
}

/// A score as bar and figure.
pub struct Score(f32);

impl Score {
    pub fn bar(&self) -> f32 {
        format::bar(self.0)
    }
    pub fn figure(&self) -> String {
        format::score(self.0)
    }
    pub fn exact(&self) -> f32 {
        self.0
    }
}

/// A photo found.
pub struct PhotoHit {
    pub key: String,
    /// The file's name without its folders.
    pub label: String,
    pub url: String,
    pub thumb: String,
    pub more: String,
    pub score: Score,
    pub caption: Option<String>,
    /// What of it answered, and the score of each part.
    pub by: Option<&'static str>,
    pub parts: String,
}

/// An FAQ entry found.
pub struct AnswerHit {
    pub question: String,
    pub wording: String,
    pub answer: String,
    /// Where all of it is, if the answer is only begun here.
    pub whole: Option<String>,
    pub language: String,
    pub tags: Vec<TagLink>,
    pub more: String,
    pub score: Score,
}

/// So much of a question and of an answer stands in a list.
pub const QUESTION_CHARS: usize = 1_000;
pub const ANSWER_CHARS: usize = 20_000;

/// A tag that narrows the search.
pub struct TagLink {
    pub name: String,
    pub url: String,
}

impl TagLink {
    /// All items of a collection that have a tag.
    pub fn of(name: &CollectionName, tag: &str) -> Self {
        Self { name: tag.to_owned(), url: link::search(&[("c", name.as_str()), ("q", tag), ("tag", tag)]) }
    }
}

pub fn photo(name: &CollectionName, hit: &Hit, l: Lang) -> Option<PhotoHit> {
    let Shown::Photo { content, caption, .. } = &hit.shown else { return None };
    Some(PhotoHit {
        label: label(hit.key.as_str()).to_owned(),
        url: link::item(name, &hit.key),
        thumb: link::thumb(name, &hit.key, content),
        more: link::search(&[("c", name.as_str()), ("item", hit.key.as_str())]),
        score: Score(hit.score),
        key: hit.key.to_string(),
        caption: caption.clone(),
        by: by(&hit.matched, l),
        parts: parts(&hit.matched, l),
    })
}

/// The picture and the caption tell more than the words do.
fn by(matched: &[Match], l: Lang) -> Option<&'static str> {
    let has = |by: By| matched.iter().any(|m| m.by == by);
    match (has(By::Picture), has(By::Caption), has(By::Words)) {
        (true, true, _) => Some(l.by_picture_caption()),
        (true, false, _) => Some(l.by_picture()),
        (false, true, _) => Some(l.by_caption()),
        (false, false, true) => Some(l.by_words()),
        (false, false, false) => None,
    }
}

/// `by its picture: 1st place, 0.93`, for each part.
fn parts(matched: &[Match], l: Lang) -> String {
    let part = |m: &Match| {
        let by = match m.by {
            By::Picture => l.by_picture(),
            By::Caption => l.by_caption(),
            By::Words => l.by_words(),
        };
        format!("{by}: #{}, {}", m.rank, format::score(m.score))
    };
    matched.iter().map(part).collect::<Vec<_>>().join(" · ")
}

pub fn answer(name: &CollectionName, hit: &Hit, asked: &str) -> Option<AnswerHit> {
    let Shown::Faq { question, wording, answer, language } = &hit.shown else { return None };
    let tag = |tag: &String| TagLink {
        name: tag.clone(),
        url: link::search(&[("c", name.as_str()), ("q", asked), ("tag", tag)]),
    };
    let (answer, is_whole) = format::clip(answer, ANSWER_CHARS);
    Some(AnswerHit {
        question: format::clip(question, QUESTION_CHARS).0,
        wording: format::clip(wording, QUESTION_CHARS).0,
        answer,
        whole: (!is_whole).then(|| link::item(name, &hit.key)),
        language: language.clone(),
        tags: hit.tags.iter().map(tag).collect(),
        more: link::search(&[("c", name.as_str()), ("item", hit.key.as_str())]),
        score: Score(hit.score),
    })
}

/// A key's last part.
pub fn label(key: &str) -> &str {
    key.rsplit('/').find(|part| !part.is_empty()).unwrap_or(key)
}

/// A note in the reader's language where it is known, else as it came.
pub fn note(note: &Note, encoder: Option<&str>, l: Lang) -> String {
    match (note.code, encoder) {
        ("search.words", _) => l.no_words_found().to_owned(),
        ("text.truncated", _) => l.truncated().to_owned(),
        ("encoder.script", Some(encoder)) => l.encoder_not_reading(encoder),
        _ => note.message.clone(),
    }
}
