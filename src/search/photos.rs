//! Photos asked by their words, and by words and a picture together: a ranking for each part, fused by rank.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use super::answer::{Answer, Hit, Shown};
use super::fuse::{self, By, Fused, Match, Ranking};
use super::query::Like;
use super::{Query, SearchError, allowed, encode_photo, encode_text, hit, ms, vector_of, words};
use crate::encoder::EncoderError;
use crate::index;
use crate::library::{Collection, Library, LibraryError, Snapshot, name_of};
use crate::store::{Item, ItemId};
use crate::types::Vector;

/// Items that each ranking brings at least, so that pages of one search are cut from one order.
const DEPTH: usize = 1024;

/// Ranks photos by their captions and by their words, and by their pictures where `like` says what they should look like.
pub fn search(
    library: &Library,
    collection: &Collection,
    like: Option<&Like>,
    text: &str,
    query: &Query,
    mut answer: Answer,
) -> Result<Answer, SearchError> {
    // One snapshot for the whole question: a switch of encoders must not come between encoding and scanning.
    let snapshot = collection.snapshot();
    let picture = like.map(|like| sought(library, collection, &snapshot, like, &mut answer)).transpose()?;
    let captions = collection.captions();
    let caption = caption_sought(collection, &captions, text, &mut answer)?;
    let begin = Instant::now();
    let allowed = allowed(collection, &query.filter)?;
    let mut looking = Looking { query, allowed, except: None, used: BTreeSet::new() };
    let mut rankings = Vec::new();
    if let Some((Some(vector), except)) = picture {
        looking.except = except;
        rankings.push(looking.ranking(By::Picture, &snapshot, &vector));
    }
    if let Some(vector) = caption {
        rankings.push(looking.ranking(By::Caption, &captions, &vector));
    }
    let worded = words::ranked(collection, text, query)?.into_iter().map(|(item, score)| (item.id, score));
    rankings.push(Ranking {
        by: By::Words,
        found: worded.filter(|(id, _)| Some(*id) != looking.except).collect(),
    });
    answer.hits = read(collection, fuse::fuse(&rankings), query)?;
    answer.index = match looking.used.is_empty() {
        true => "words".to_owned(),
        false => format!("{} + words", name_of(&looking.used)),
    };
    answer.timings_ms.search = ms(begin);
    Ok(answer)
}

/// Says of hits by picture alone that they are, where photos have captions to answer by as well.
pub(super) fn note_pictures(collection: &Collection, hits: &mut [Hit]) {
    if collection.captions().rows() == 0 {
        return;
    }
    for hit in hits.iter_mut().filter(|hit| matches!(hit.shown, Shown::Photo { .. })) {
        hit.matched = vec![Match { by: By::Picture, rank: hit.rank, score: hit.score }];
    }
}

/// The picture's vector (none in a collection without any), and the item that is left out.
type Sought = (Option<Vector>, Option<ItemId>);

fn sought(
    library: &Library,
    collection: &Collection,
    snapshot: &Snapshot,
    like: &Like,
    answer: &mut Answer,
) -> Result<Sought, SearchError> {
    answer.encoder = snapshot.bound().map(|bound| bound.encoder.clone());
    Ok(match like {
        Like::Item(key) => {
            let (vector, item) = vector_of(collection, snapshot, key)?;
            (Some(vector), Some(item))
        }
        Like::Photo(_) if snapshot.bound().is_none() => (None, None),
        Like::Photo(bytes) => (Some(encode_photo(library, collection, snapshot, bytes, answer)?), None),
    })
}

/// `None` where there is no caption, or no word that their encoder finds.
fn caption_sought(
    collection: &Collection,
    captions: &Snapshot,
    text: &str,
    answer: &mut Answer,
) -> Result<Option<Vector>, SearchError> {
    if captions.rows() == 0 {
        return Ok(None);
    }
    let begin = Instant::now();
    let encoder = collection.encoder_of(captions)?;
    answer.timings_ms.load += ms(begin);
    answer.caption_encoder = Some(encoder.about().name().clone());
    match encode_text(&encoder, text, answer) {
        Ok(vector) => Ok(Some(vector)),
        Err(SearchError::Library(LibraryError::Encoder(EncoderError::EmptyText { .. }))) => Ok(None),
        Err(e) => Err(e),
    }
}

struct Looking<'a> {
    query: &'a Query,
    allowed: Option<HashSet<ItemId>>,
    except: Option<ItemId>,
    used: BTreeSet<index::By>,
}

impl Looking<'_> {
    fn ranking(&mut self, by: By, snapshot: &Snapshot, vector: &Vector) -> Ranking {
        let page = &self.query.page;
        let wanted = page.offset.saturating_add(page.k).saturating_add(1);
        let depth = wanted.checked_next_power_of_two().unwrap_or(wanted).max(DEPTH).min(snapshot.rows());
        let (found, used) = snapshot.search(vector, depth, self.allowed.as_ref());
        self.used.extend(used);
        let floor = page.min_score;
        let found = found
            .into_iter()
            .filter(|f| Some(f.item) != self.except && floor.is_none_or(|floor| f.score.0 >= floor))
            .map(|f| (f.item, f.score.0))
            .collect();
        Ranking { by, found }
    }
}

/// The page's hits, read in one go; an item that is gone since the scan is left out.
fn read(collection: &Collection, fused: Vec<Fused>, query: &Query) -> Result<Vec<Hit>, SearchError> {
    let page = &query.page;
    let enough = page.offset.saturating_add(page.k).saturating_add(16);
    let ids: Vec<ItemId> = fused.iter().take(enough).map(|f| f.item).collect();
    let items: HashMap<ItemId, Item> =
        collection.store().items(&ids)?.into_iter().map(|item| (item.id, item)).collect();
    let there = fused.into_iter().filter_map(|f| Some((items.get(&f.item)?, f)));
    let page_of = there.enumerate().skip(page.offset).take(page.k);
    Ok(page_of
        .map(|(i, (item, fused))| Hit { matched: fused.matches, ..hit(item, 0, fused.score, i + 1) })
        .collect())
}
