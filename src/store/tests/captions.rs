//! Captions: parts of photos in a space of their own, through changes and reopening; and folders from before there were any.

use rusqlite::Connection;

use super::*;
use crate::types::Vector;

pub fn words() -> SpaceRecord {
    SpaceRecord { id: "words-1".into(), descriptor: json!({}), dim: Dim::new(2).unwrap() }
}

pub fn in_words(x: f32) -> Vector {
    Vector::unit(vec![x, 1.0], Dim::new(2).unwrap()).unwrap()
}

pub fn told(of: &str, caption: &str, vector: f32) -> Description {
    Description {
        key: key(of),
        caption: Some(caption.to_owned()),
        vector: Some(in_words(vector)),
        tags: vec!["t".to_owned()],
        date: Some("2024".parse().unwrap()),
        words: vec![caption.to_owned()],
    }
}

/// Captions as a reader sees them: key, text and vector.
pub fn captions(store: &Store, id: CollectionId) -> Vec<(String, String, Vec<f32>)> {
    let segments = store.segments_of(id, Field::Captions).unwrap();
    let live = store.live_of(id, Field::Captions).unwrap();
    let mut out = Vec::new();
    for item in store.list(id, &Filter::default(), None, 100).unwrap() {
        let Some(text) = item.caption() else { continue };
        let mine: Vec<_> = live.iter().filter(|row| (row.item, row.part) == (item.id, CAPTION)).collect();
        assert_eq!(mine.len(), 1, "one vector for each caption");
        let segment = segments.iter().find(|s| s.id() == mine[0].segment).unwrap();
        out.push((item.key.to_string(), text.to_owned(), segment.row(mine[0].row).to_vec()));
    }
    assert_eq!(live.len(), out.len(), "every live row is an item's");
    out
}

#[test]
fn a_caption_stays_with_its_photo_and_goes_with_it() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 1), entry("b", 2, 1), entry("c", 3, 1)])).unwrap();
    let refused = store.describe(id, &[told("a", "one", 1.0)]).unwrap_err();
    assert!(matches!(refused, StoreError::NoSpace { .. }), "{refused}");
    store.set_caption_encoder(id, &"e".parse().unwrap(), &words()).unwrap();
    store.describe(id, &[told("a", "one", 1.0), told("b", "two", 2.0), told("gone", "x", 3.0)]).unwrap();
    let here = |text: &str, of: &str, x: f32| (of.to_owned(), text.to_owned(), in_words(x).into_inner());
    assert_eq!(captions(&store, id), [here("one", "a", 1.0), here("two", "b", 2.0)]);
    assert!(store.lacking_vectors(id).unwrap().is_empty() && store.live(id).unwrap().len() == 3);
    assert_eq!(store.collection(&"faq".parse().unwrap()).unwrap().unwrap().parts, 5);

    // The picture is replaced: caption, vector and date are handed on. Another caption takes the first one's place.
    let replaced = store.commit(id, &upsert(vec![entry("a", 10, 1)])).unwrap();
    assert!(
        replaced.dead.len() == 1 && replaced.rows.len() == 2,
        "the caption's row changes hands: {replaced:?}"
    );
    store.describe(id, &[told("b", "other", 4.0)]).unwrap();
    let seen = [here("one", "a", 1.0), here("other", "b", 4.0)];
    assert_eq!(captions(&store, id), seen);
    let dated = Filter { date_from: Some("2024".parse().unwrap()), ..Filter::default() };
    assert_eq!(store.matching(id, &dated).unwrap().len(), 2);
    assert_eq!(store.words(id, &["other".to_owned()], &Filter::default(), 9).unwrap().len(), 1);
    assert!(store.words(id, &["two".to_owned()], &Filter::default(), 9).unwrap().is_empty());
    drop(store);

    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(captions(&store, id), seen);
    let none = Description { caption: None, vector: None, ..told("a", "", 0.0) };
    store.describe(id, &[none]).unwrap();
    store.commit(id, &Batch { upserts: Vec::new(), deletes: vec![key("b")] }).unwrap();
    assert!(captions(&store, id).is_empty());
    assert_eq!(store.collection(&"faq".parse().unwrap()).unwrap().unwrap().parts, 2);
}

#[test]
fn a_folder_from_before_captions_opens_with_all_that_is_in_it() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
    let before = seen(&store, id);
    drop(store);
    let db = Connection::open(data.path().join("simile.db")).unwrap();
    db.execute_batch(
        "DROP INDEX items_by_date; ALTER TABLE items DROP COLUMN date;
         ALTER TABLE collections DROP COLUMN caption_space; ALTER TABLE collections DROP COLUMN caption_encoder;
         PRAGMA user_version = 2;",
    )
    .unwrap();
    drop(db);
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(seen(&store, id), before);
    store.set_caption_encoder(id, &"e".parse().unwrap(), &words()).unwrap();
    store.describe(id, &[told("a", "one", 1.0)]).unwrap();
    assert_eq!(captions(&store, id).len(), 1);
}

#[test]
fn dead_captions_go_as_other_dead_rows_do() {
    let data = folder();
    let (mut store, id) = fresh(data.path());
    store.segment_bytes = Segment::HEADER_BYTES + 8 * 6;
    store.set_caption_encoder(id, &"e".parse().unwrap(), &words()).unwrap();
    let names: Vec<String> = (0..20).map(|n| format!("k{n:02}")).collect();
    store.commit(id, &upsert(names.iter().map(|name| entry(name, 1, 1)).collect())).unwrap();
    for (n, some) in names.chunks(4).enumerate() {
        let told: Vec<_> = some.iter().map(|name| told(name, name, n as f32)).collect();
        store.describe(id, &told).unwrap();
    }
    // Half of them are told anew.
    for name in names.iter().step_by(2) {
        store.describe(id, &[told(name, "anew", 9.0)]).unwrap();
    }
    let before = captions(&store, id);
    let rows =
        |store: &Store| store.segments_of(id, Field::Captions).unwrap().iter().map(|s| s.rows()).sum::<u32>();
    assert_eq!((rows(&store), before.len()), (30, 20));
    let held = store.segments_of(id, Field::Captions).unwrap();
    let own = store.segments(id).unwrap();

    // A caption that changes while rows are copied is not alive twice.
    let copies = store.compact(id, Field::Captions).unwrap().unwrap();
    store.describe(id, &[told("k01", "meanwhile", 7.0)]).unwrap();
    let done = store.install(copies).unwrap().unwrap();
    store.sweep();
    assert!(done.dropped >= 10, "{}", done.dropped);
    let mut after = before;
    after[1] = ("k01".to_owned(), "meanwhile".to_owned(), in_words(7.0).into_inner());
    assert_eq!(captions(&store, id), after);
    assert_eq!(held[0].row(0), in_words(0.0).as_slice(), "a mapping that a search holds stays good");
    let ids = |segments: Vec<std::sync::Arc<Segment>>| segments.iter().map(|s| s.id()).collect::<Vec<_>>();
    assert_eq!(ids(store.segments(id).unwrap()), ids(own), "the pictures lie where they lay");
    drop((held, store));
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(captions(&store, id), after);
    assert_eq!(super::compact::files(data.path()), super::compact::named(&store));
    assert_eq!(store.check().unwrap(), [""; 0]);
    assert!(store.lost_vectors(id).unwrap().is_empty());
}
