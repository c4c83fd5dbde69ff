//! A question becomes ranked hits: decode or normalise, encode, scan a snapshot, read the items. Knows nothing of HTTP.

mod answer;
mod error;
mod fuse;
mod photos;
mod query;
mod words;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use crate::encoder::{Embedding, Role};
use crate::index;
use crate::library::{Collection, Found, Library, LoadedEncoder, Snapshot, Urgency, name_of};
use crate::meter::{self, Stage};
use crate::photo;
use crate::store::{Body, Filter, Item, ItemId};
use crate::text;
use crate::types::{CollectionName, EncoderName, ItemKey, Kind, Vector};

pub use answer::{Answer, Hit, Note, Shown, Timings};
pub use error::SearchError;
pub use fuse::{By, Match};
pub use query::{Ask, Like, Page, Query};

/// Longest text that is searched for, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// Asks one collection. Text asked of photos searches their captions, and their names, folders and tags.
///
/// # Errors
/// `query.*` for what cannot be asked, `vector.*`, `photo.*`, `collection.unknown`, and what stops the encoder.
pub fn run(library: &Library, collection: &CollectionName, query: &Query) -> Result<Answer, SearchError> {
    query.check()?;
    let begin = Instant::now();
    let collection = library.collection(collection)?;
    let mut answer = Answer::default();
    answer.timings_ms.load = ms(begin);
    match (&query.ask, collection.kind()) {
        (Ask::Text(words), Kind::Photos) if collection.captions().rows() == 0 => {
            return words::search(&collection, words, query, answer);
        }
        (Ask::Text(words), Kind::Photos) => {
            return photos::search(library, &collection, None, words, query, answer);
        }
        (Ask::Both(like, words), Kind::Photos) => {
            return photos::search(library, &collection, Some(like), words, query, answer);
        }
        (Ask::Both(..), Kind::Faq) => {
            return Err(SearchError::BothOfFaq { collection: collection.name().clone() });
        }
        _ => {}
    }
    // One snapshot for the whole question: a switch of encoders must not come between encoding and scanning.
    let snapshot = collection.snapshot();
    let Some(sought) = Sought::of(library, &collection, &snapshot, &query.ask, &mut answer)? else {
        return Ok(answer);
    };
    let begin = Instant::now();
    let (hits, used) = find(&collection, &snapshot, &sought, query)?;
    (answer.hits, answer.index) = (hits, name_of(&used));
    photos::note_pictures(&collection, &mut answer.hits);
    answer.timings_ms.search = ms(begin);
    Ok(answer)
}

/// What to look for in vector form.
struct Sought {
    vector: Vector,
    /// "More like this" leaves the item itself out.
    except: Option<ItemId>,
}

impl Sought {
    /// `None` where nothing can be found: the collection has no vector yet.
    fn of(
        library: &Library,
        collection: &Collection,
        snapshot: &Snapshot,
        ask: &Ask,
        answer: &mut Answer,
    ) -> Result<Option<Self>, SearchError> {
        let Some(bound) = snapshot.bound() else {
            answer.encoder = collection.record()?.encoder;
            return Self::nowhere(collection, ask);
        };
        answer.encoder = Some(bound.encoder.clone());
        let (vector, except) = match ask {
            Ask::Vector(values) => (Vector::unit(values.clone(), bound.space.dim)?, None),
            Ask::Item(key) => {
                let (vector, item) = vector_of(collection, snapshot, key)?;
                (vector, Some(item))
            }
            Ask::Photo(bytes) => (encode_photo(library, collection, snapshot, bytes, answer)?, None),
            Ask::Text(text) | Ask::Both(_, text) => {
                let encoder = load(collection, snapshot, answer)?;
                (encode_text(&encoder, text, answer)?, None)
            }
        };
        Ok(Some(Self { vector, except }))
    }

    fn nowhere(collection: &Collection, ask: &Ask) -> Result<Option<Self>, SearchError> {
        match ask {
            Ask::Item(key) => {
                Err(collection.get(key).map(|_| SearchError::LostVector { key: key.clone() })?)
            }
            Ask::Photo(_) if collection.kind() == Kind::Faq => {
                Err(SearchError::PhotoOfFaq { collection: collection.name().clone() })
            }
            _ => Ok(None),
        }
    }
}

fn vector_of(
    collection: &Collection,
    snapshot: &Snapshot,
    key: &ItemKey,
) -> Result<(Vector, ItemId), SearchError> {
    let item = collection.get(key)?;
    let vector = snapshot.vector(item.id, 0);
    Ok((vector.ok_or_else(|| SearchError::LostVector { key: key.clone() })?, item.id))
}

fn encode_photo(
    library: &Library,
    collection: &Collection,
    snapshot: &Snapshot,
    bytes: &[u8],
    answer: &mut Answer,
) -> Result<Vector, SearchError> {
    if collection.kind() == Kind::Faq {
        return Err(SearchError::PhotoOfFaq { collection: collection.name().clone() });
    }
    let encoder = load(collection, snapshot, answer)?;
    let begin = Instant::now();
    let limits = &library.photo_limits();
    limits.check_bytes(bytes.len() as u64)?;
    let preprocess = encoder.about().preprocess().expect("a photo encoder has its preprocessing");
    let crop = preprocess.apply(&meter::time(Stage::Decode, || photo::decode(bytes, limits))?.pixels);
    answer.timings_ms.decode = ms(begin);
    let begin = Instant::now();
    let embedding = encoder.crops(std::slice::from_ref(&crop), Urgency::Interactive)?.remove(0);
    answer.timings_ms.encode = ms(begin);
    Ok(embedding.vector)
}

fn encode_text(encoder: &LoadedEncoder, text: &str, answer: &mut Answer) -> Result<Vector, SearchError> {
    let begin = Instant::now();
    if !encoder.about().reads(text) {
        answer.notes.push(unread(encoder.about().name(), text));
    }
    answer.timings_ms.decode += ms(begin);
    let begin = Instant::now();
    // Question against question is symmetric: both sides are passages.
    let Embedding { vector, truncated } =
        encoder.texts(&[text], Role::Passage, Urgency::Interactive)?.remove(0);
    answer.truncated = truncated;
    if truncated {
        let message = "The text is longer than the encoder reads; its end was left out.".to_owned();
        answer.notes.push(Note { code: "text.truncated", message });
    }
    answer.timings_ms.encode += ms(begin);
    Ok(vector)
}

fn unread(encoder: &EncoderName, text: &str) -> Note {
    let language = match text::language(text) {
        text::Language::Zh => "Chinese",
        text::Language::En => "English",
        text::Language::Mixed => "Chinese and English",
        text::Language::Other => "the script of this text",
    };
    let message = format!(
        "The encoder {encoder} does not read {language}, so these hits mean little; index the collection with one that does."
    );
    Note { code: "encoder.script", message }
}

fn load(
    collection: &Collection,
    snapshot: &Snapshot,
    answer: &mut Answer,
) -> Result<std::sync::Arc<LoadedEncoder>, SearchError> {
    let begin = Instant::now();
    let encoder = collection.encoder_of(snapshot)?;
    answer.timings_ms.load += ms(begin);
    Ok(encoder)
}

fn find(
    collection: &Collection,
    snapshot: &Snapshot,
    sought: &Sought,
    query: &Query,
) -> Result<(Vec<Hit>, BTreeSet<index::By>), SearchError> {
    let allowed = allowed(collection, &query.filter)?;
    let page = &query.page;
    let wanted = page.offset.saturating_add(page.k).saturating_add(usize::from(sought.except.is_some()));
    let mut want = wanted.min(snapshot.rows());
    loop {
        let (mut found, used) =
            meter::time(Stage::Search, || snapshot.search(&sought.vector, want, allowed.as_ref()));
        let exhausted = found.len() < want || want >= snapshot.rows();
        found.retain(|f| Some(f.item) != sought.except);
        if let Some(floor) = page.min_score {
            found.retain(|f| f.score.0 >= floor);
        }
        let hits = meter::time(Stage::Items, || read(collection, &found, page))?;
        // Items that went between scan and reading leave places for the next ones.
        let short = hits.len() < page.k.min(found.len().saturating_sub(page.offset));
        if exhausted || !short {
            return Ok((hits, used));
        }
        want = want.saturating_mul(2).min(snapshot.rows());
    }
}

/// The items that a filter lets answer; `None` lets all.
fn allowed(collection: &Collection, filter: &Filter) -> Result<Option<HashSet<ItemId>>, SearchError> {
    if filter.is_empty() {
        return Ok(None);
    }
    Ok(Some(collection.store().matching(collection.id(), filter)?.into_iter().collect()))
}

/// The page's hits, read in one go; an item that is gone since the scan is left out.
fn read(collection: &Collection, found: &[Found], page: &Page) -> Result<Vec<Hit>, SearchError> {
    let ids: Vec<ItemId> = found.iter().map(|f| f.item).collect();
    let ids = &ids[..ids.len().min(page.offset.saturating_add(page.k).saturating_add(16))];
    let items: HashMap<ItemId, Item> =
        collection.store().items(ids)?.into_iter().map(|item| (item.id, item)).collect();
    let there = found.iter().filter_map(|f| Some((f, items.get(&f.item)?)));
    let page_of = there.enumerate().skip(page.offset).take(page.k);
    Ok(page_of.map(|(i, (f, item))| hit(item, f.part, f.score.0, i + 1)).collect())
}

fn hit(item: &Item, part: u16, score: f32, rank: usize) -> Hit {
    let shown = match &item.body {
        Body::Photo { width, height, .. } => Shown::Photo {
            width: *width,
            height: *height,
            content: item.content.as_ref().map(ToString::to_string).unwrap_or_default(),
            caption: item.caption().map(str::to_owned),
        },
        Body::Faq { question, answer, language } => Shown::Faq {
            question: question.clone(),
            wording: wording(item, part).unwrap_or(question).to_owned(),
            answer: answer.clone(),
            language: language.clone(),
        },
    };
    let (key, tags, date) = (item.key.clone(), item.tags.clone(), item.date.clone());
    Hit { key, score, rank, matched: Vec::new(), tags, date, shown }
}

fn wording(item: &Item, part: u16) -> Option<&str> {
    item.parts.iter().find(|p| p.part == part)?.text.as_deref()
}

/// Milliseconds since `begin`.
fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

/// Whether an item of that key would be found: what a page checks before it offers "more like this".
pub fn has_vector(collection: &Collection, key: &ItemKey) -> bool {
    collection.get(key).is_ok_and(|item| collection.snapshot().vector(item.id, 0).is_some())
}
