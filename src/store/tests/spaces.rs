//! Parts and the space of their vectors: lacking, left, dropped.

use super::*;

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
