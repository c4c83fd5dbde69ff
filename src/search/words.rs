//! Words asked of photos: an encoder of pictures reads none, so names, folders and tags are searched.

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
    let words = text::words(asked);
    answer.index = "words".to_owned();
    let message =
        "The photo encoder does not read words, so file names, folders and tags were searched.".to_owned();
    answer.notes.push(Note { code: "search.words", message });
    let found = collection.store().words(collection.id(), &words, &query.filter, DEPTH)?;
    let ids: Vec<ItemId> = found.iter().map(|(id, _)| *id).collect();
    let items = collection.store().items(&ids)?;
    answer.hits = rank(&items, &found, &words, query);
    answer.timings_ms.search = ms(begin);
    Ok(answer)
}

fn rank(items: &[Item], found: &[(ItemId, f32)], words: &[String], query: &Query) -> Vec<Hit> {
    let relevance: HashMap<ItemId, f32> = found.iter().copied().collect();
    let wanted: HashSet<&str> = words.iter().map(String::as_str).collect();
    let mut scored: Vec<(&Item, f32)> = items.iter().map(|item| (item, share(item, &wanted))).collect();
    scored.sort_by(|(a, x), (b, y)| {
        let by_share = y.total_cmp(x);
        by_share.then(relevance[&b.id].total_cmp(&relevance[&a.id])).then(a.key.cmp(&b.key))
    });
    let page = &query.page;
    scored
        .into_iter()
        .filter(|(_, score)| page.min_score.is_none_or(|floor| *score >= floor))
        .enumerate()
        .skip(page.offset)
        .take(page.k)
        .map(|(i, (item, score))| hit(item, 0, score, i + 1))
        .collect()
}

/// The share of the words that an item's name, folders and tags hold.
fn share(item: &Item, wanted: &HashSet<&str>) -> f32 {
    let has: HashSet<String> = keywords(&item.key, &item.tags).into_iter().collect();
    let found = wanted.iter().filter(|word| has.contains(**word)).count();
    found as f32 / wanted.len().max(1) as f32
}
