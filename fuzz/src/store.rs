//! Filters and the texts of paths alone.

#[path = "../../src/store/filter.rs"]
mod filter;
#[path = "../../src/store/paths.rs"]
mod paths;

pub use filter::Filter;
pub use paths::{path_of_text, text_of_path};

/// The keys of `keys`, each dated `date`, that a filter lets through, asked of SQLite as the store does.
pub fn narrowed(filter: &Filter, keys: &[&str], date: &str) -> rusqlite::Result<Vec<String>> {
    let db = rusqlite::Connection::open_in_memory()?;
    db.execute_batch(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, collection INTEGER, key TEXT, date TEXT);
         CREATE TABLE tags (item INTEGER, tag TEXT, name TEXT);",
    )?;
    for (id, key) in keys.iter().enumerate() {
        db.execute("INSERT INTO items VALUES (?, 1, ?, ?)", rusqlite::params![id as i64, key, date])?;
    }
    let mut sql = "SELECT i.key FROM items i WHERE i.collection = 1".to_owned();
    let mut values = Vec::new();
    filter.narrow(&mut sql, &mut values);
    let mut found = db.prepare(&sql)?;
    let rows = found.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
    rows.collect()
}
