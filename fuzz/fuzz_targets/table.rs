//! Any bytes are a table of rows with keys of their own, or an error.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use simile_fuzz::text::table::pairs::read_pairs;
use simile_fuzz::text::table::questions::read_questions;
use simile_fuzz::text::table::{Format, read_faq};

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Csv, Format::Jsonl] {
        if let Ok(table) = read_faq(bytes, format, "fuzz") {
            let keys: HashSet<_> = table.rows.iter().map(|row| row.key().clone()).collect();
            assert_eq!(keys.len(), table.rows.len());
            assert!(
                table.rows.iter().all(|row| !row.question.trim().is_empty() && !row.answer.trim().is_empty())
            );
        }
    }
    let _ = read_pairs(bytes, "fuzz");
    let _ = read_questions(bytes, "fuzz");
});
