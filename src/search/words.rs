//! Words asked of photos: an encoder of pictures reads none, so names, folders, tags and captions are searched.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::answer::{Answer, Hit, Note};
use super::{Query, SearchError, hit, ms};
use crate::library::{Collection, keywords};
use crate::store::{Item, ItemId};
use crate::text;

/// Matches looked at before ranking by share of words found.
const DEPTH: usize = 2000;

/// The photos whose names, folders or tags hold most of the words; the score is the share of the words found.
pub fn search(
    collection: &Collection,
    asked: &str,
    query: &Query,
    mut answer: Answer,
) -> Result<Answer, SearchError> {
    let begin = Instant::now();
    answer.index = "words".to_owned();
    let message =
        "The photo encoder does not read words, so file names, folders and tags were searched.".to_owned();
    answer.notes.push(Note { code: "search.words", message });
    let ranked = ranked(collection, asked, query)?;
    answer.hits = page(&ranked, query);
    answer.timings_ms.search = ms(begin);
    Ok(answer)
}

/// The photos that hold any of the words, those that hold most of them first; none below the score asked for.
pub(super) fn ranked(
    collection: &Collection,
    asked: &str,
    query: &Query,
) -> Result<Vec<(Item, f32)>, SearchError> {
    let words = text::words(asked);
    let found = collection.store().words(collection.id(), &words, &query.filter, DEPTH)?;
    let ids: Vec<ItemId> = found.iter().map(|(id, _)| *id).collect();
    let relevance: HashMap<ItemId, f32> = found.into_iter().collect();
    let wanted: HashSet<&str> = words.iter().map(String::as_str).collect();
    let items = collection.store().items(&ids)?.into_iter();
    let mut scored: Vec<(Item, f32)> =
        items.map(|item| (share(&item, &wanted), item)).map(|(s, i)| (i, s)).collect();
    scored.retain(|(_, score)| query.page.min_score.is_none_or(|floor| *score >= floor));
    scored.sort_by(|(a, x), (b, y)| {
        let by_share = y.total_cmp(x);
        by_share.then(relevance[&b.id].total_cmp(&relevance[&a.id])).then(a.key.cmp(&b.key))
    });
    Ok(scored)
}

fn page(ranked: &[(Item, f32)], query: &Query) -> Vec<Hit> {
    let page = ranked.iter().enumerate().skip(query.page.offset).take(query.page.k);
    page.map(|(i, (item, score))| hit(item, 0, *score, i + 1)).collect()
}

/// The share of the words that an item's name, folders, tags and caption hold.
fn share(item: &Item, wanted: &HashSet<&str>) -> f32 {
    let has: HashSet<String> = keywords(&item.key, &item.tags, item.caption()).into_iter().collect();
    let found = wanted.iter().filter(|word| has.contains(**word)).count();
    found as f32 / wanted.len().max(1) as f32
}
