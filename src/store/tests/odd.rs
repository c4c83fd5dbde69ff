//! One behaviour each: refusals, damage, odd names, words, jobs.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::types::Coded;

fn refused<T>(result: Result<T, StoreError>) -> &'static str {
    result.map(drop).unwrap_err().code()
}

#[test]
fn one_writes_and_others_read_beside_it() {
    let data = folder();
    assert_eq!(refused(Store::open(data.path(), Access::Read)), "store.absent");
    let (store, id) = fresh(data.path());
    store.set_address(Some("127.0.0.1:8080"));
    let Err(StoreError::Locked { hint: Some(hint), .. }) = Store::open(data.path(), Access::Write) else {
        panic!("locked, with a hint")
    };
    assert_eq!(hint, Hint { pid: std::process::id(), address: Some("127.0.0.1:8080".into()), key: None });

    let reader = Store::open(data.path(), Access::Read).unwrap();
    assert_eq!(refused(reader.commit(id, &Batch::default())), "store.opened_for_reading");
    assert_eq!(refused(reader.put_blob(b"x")), "store.opened_for_reading");
    store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
    assert_eq!(seen(&reader, id), seen(&store, id));
    assert_eq!(seen(&reader, id).len(), 1);

    // A reader does not wait for a writer in the middle of its transaction.
    let mut writer = store.writer().unwrap();
    let tx = writer.conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    tx.execute("DELETE FROM items", []).unwrap();
    assert_eq!(seen(&store, id).len(), 1);
    drop(tx);
    drop(writer);
    drop(store);
    assert_eq!(holder(data.path()), None);
    Store::open(data.path(), Access::Write).unwrap();
}

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

#[test]
fn odd_names_and_paths_come_back() {
    let data = folder();
    let (store, id) = fresh(data.path());
    let odd = ["line\nbreak", "\"quotes'", "<script>", "照片/🚚.jpg", "100%_x", "%FF", " ", "a\\b"];
    let path = path_of_text("/photos/%FF\u{7167}.jpg");
    let place = Place::File { path: path.clone() };
    let body = Body::Photo { width: 4, height: 3, format: "jpeg".into(), bytes: 9, place };
    let stamp = Stamp { size: u64::MAX, mtime_ns: i64::MIN, inode: u64::MAX };
    let root = store.add_root(id, RootKind::Folder, &text_of_path(&path), None).unwrap();
    let item = |name: &&str| NewItem {
        body: body.clone(),
        root: Some(root.id),
        tags: vec![(*name).to_owned()],
        extra: serde_json::from_value(json!({"列": "值", "n": 1})).unwrap(),
        stamp: Some(stamp),
        content: Some(ContentId::of(name.as_bytes())),
        ..entry(name, 1, 1)
    };
    store.commit(id, &upsert(odd.iter().map(item).collect())).unwrap();
    for name in &odd {
        let found = store.item(id, &key(name)).unwrap().unwrap();
        let want = item(name);
        assert_eq!((found.body, found.tags, found.extra), (want.body, want.tags, want.extra));
        assert_eq!((found.stamp, found.content, found.root), (want.stamp, want.content, want.root));
        let filter = Filter {
            tags: vec![(*name).to_owned()],
            path_prefix: Some((*name).to_owned()),
            ..Filter::default()
        };
        assert_eq!(store.matching(id, &filter).unwrap(), [found.id], "{name:?}");
    }
    assert_eq!(store.stamps(id, root.id).unwrap()[&key("%FF")], (Some(stamp), Some(ContentId::of(b"%FF"))));
    let newer = Stamp { size: 1, mtime_ns: 2, inode: 3 };
    store.restamp(id, &[(key("%FF"), newer)]).unwrap();
    assert_eq!(store.item(id, &key("%FF")).unwrap().unwrap().stamp, Some(newer));
}

#[test]
fn roots_are_known_by_kind_and_name() {
    let data = folder();
    let (store, id) = fresh(data.path());
    let one = store.add_root(id, RootKind::Folder, "/a", None).unwrap();
    let two = store.add_root(id, RootKind::Upload, "/a", Some("p")).unwrap();
    assert_ne!(one.id, two.id);
    assert_eq!(store.add_root(id, RootKind::Folder, "/a", Some("q")).unwrap().prefix.as_deref(), Some("q"));
    let mut item = entry("q/x", 1, 0);
    item.root = Some(one.id);
    store.commit(id, &upsert(vec![item, entry("free", 1, 0)])).unwrap();
    assert_eq!(store.add_root(id, RootKind::Folder, "/a", None).unwrap().prefix.as_deref(), Some("q"));
    assert_eq!(store.roots(id).unwrap().len(), 2);
    assert_eq!(store.root_of(id, &key("q/x")).unwrap(), Some(one.id));
    assert_eq!(store.keys_of_root(id, one.id).unwrap(), [key("q/x")]);
    let keys = [key("q/x"), key("free"), key("new")];
    let elsewhere = store.owned_elsewhere(id, two.id, &keys).unwrap();
    assert_eq!(elsewhere, [(key("q/x"), Some(one.id)), (key("free"), None)]);
}

#[test]
fn words_are_found_whole_in_their_collection_alone() {
    let data = folder();
    let (store, id) = fresh(data.path());
    let other = NewCollection {
        name: "other".parse().unwrap(),
        kind: Kind::Faq,
        encoder: None,
        recipe: "Flat".into(),
    };
    let other = store.create_collection(&other).unwrap().id;
    let with = |name: &str, words: &[&str]| NewItem {
        words: words.iter().map(|w| (*w).to_owned()).collect(),
        ..entry(name, 1, 0)
    };
    store
        .commit(
            id,
            &upsert(vec![
                with("zh", &["红", "色", "红色", "卡", "卡车"]),
                with("both", &["red", "truck", "red"]),
                with("odd", &["c++", "it's", "a\"b", "-", "*", "or"]),
                with("red", &["red", "bike", "shed", "door"]),
            ]),
        )
        .unwrap();
    store.commit(other, &upsert(vec![with("red", &["red", "卡车"])])).unwrap();
    let find = |words: &[&str]| -> Vec<String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let hits = store.words(id, &words, &Filter::default(), 9).unwrap();
        assert!(hits.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        let ids: Vec<ItemId> = hits.iter().map(|hit| hit.0).collect();
        store.items(&ids).unwrap().iter().map(|i| i.key.as_str().to_owned()).collect()
    };
    assert_eq!(find(&["卡车"]), ["zh"]);
    assert_eq!(find(&["车"]), [""; 0], "a word is found whole, never cut again");
    assert_eq!(find(&["red", "truck"]), ["both", "red"]);
    assert_eq!(find(&["RED"]), ["both", "red"]);
    for word in ["c++", "it's", "a\"b", "-", "*", "or"] {
        assert_eq!(find(&[word]), ["odd"], "{word}");
    }
    assert_eq!(find(&["c", "a", "NOT", "NEAR(", "\"", "", "(", "red*"]), [""; 0]);
    let many: Vec<String> = (0..5000).map(|n| format!("n{n}")).collect();
    assert!(store.words(id, &many, &Filter::default(), 9).unwrap().is_empty());
    store.commit(id, &Batch { upserts: vec![with("both", &["blue"])], deletes: vec![key("zh")] }).unwrap();
    assert_eq!(find(&["red", "卡车"]), ["red"]);
}

#[test]
fn parts_without_vectors_are_listed() {
    let data = folder();
    let store = Store::open(data.path(), Access::Write).unwrap();
    let new =
        NewCollection { name: "c".parse().unwrap(), kind: Kind::Faq, encoder: None, recipe: "Flat".into() };
    let id = store.create_collection(&new).unwrap().id;
    assert_eq!(refused(store.create_collection(&new)), "collection.exists");
    assert_eq!(refused(store.commit(id, &upsert(vec![entry("a", 1, 1)]))), "collection.no_encoder");
    let mut bare = entry("a", 1, 2);
    bare.parts.iter_mut().for_each(|part| part.vectors.clear());
    store.commit(id, &upsert(vec![bare])).unwrap();
    assert_eq!(store.lacking_vectors(id).unwrap().len(), 2);
    let wide = SpaceRecord { dim: Dim::new(4).unwrap(), id: "wide".into(), ..space() };
    store.set_encoder(id, &"e".parse().unwrap(), &wide).unwrap();
    assert_eq!(refused(store.commit(id, &upsert(vec![entry("a", 1, 1)]))), "vector.other_space");
    let mut narrow = entry("a", 1, 1);
    narrow.parts[0].vectors[0].space = "wide".into();
    assert_eq!(refused(store.commit(id, &upsert(vec![narrow]))), "vector.dimension");
    assert_eq!(store.collection(&new.name).unwrap().unwrap().space, Some(wide.clone()));
    for id in ["", "../x", "a/b"] {
        let odd = SpaceRecord { id: id.into(), ..wide.clone() };
        assert_eq!(
            refused(store.set_encoder(CollectionId(1), &"e".parse().unwrap(), &odd)),
            "store.space_id"
        );
    }
}

#[test]
fn another_space_begins_without_vectors_and_the_old_ones_stay() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 1), entry("b", 2, 1)])).unwrap();
    let other = SpaceRecord { id: "space-2".into(), ..space() };
    store.set_encoder(id, &"e".parse().unwrap(), &other).unwrap();
    assert!(store.segments(id).unwrap().is_empty() && store.live(id).unwrap().is_empty());
    assert_eq!(store.lacking_vectors(id).unwrap().len(), 2);
    let mut moved = entry("a", 3, 1);
    moved.parts[0].vectors[0].space = other.id.clone();
    let done = store.commit(id, &upsert(vec![moved])).unwrap();
    assert_eq!((done.replaced, done.rows.len(), done.dead.len()), (1, 1, 1));
    store.set_encoder(id, &"e".parse().unwrap(), &space()).unwrap();
    assert_eq!(seen(&store, id)["b"].1, [vector(2).into_inner()]);
}

#[test]
fn a_dropped_collection_leaves_no_file_and_no_row() {
    let data = folder();
    let (store, id) = fresh(data.path());
    let mut item = entry("a", 1, 2);
    item.words = vec!["red".into()];
    item.root = Some(store.add_root(id, RootKind::Api, "api", None).unwrap().id);
    store.commit(id, &upsert(vec![item])).unwrap();
    let kept = store.segments(id).unwrap().pop().unwrap();
    store.drop_collection(id).unwrap();
    assert!(!kept.path().exists());
    assert_eq!(kept.row(1), vector(2).as_slice(), "a mapping that a search holds stays good");
    assert_eq!(refused(store.drop_collection(id)), "collection.unknown");
    assert_eq!(refused(store.commit(id, &Batch::default())), "collection.unknown");
    assert_ne!(collection(&store), id, "an id is never given twice");
    store
        .read(|db| {
            for table in ["items", "parts", "item_tags", "segments", "vectors", "commits", "roots", "words"] {
                let n: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
                assert_eq!(n, 0, "{table}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn jobs_keep_their_story() {
    let data = folder();
    let store = Store::open(data.path(), Access::Write).unwrap();
    let new = NewJob {
        kind: "index".into(),
        collection: Some("photos".parse().unwrap()),
        title: "/photos".into(),
        params: json!({"prune": true}),
    };
    let jobs: Vec<JobId> = (0..3).map(|_| store.create_job(&new).unwrap()).collect();
    store.update_job(jobs[0], JobState::Running, &json!({"done": 1})).unwrap();
    store.update_job(jobs[1], JobState::Running, &json!({"done": 2})).unwrap();
    let reject = |n: u32| Reject {
        path: format!("{n}\n.jpg"),
        code: "photo.truncated".into(),
        reason: "short".into(),
    };
    store.add_rejects(jobs[0], &[reject(0), reject(1)]).unwrap();
    store.add_rejects(jobs[0], &[reject(2)]).unwrap();
    store.finish_job(jobs[0], JobState::Done, &json!({"indexed": 5})).unwrap();
    assert_eq!(store.rejects(jobs[0], 1, 9).unwrap(), [reject(1), reject(2)]);
    assert_eq!(refused(store.finish_job(JobId(99), JobState::Done, &json!(1))), "job.unknown");
    drop(store);

    let store = Store::open(data.path(), Access::Write).unwrap();
    let all = store.jobs(9).unwrap();
    let states: Vec<JobState> = all.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Interrupted, JobState::Interrupted, JobState::Done]);
    let done = store.job(jobs[0]).unwrap().unwrap();
    assert_eq!(
        (done.rejects, done.result, done.progress),
        (3, Some(json!({"indexed": 5})), json!({"done": 1}))
    );
    assert!(done.started.unwrap() >= done.created && done.ended.is_some());
    assert!(store.job(JobId(99)).unwrap().is_none());
}

#[test]
fn settings_and_blobs_stay() {
    let data = folder();
    let store = Store::open(data.path(), Access::Write).unwrap();
    store.set_setting("language", Some("zh")).unwrap();
    let id = store.put_blob(b"picture").unwrap();
    assert_eq!(store.put_blob(b"picture").unwrap(), id);
    assert_eq!(std::fs::read(store.blob_path(&id)).unwrap(), b"picture");
    assert_eq!(id.to_string().parse(), Ok(id));
    std::fs::write(store.blob_path(&id), "damaged").unwrap();
    store.put_blob(b"picture").unwrap();
    assert_eq!(std::fs::read(store.blob_path(&id)).unwrap(), b"picture");
    std::fs::write(data.path().join("blobs/tmp/left"), "over").unwrap();
    drop(store);
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(store.setting("language").unwrap().as_deref(), Some("zh"));
    assert!(store.blob_path(&id).exists() && !data.path().join("blobs/tmp/left").exists());
    store.set_setting("language", None).unwrap();
    assert_eq!(store.setting("language").unwrap(), None);
}

#[test]
fn many_threads_read_while_one_writes() {
    let data = folder();
    let (store, id) = fresh(data.path());
    let store = Arc::new(store);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..60 {
                store.commit(id, &upsert(vec![entry("a", n * 10, 2), entry("b", n * 10 + 5, 1)])).unwrap();
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..60 {
                    let items = store.list(id, &Filter::default(), None, 9).unwrap();
                    assert!(items.is_empty() || items.len() == 2, "a commit is seen whole");
                    let live = store.live(id).unwrap();
                    assert!(live.is_empty() || live.len() == 3);
                }
            });
        }
    });
}
