//! How fast, on the disk of the temporary folder; run by hand with `--run-ignored all --no-capture`.

use std::time::Instant;

use super::*;

fn wide(seed: usize) -> Vector {
    let values = (0..2048).map(|i| (((seed * 31 + i * 17) % 251) as f32 - 125.0) / 100.0).collect();
    Vector::unit(values, Dim::new(2048).unwrap()).unwrap()
}

#[test]
#[ignore = "measures; 0.8 GB on disk"]
fn a_hundred_thousand_photos() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), Access::Write).unwrap();
    let id = collection(&store);
    let space = SpaceRecord { id: "wide".into(), dim: Dim::new(2048).unwrap(), ..space() };
    store.set_encoder(id, &"resnet50".parse().unwrap(), &space).unwrap();
    let photo = |n: usize| {
        let mut item = entry(&format!("folder-{}/photo-{n:06}.jpg", n % 97), 0, 0);
        item.tags = vec![format!("tag-{}", n % 13), "all".into()];
        item.words = vec!["photo".into(), format!("folder{}", n % 97), format!("{n:06}")];
        item.parts = vec![NewPart { text: None, vector: Some(wide(n)) }];
        item
    };
    let timed =
        |what: &str, start: Instant| println!("{what}: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);

    let mut times: Vec<f64> = (0..64)
        .map(|batch| {
            let items = upsert((0..16).map(|i| photo(batch * 16 + i)).collect());
            let start = Instant::now();
            store.commit(id, &items).unwrap();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("commit of 16 x 2048-d: median {:.2} ms, worst {:.2} ms", times[32], times[63]);
    let start = Instant::now();
    for from in (1024..100_000).step_by(1000) {
        store.commit(id, &upsert((from..(from + 1000).min(100_000)).map(photo).collect())).unwrap();
    }
    timed("99 commits of 1000", start);
    let items = upsert((0..16).map(photo).collect());
    let start = Instant::now();
    store.commit(id, &items).unwrap();
    timed("replacing 16 of 100 000", start);

    let start = Instant::now();
    let live = store.live(id).unwrap();
    timed("live of 100 000, first", start);
    let start = Instant::now();
    assert_eq!(store.live(id).unwrap().len(), 100_000);
    timed("live of 100 000, again", start);
    let ids: Vec<ItemId> = live.iter().step_by(9973).take(10).map(|row| row.item).collect();
    let start = Instant::now();
    assert_eq!(store.items(&ids).unwrap().len(), 10);
    timed("items of 10, first", start);
    let start = Instant::now();
    store.items(&ids).unwrap();
    timed("items of 10, again", start);
    let filter = Filter { tags: vec!["tag-3".into(), "all".into()], path_prefix: Some("folder-1".into()) };
    let start = Instant::now();
    let n = store.matching(id, &filter).unwrap().len();
    timed(&format!("matching: two tags and a prefix, {n}"), start);
    let tags = Filter { tags: vec!["tag-3".into()], path_prefix: None };
    let start = Instant::now();
    let n = store.matching(id, &tags).unwrap().len();
    timed(&format!("matching: a tag, {n}"), start);
    let start = Instant::now();
    store.list(id, &filter, None, 50).unwrap();
    timed("list of 50 with it", start);
    for words in [vec!["photo".to_owned()], vec!["folder5".to_owned(), "000777".to_owned()]] {
        let start = Instant::now();
        store.words(id, &words, &Filter::default(), 50).unwrap();
        timed(&format!("words {words:?}"), start);
    }
    let start = Instant::now();
    assert!(store.lacking_vectors(id).unwrap().is_empty());
    timed("lacking_vectors", start);
    let start = Instant::now();
    store.tags(id).unwrap();
    timed("tags", start);
    let start = Instant::now();
    store.seal(store.segments(id).unwrap().pop().unwrap().id()).unwrap();
    timed("seal", start);
    drop(store);
    let start = Instant::now();
    let store = Store::open(data.path(), Access::Write).unwrap();
    timed("open for writing", start);
    let start = Instant::now();
    store.live(id).unwrap();
    timed("live of 100 000 after opening", start);
    let start = Instant::now();
    store.drop_collection(id).unwrap();
    timed("drop", start);
}
