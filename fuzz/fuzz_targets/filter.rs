//! Any JSON is a filter or an error, and a filter means what it says: how the key begins, byte for byte, and which dates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use simile_fuzz::store::{Filter, narrowed};

fuzz_target!(|bytes: &[u8]| {
    let Ok(filter) = serde_json::from_slice::<Filter>(bytes) else { return };
    let filter = Filter { tags: Vec::new(), ..filter };
    let prefix = filter.path_prefix.clone().unwrap_or_default();
    // SQLite's texts end at a NUL, and no key has one.
    if prefix.contains('\0') {
        return;
    }
    let longer = format!("{prefix}a");
    let last = format!("{prefix}\u{10ffff}");
    let keys = ["", "a", "a/b", "\u{7f}", "\u{10ffff}", &prefix, &longer, &last];
    const DATE: &str = "2024-05-01";
    let after = filter.date_from.as_ref().is_none_or(|from| DATE >= from.as_str());
    // The whole of the year, month or day told.
    let before = filter.date_to.as_ref().is_none_or(|to| &DATE[..to.as_str().len().min(DATE.len())] <= to.as_str());
    let mut found = narrowed(&filter, &keys, DATE).unwrap();
    let mut wanted: Vec<&str> = keys.into_iter().filter(|key| after && before && key.starts_with(&prefix)).collect();
    found.sort();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
});
