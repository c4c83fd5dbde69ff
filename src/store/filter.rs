//! Which items of a collection, as data; and the SQL that it means.

use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use crate::types::Date;

/// Which items of a collection; the default takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// All of them must be on the item, letter for letter.
    pub tags: Vec<String>,
    /// How the key begins, byte for byte.
    pub path_prefix: Option<String>,
    /// Dated then or later. An item without a date passes neither this nor the next.
    pub date_from: Option<Date>,
    /// Dated then or earlier, the whole of the year, month or day told.
    pub date_to: Option<Date>,
}

impl Filter {
    /// Takes all.
    pub fn is_empty(&self) -> bool {
        let undated = self.date_from.is_none() && self.date_to.is_none();
        undated && self.tags.is_empty() && self.path_prefix.as_deref().unwrap_or_default().is_empty()
    }

    /// Adds what an item `i` must fulfil to a query that ends in its WHERE.
    pub(super) fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        if let Some(prefix) = self.path_prefix.as_deref().filter(|p| !p.is_empty()) {
            // A range, not LIKE: it uses the index, knows no wildcards, and compares bytes.
            sql.push_str(" AND i.key >= ?");
            values.push(prefix.to_owned().into());
            if let Some(end) = successor(prefix) {
                sql.push_str(" AND i.key < ?");
                values.push(end.into());
            }
        }
        if let Some(from) = &self.date_from {
            sql.push_str(" AND i.date >= ?");
            values.push(from.to_string().into());
        }
        if let Some(end) = self.date_to.as_ref().and_then(|to| successor(to.as_str())) {
            sql.push_str(" AND i.date < ?");
            values.push(end.into());
        }
        for tag in &self.tags {
            sql.push_str(" AND i.id IN (SELECT item FROM item_tags WHERE tag = ?)");
            values.push(tag.clone().into());
        }
    }
}

/// The least text above every text that begins with `prefix`; `None` if there is none.
/// UTF-8 sorts by bytes as its characters do by number.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The numbers from D800 to DFFF are no characters.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_range_of_a_prefix_holds_what_begins_with_it(
            prefix in "[a%_'\u{D7FF}\u{10FFFF}照]{1,4}", key in "[a%_'\u{D7FF}\u{E000}\u{10FFFF}照片]{0,6}"
        ) {
            let inside = key >= prefix && successor(&prefix).is_none_or(|end| key < end);
            prop_assert_eq!(inside, key.starts_with(&prefix));
        }
    }
}
