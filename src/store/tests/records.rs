//! What is kept of items, roots, words, jobs and settings comes back as it was given.

use super::*;

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
