//! The store against a map: any order of changes, sealing and reopening.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Commit { upserts: Vec<(u8, u32, Vec<u8>)>, deletes: Vec<u8> },
    Seal,
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let upsert = (0u8..12, 0u32..4, proptest::collection::vec(0u8..3, 0..3));
    let commit = (proptest::collection::vec(upsert, 0..5), proptest::collection::vec(0u8..12, 0..3));
    prop_oneof![
        8 => commit.prop_map(|(upserts, deletes)| Step::Commit { upserts, deletes }),
        1 => Just(Step::Seal),
        2 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// Keys that are each other's prefixes, and wildcards of LIKE.
fn name(n: u8) -> String {
    ["a", "a/", "a/b", "a%b", "a_b", "a/b\"c", "照片/1", "照片", "🚚", "a\nb", "ab", "A/b"][n as usize]
        .to_owned()
}

#[derive(Default)]
struct Model {
    items: BTreeMap<String, (u32, u32)>,
    tags: BTreeMap<String, Vec<String>>,
    seed: u32,
}

impl Model {
    /// The batch, and what it must answer: added, replaced, deleted.
    fn apply(&mut self, upserts: &[(u8, u32, Vec<u8>)], deletes: &[u8]) -> (Batch, [u64; 3]) {
        let mut batch =
            Batch { upserts: Vec::new(), deletes: deletes.iter().map(|&n| key(&name(n))).collect() };
        let mut counts = [0; 3];
        for &n in deletes {
            counts[2] += u64::from(self.items.remove(&name(n)).is_some());
            self.tags.remove(&name(n));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (n, parts, tags) in upserts {
            self.seed += 10;
            let mut item = entry(&name(*n), self.seed, *parts);
            item.tags = tags.iter().map(|t| format!("t{t}")).collect();
            item.words = vec![format!("w{n}"), "all".into()];
            let there = self.items.insert(name(*n), (self.seed, *parts)).is_some();
            let mut tags = item.tags.clone();
            tags.sort();
            tags.dedup();
            self.tags.insert(name(*n), tags);
            if seen.insert(*n) {
                counts[usize::from(there)] += 1;
            }
            batch.upserts.push(item);
        }
        (batch, counts)
    }

    fn matching(&self, filter: &Filter) -> Vec<String> {
        let prefix = filter.path_prefix.as_deref().unwrap_or_default();
        let fits = |(key, tags): &(&String, &Vec<String>)| {
            key.starts_with(prefix) && filter.tags.iter().all(|t| tags.contains(t))
        };
        self.tags.iter().filter(fits).map(|(key, _)| key.clone()).collect()
    }
}

fn compare(store: &Store, id: CollectionId, model: &Model) {
    assert_eq!(seen(store, id), expected(&model.items));
    let record = store.collection(&"faq".parse().unwrap()).unwrap().unwrap();
    assert_eq!(record.items, model.items.len() as u64);
    assert_eq!(record.parts, model.items.values().map(|(_, parts)| u64::from(*parts)).sum::<u64>());
    assert!(store.lost_vectors(id).unwrap().is_empty());
    assert!(store.lacking_vectors(id).unwrap().is_empty());
    for prefix in ["", "a", "a/", "a%", "a_", "照", "🚚", "zz"] {
        for tags in [vec![], vec!["t1".to_owned()], vec!["t0".to_owned(), "t2".to_owned()]] {
            let filter = Filter { tags, path_prefix: Some(prefix.to_owned()), ..Filter::default() };
            let want = model.matching(&filter);
            let keys = |items: Vec<Item>| items.iter().map(|i| i.key.as_str().to_owned()).collect::<Vec<_>>();
            assert_eq!(keys(store.list(id, &filter, None, 99).unwrap()), want, "{filter:?}");
            let mut found = keys(store.items(&store.matching(id, &filter).unwrap()).unwrap());
            found.sort();
            assert_eq!(found, want, "{filter:?}");
            let hits = store.words(id, &["all".to_owned()], &filter, 99).unwrap();
            assert_eq!(hits.len(), want.len(), "{filter:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn any_changes_leave_what_a_map_would_hold(steps in proptest::collection::vec(step(), 1..20)) {
        let data = folder();
        let (mut store, id) = fresh(data.path());
        store.segment_bytes = Segment::HEADER_BYTES + 200;
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Commit { upserts, deletes } => {
                    let (batch, [added, replaced, deleted]) = model.apply(upserts, deletes);
                    let done = store.commit(id, &batch).unwrap();
                    prop_assert_eq!((done.added, done.replaced, done.deleted), (added, replaced, deleted));
                }
                Step::Seal => {
                    for segment in store.segments(id).unwrap() {
                        prop_assert!(store.seal(segment.id()).unwrap().sealed());
                        prop_assert_eq!(store.check_seal(segment.id()).unwrap(), Some(true));
                    }
                }
                Step::Compact => drop(super::compact::compact(&store, id)),
                Step::Reopen => {
                    drop(store);
                    store = Store::open(data.path(), Access::Write).unwrap();
                }
            }
        }
        compare(&store, id, &model);
        let reader = Store::open(data.path(), Access::Read).unwrap();
        compare(&reader, id, &model);
        drop((store, reader));
        compare(&Store::open(data.path(), Access::Write).unwrap(), id, &model);
    }
}
