//! Keyword search over words that come already cut. Ranking is SQLite's BM25.

use std::collections::BTreeSet;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params, params_from_iter};

use super::{CollectionId, Filter, ItemId, Store, StoreError, sql_count};

/// More words than this say nothing more about what is sought.
const MOST_WORDS: usize = 256;

/// A word as the index holds it. FTS5's `ascii` splits at ASCII punctuation only, so that is moved to private
/// characters: Han words, `c++` and quotes stay whole. The collection stands before the word, so that a search reads
/// the postings of its own collection alone.
fn token(collection: CollectionId, word: &str) -> String {
    let mut out = collection.0.to_string();
    out.push('\u{E03A}');
    out.extend(word.chars().map(|c| match c {
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
            char::from_u32(0xE000 + u32::from(c)).expect("E000 to E07F are characters")
        }
        c => c,
    }));
    out
}

/// Puts an item's words into the index.
pub(super) fn add(
    db: &Connection,
    collection: CollectionId,
    item: i64,
    words: &[String],
) -> Result<(), StoreError> {
    if words.is_empty() {
        return Ok(());
    }
    let text: Vec<String> = words.iter().map(|word| token(collection, word)).collect();
    db.prepare_cached("INSERT INTO words (rowid, tokens) VALUES (?, ?)")?
        .execute(params![item, text.join(" ")])?;
    Ok(())
}

/// Takes an item's words out of the index.
pub(super) fn remove(db: &Connection, item: i64) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM words WHERE rowid = ?")?.execute([item])?;
    Ok(())
}

impl Store {
    /// Items that have any of the words, the most relevant first (BM25, larger is better; ties by key).
    /// Words are compared as given, except for the case of ASCII letters.
    pub fn words(
        &self,
        collection: CollectionId,
        words: &[String],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<(ItemId, f32)>, StoreError> {
        let tokens: BTreeSet<String> =
            words.iter().filter(|w| !w.is_empty()).take(MOST_WORDS).map(|w| token(collection, w)).collect();
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        // A token holds no quote: it is ASCII punctuation too.
        let query = tokens.iter().map(|t| format!("\"{t}\"")).collect::<Vec<_>>().join(" OR ");
        self.read(|db| {
            let mut sql = "SELECT i.id, -bm25(words) FROM words JOIN items i ON i.id = words.rowid
                           WHERE words MATCH ? AND i.collection = ?"
                .to_owned();
            let mut values = vec![Sql::from(query), collection.0.into()];
            filter.narrow(&mut sql, &mut values);
            sql.push_str(" ORDER BY 2 DESC, i.key LIMIT ?");
            values.push(sql_count(limit).into());
            let mut query = db.prepare_cached(&sql)?;
            let hits = query.query_map(params_from_iter(values), |row| {
                Ok((ItemId(row.get(0)?), row.get::<_, f64>(1)? as f32))
            })?;
            Ok(hits.collect::<Result<_, _>>()?)
        })
    }
}
