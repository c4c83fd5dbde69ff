//! Files that are newer, foreign, short, gone or flipped: told, and what is left is used.

use std::fs::OpenOptions;
use std::io::Write;

use super::*;

#[test]
fn a_newer_format_is_left_as_it_is() {
    let data = folder();
    drop(fresh(data.path()));
    let db = data.path().join("simile.db");
    let conn = Connection::open(&db).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let before = std::fs::read(&db).unwrap();
    for access in [Access::Write, Access::Read] {
        assert_eq!(refused(Store::open(data.path(), access)), "store.newer_version");
    }
    assert_eq!(std::fs::read(&db).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_damage() {
    let data = folder();
    std::fs::write(
        data.path().join("simile.db"),
        "not a database, but long enough to be looked at".repeat(99),
    )
    .unwrap();
    for access in [Access::Write, Access::Read] {
        assert_eq!(refused(Store::open(data.path(), access)), "store.damaged");
    }
}

#[test]
fn garbage_behind_the_last_commit_is_cut() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
    let path = store.segments(id).unwrap()[0].path().to_owned();
    drop(store);
    let len = path.metadata().unwrap().len();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0xff; 77]).unwrap();

    let reader = Store::open(data.path(), Access::Read).unwrap();
    assert_eq!(seen(&reader, id).len(), 1);
    assert_eq!(path.metadata().unwrap().len(), len + 77, "a reader changes nothing");
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(path.metadata().unwrap().len(), len);
    store.commit(id, &upsert(vec![entry("b", 5, 1)])).unwrap();
    let model = BTreeMap::from([("a".to_owned(), (1, 2)), ("b".to_owned(), (5, 1))]);
    assert_eq!(seen(&store, id), expected(&model));
    assert_eq!(seen(&reader, id), expected(&model));
}

#[test]
fn a_shorter_segment_loses_rows_and_nothing_else() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 1), entry("b", 2, 2)])).unwrap();
    let b = store.item(id, &key("b")).unwrap().unwrap().id;
    let path = store.segments(id).unwrap()[0].path().to_owned();
    drop(store);
    // One row and a half.
    OpenOptions::new().write(true).open(&path).unwrap().set_len(4096 + 12 + 6).unwrap();

    let lost = [PartId { item: b, part: 0 }, PartId { item: b, part: 1 }];
    let check = |store: &Store| {
        assert_eq!(store.lost_vectors(id).unwrap(), lost);
        assert_eq!(seen(store, id)["a"].1, [vector(1).into_inner()]);
        assert_eq!(seen(store, id)["b"].1.len(), 0, "the item is still there");
    };
    check(&Store::open(data.path(), Access::Read).unwrap());
    let store = Store::open(data.path(), Access::Write).unwrap();
    check(&store);
    assert_eq!(store.lacking_vectors(id).unwrap(), lost);
    // Encoding it again cures it; what is gone or whole is passed over.
    let a = PartId { item: store.item(id, &key("a")).unwrap().unwrap().id, part: 0 };
    let gone = PartId { item: ItemId(99), part: 0 };
    let again =
        [(lost[0], vector(2)), (lost[1], vector(3)), (lost[1], vector(4)), (a, vector(5)), (gone, vector(6))];
    let done = store.fill(id, &again).unwrap();
    assert_eq!((done.rows.len(), done.added, done.segments.len()), (2, 0, 1));
    assert!(store.fill(id, &again).unwrap().rows.is_empty());
    assert!(store.lost_vectors(id).unwrap().is_empty());
    assert_eq!(seen(&store, id), expected(&BTreeMap::from([("a".into(), (1, 1)), ("b".into(), (2, 2))])));
}

#[test]
fn a_missing_damaged_or_flipped_segment_is_lost_not_fatal() {
    let damage: [fn(&Path); 4] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::write(path, "short").unwrap(),
        |path| {
            let mut bytes = std::fs::read(path).unwrap();
            bytes[13] ^= 1;
            std::fs::write(path, bytes).unwrap();
        },
        |path| {
            let mut bytes = std::fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(path, bytes).unwrap();
        },
    ];
    for (n, damage) in damage.into_iter().enumerate() {
        let data = folder();
        let (store, id) = fresh(data.path());
        store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
        let path = store.segments(id).unwrap()[0].path().to_owned();
        drop(store);
        damage(&path);
        let reader = Store::open(data.path(), Access::Read).unwrap();
        assert_eq!(seen(&reader, id).len(), 1, "damage {n}");
        let store = Store::open(data.path(), Access::Write).unwrap();
        assert_eq!(store.lost_vectors(id).unwrap().len(), 2, "damage {n}");
        store.commit(id, &upsert(vec![entry("a", 9, 1)])).unwrap();
        assert_eq!(seen(&store, id), expected(&BTreeMap::from([("a".into(), (9, 1))])), "damage {n}");
    }
}

#[test]
fn a_check_finds_a_flipped_bit_anywhere() {
    let data = folder();
    let (mut store, id) = fresh(data.path());
    store.segment_bytes = Segment::HEADER_BYTES + 30;
    for n in 0..4 {
        store.commit(id, &upsert(vec![entry(&format!("k{n}"), n * 10, 2)])).unwrap();
    }
    assert_eq!(store.check().unwrap(), [""; 0]);
    let segments = store.segments(id).unwrap();
    assert_eq!(segments.iter().map(|s| s.sealed()).collect::<Vec<_>>(), [true, true, true, false]);
    for (n, segment) in [&segments[1], &segments[3]].into_iter().enumerate() {
        let mut bytes = std::fs::read(segment.path()).unwrap();
        bytes[Segment::HEADER_BYTES as usize + 5] ^= 1;
        std::fs::write(segment.path(), bytes).unwrap();
        assert_eq!(store.check().unwrap().len(), [2, 3][n], "a sealed one is found by both sums");
    }
}
