//! Captions: parts of photos in a space of their own, through changes and reopening; and folders from before there were any.

use rusqlite::Connection;

use super::*;
use crate::types::{Coded, Vector};

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
        vectors: vec![InSpace { space: words().id, vector: in_words(vector) }],
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
    let none = Description { caption: None, vectors: Vec::new(), ..told("a", "", 0.0) };
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
         DROP TABLE switches;
         CREATE TABLE switches (collection INTEGER PRIMARY KEY, old TEXT, new TEXT, encoder TEXT, begun INTEGER);
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

pub fn other_words() -> SpaceRecord {
    SpaceRecord { id: "words-2".into(), descriptor: json!({}), dim: Dim::new(3).unwrap() }
}

pub fn in_other(x: f32) -> Vector {
    Vector::unit(vec![1.0, x, 2.0], Dim::new(3).unwrap()).unwrap()
}

pub fn begin_captions(store: &Store, id: CollectionId) -> Result<SwitchRecord, StoreError> {
    store.begin_switch(id, Field::Captions, &"zh".parse().unwrap(), &other_words(), None)
}

/// With vectors for both spaces.
pub fn told_both(of: &str, caption: &str, x: f32) -> Description {
    let mut described = told(of, caption, x);
    described.vectors.push(InSpace { space: other_words().id, vector: in_other(x) });
    described
}

#[test]
fn captions_are_switched_beside_what_is_written_and_searched() {
    use super::switch::begin;
    let data = folder();
    let (store, id) = fresh(data.path());
    let code = |result: Result<SwitchRecord, StoreError>| result.unwrap_err().code();
    let begin_captions = |store: &Store| begin_captions(store, id);
    store.commit(id, &upsert(["a", "b", "c", "d"].map(|k| entry(k, 1, 1)).to_vec())).unwrap();
    assert_eq!(code(begin_captions(&store)), "collection.no_encoder");
    store.set_caption_encoder(id, &"e".parse().unwrap(), &words()).unwrap();
    store.describe(id, &[told("a", "one", 1.0), told("b", "two", 2.0)]).unwrap();
    begin_captions(&store).unwrap();
    // The collection's own switch goes beside it, and neither is the other's.
    begin(&store, id).unwrap();
    assert_eq!(
        (store.lacking_beside(id, Field::Captions).unwrap().len(), store.parts(id, Field::Captions).unwrap()),
        (2, 2)
    );
    assert_eq!(store.lacking_beside(id, Field::Own).unwrap().len(), 4);
    assert!(store.cancel_switch(id, Field::Own).unwrap());

    // Written meanwhile, with both vectors; replaced, deleted.
    store.describe(id, &[told_both("c", "three", 3.0), told_both("d", "four", 4.0)]).unwrap();
    let here = |of: &str, text: &str, x: f32| (of.to_owned(), text.to_owned(), in_words(x).into_inner());
    let now = [here("a", "one", 1.0), here("b", "two", 2.0), here("c", "three", 3.0), here("d", "four", 4.0)];
    assert_eq!(captions(&store, id), now);
    store.commit(id, &upsert(vec![entry("c", 9, 1)])).unwrap();
    store.commit(id, &Batch { upserts: Vec::new(), deletes: vec![key("d")] }).unwrap();
    assert_eq!(captions(&store, id), now[..3]);
    assert_eq!(code(store.swap(id, Field::Captions)), "switch.lacks");
    drop(store);
    let store = Store::open(data.path(), Access::Write).unwrap();
    let lacking = store.lacking_beside(id, Field::Captions).unwrap();
    assert_eq!(lacking.len(), 2, "what was replaced kept both");
    let fill: Vec<_> = lacking.iter().zip([1.0, 2.0]).map(|(part, x)| (*part, in_other(x))).collect();
    store.fill_beside(id, Field::Captions, "words-2", &fill).unwrap();
    store.swap(id, Field::Captions).unwrap();
    let there = |of: &str, text: &str, x: f32| (of.to_owned(), text.to_owned(), in_other(x).into_inner());
    let after = [there("a", "one", 1.0), there("b", "two", 2.0), there("c", "three", 3.0)];
    assert_eq!(captions(&store, id), after);
    assert_eq!(seen(&store, id).len(), 3, "the pictures are where they were");
    assert_eq!(super::compact::files(data.path()), super::compact::named(&store));
    // Made for the space that it left: made again.
    assert_eq!(refused(store.describe(id, &[told("a", "late", 5.0)])), "vector.other_space");
    store.describe(id, &[told_both("a", "late", 5.0)]).unwrap();
    assert_eq!(captions(&store, id)[0], there("a", "late", 5.0));
    assert_eq!(store.check().unwrap(), [""; 0]);
}
