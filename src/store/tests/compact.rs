//! Compaction: what it takes out, what readers see meanwhile, and when the old files go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::retire::Hold;
use super::*;

/// Compacts a collection's own space to the end, as the library does.
pub fn compact(store: &Store, id: CollectionId) -> Option<Compacted> {
    let done = store.compact(id, Field::Own).unwrap().and_then(|copies| store.install(copies).unwrap());
    store.sweep();
    done
}

/// The segment files on disk, by name.
pub fn files(data: &Path) -> Vec<String> {
    let all = super::super::segments::segment_files(&data.join("vectors"));
    let mut names: Vec<String> =
        all.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The files that the database names, of every space.
pub fn named(store: &Store) -> Vec<String> {
    let rows = store.read(|db| super::super::segments::select(db, "", [])).unwrap();
    let mut names: Vec<String> = rows.iter().map(|row| format!("{}.seg", row.id)).collect();
    names.sort();
    names
}

fn keys(count: u32) -> impl Iterator<Item = (String, u32)> {
    (0..count).map(|n| (format!("k{n:02}"), n * 10))
}

/// Forty rows in several segments, of which every second has been deleted.
fn half_dead(data: &Path) -> (Store, CollectionId, BTreeMap<String, (u32, u32)>) {
    let (mut store, id) = fresh(data);
    store.segment_bytes = Segment::HEADER_BYTES + 12 * 16;
    let all: Vec<NewItem> = keys(20).map(|(k, seed)| entry(&k, seed, 2)).collect();
    for some in all.chunks(4) {
        store.commit(id, &upsert(some.to_vec())).unwrap();
    }
    let deletes = keys(20).filter(|(_, seed)| seed % 20 == 0).map(|(k, _)| key(&k)).collect();
    store.commit(id, &Batch { upserts: Vec::new(), deletes }).unwrap();
    let model = keys(20).filter(|(_, seed)| seed % 20 != 0).map(|(k, seed)| (k, (seed, 2))).collect();
    (store, id, model)
}

#[test]
fn dead_rows_go_and_live_ones_stay_where_they_are_found() {
    let data = folder();
    let (store, id, model) = half_dead(data.path());
    assert_eq!(store.segments(id).unwrap().iter().map(|s| s.rows()).sum::<u32>(), 40);
    let done = compact(&store, id).unwrap();
    assert_eq!((done.rows.len(), done.dropped), (20, 20));
    assert_eq!(store.segments(id).unwrap().iter().map(|s| s.rows()).collect::<Vec<_>>(), [16, 4]);
    assert_eq!(seen(&store, id), expected(&model));
    assert_eq!(files(data.path()), named(&store), "the old files are gone");
    assert_eq!(store.check().unwrap(), [""; 0]);
    assert!(store.compact(id, Field::Own).unwrap().is_none(), "nothing is left to take out");
    // The last one goes on growing.
    store.commit(id, &upsert(vec![entry("new", 900, 1)])).unwrap();
    assert_eq!(store.segments(id).unwrap().len(), 2);
    drop(store);
    let store = Store::open(data.path(), Access::Write).unwrap();
    let mut model = model;
    model.insert("new".into(), (900, 1));
    assert_eq!(seen(&store, id), expected(&model));
    assert!(store.lost_vectors(id).unwrap().is_empty());
}

#[test]
fn a_quarter_dead_is_left_alone_and_more_is_not() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(keys(8).map(|(k, seed)| entry(&k, seed, 1)).collect())).unwrap();
    let delete = |text: &str| Batch { upserts: Vec::new(), deletes: vec![key(text)] };
    store.commit(id, &delete("k00")).unwrap();
    store.commit(id, &delete("k01")).unwrap();
    assert!(store.compact(id, Field::Own).unwrap().is_none());
    store.commit(id, &delete("k02")).unwrap();
    assert_eq!(compact(&store, id).unwrap().dropped, 3);
    // With nothing alive no segment is left.
    for n in 3..8 {
        store.commit(id, &delete(&format!("k{n:02}"))).unwrap();
    }
    let done = compact(&store, id).unwrap();
    assert_eq!((done.dropped, done.segments.len()), (5, 0));
    assert!(files(data.path()).is_empty());
}

#[test]
fn commits_go_on_while_rows_are_copied() {
    let data = folder();
    let (store, id, mut model) = half_dead(data.path());
    let copies = store.compact(id, Field::Own).unwrap().unwrap();
    let batch =
        Batch { upserts: vec![entry("k01", 700, 1), entry("new", 800, 2)], deletes: vec![key("k03")] };
    store.commit(id, &batch).unwrap();
    model.insert("k01".into(), (700, 1));
    model.insert("new".into(), (800, 2));
    model.remove("k03");
    let done = store.install(copies).unwrap().unwrap();
    assert_eq!(done.rows.len(), 16, "what was replaced or deleted meanwhile is not alive again");
    assert_eq!(seen(&store, id), expected(&model));
    // Another one of the same rows comes too late.
    let data = folder();
    let (store, id, model) = half_dead(data.path());
    let (one, two) =
        (store.compact(id, Field::Own).unwrap().unwrap(), store.compact(id, Field::Own).unwrap().unwrap());
    assert!(store.install(one).unwrap().is_some() && store.install(two).unwrap().is_none());
    store.sweep();
    assert_eq!(seen(&store, id), expected(&model));
    assert_eq!(files(data.path()), named(&store));
}

#[test]
fn copies_that_were_never_swapped_are_garbage_at_the_next_open() {
    let data = folder();
    let (store, id, model) = half_dead(data.path());
    drop(store.compact(id, Field::Own).unwrap().unwrap());
    drop(store);
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(files(data.path()), named(&store));
    assert_eq!(seen(&store, id), expected(&model));
}

#[test]
fn old_files_stay_while_a_search_or_a_backup_holds_them() {
    let data = folder();
    let (store, id, model) = half_dead(data.path());
    let held = store.segments(id).unwrap();
    let before = files(data.path());
    let first: Vec<f32> = held[0].as_slice().to_vec();
    compact(&store, id).unwrap();
    assert!(before.iter().all(|file| files(data.path()).contains(file)), "a search holds them");
    assert_eq!(held[0].as_slice(), first);
    drop(held);
    let hold = Hold::share(data.path()).unwrap();
    store.sweep();
    assert!(before.iter().all(|file| files(data.path()).contains(file)), "a backup holds them");
    drop(store);
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert!(before.iter().all(|file| files(data.path()).contains(file)), "across a start, too");
    drop((hold, store));
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(files(data.path()), named(&store));
    assert_eq!(seen(&store, id), expected(&model));
}

#[test]
fn a_damaged_segment_is_not_copied_into_a_fresh_checksum() {
    let data = folder();
    let (store, id, model) = half_dead(data.path());
    let victim = store.segments(id).unwrap()[0].clone();
    let mut bytes = std::fs::read(victim.path()).unwrap();
    bytes[Segment::HEADER_BYTES as usize + 5] ^= 1;
    // In place: another file would not be seen by the mapping.
    let file = std::fs::OpenOptions::new().write(true).open(victim.path()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    let done = compact(&store, id).unwrap();
    assert!(!done.gone.contains(&victim.id()) && !done.gone.is_empty());
    assert_eq!(seen(&store, id).len(), model.len());
    assert!(store.check().unwrap().iter().any(|line| line.contains(&victim.id().to_string())));
}

/// What `seen` tells, from a view of one moment.
fn viewed(store: &Store, id: CollectionId) -> BTreeMap<ItemId, BTreeMap<u16, Vec<f32>>> {
    let View { segments, live, .. } = store.view(id, Field::Own).unwrap();
    let mut out: BTreeMap<ItemId, BTreeMap<u16, Vec<f32>>> = BTreeMap::new();
    for row in live {
        let segment = segments.iter().find(|s| s.id() == row.segment).expect("its segment is in the view");
        out.entry(row.item).or_default().insert(row.part, segment.row(row.row).to_vec());
    }
    out
}

#[test]
fn readers_across_compactions_see_every_row_and_no_other() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(keys(30).map(|(k, seed)| entry(&k, seed, 2)).collect())).unwrap();
    let (still, done) = (viewed(&store, id), AtomicBool::new(false));
    assert_eq!(still.len(), 30);
    let store = Arc::new(store);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..25u32 {
                // As many rows again, dead at once: thirty of sixty are.
                let more = (0..30).map(|n| entry(&format!("dead{n}"), round * 100 + n, 2)).collect();
                store.commit(id, &upsert(more)).unwrap();
                let deletes = (0..30).map(|n| key(&format!("dead{n}"))).collect();
                store.commit(id, &Batch { upserts: Vec::new(), deletes }).unwrap();
                assert!(compact(&store, id).is_some());
            }
            done.store(true, Ordering::Relaxed);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // As another process would: its own connections and mappings.
                    let reader = Store::open(data.path(), Access::Read).unwrap();
                    for _ in 0..5 {
                        let view = viewed(&reader, id);
                        for (item, parts) in &still {
                            assert_eq!(view.get(item), Some(parts));
                        }
                    }
                }
            });
        }
    });
    store.sweep();
    assert_eq!(files(data.path()), named(&store));
}

#[test]
fn copies_of_a_space_that_was_left_meanwhile_are_not_put_in_place() {
    use super::switch::{begin, expected_wide, fill_all};
    let data = folder();
    let (store, id, model) = half_dead(data.path());
    let copies = store.compact(id, Field::Own).unwrap().unwrap();
    begin(&store, id).unwrap();
    fill_all(&store, id);
    store.swap(id, Field::Own).unwrap();
    assert!(store.install(copies).unwrap().is_none());
    store.sweep();
    assert_eq!(seen(&store, id), expected_wide(&model));
    assert_eq!(files(data.path()), named(&store));
}
