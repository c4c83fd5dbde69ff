//! From one space to another: beside, both, swapped; given up; and gone on with by another program.

use super::*;
use crate::types::Coded;

pub fn wider() -> SpaceRecord {
    SpaceRecord { id: "space-2".into(), descriptor: json!({"pooling": "cls"}), dim: Dim::new(2).unwrap() }
}

pub fn wide_vector(seed: u32) -> Vector {
    Vector::unit(vec![1.0, seed as f32], Dim::new(2).unwrap()).unwrap()
}

/// The entry with vectors for both spaces.
pub fn in_both(text: &str, seed: u32, parts: u32) -> NewItem {
    let mut item = entry(text, seed, parts);
    for (i, part) in (0..).zip(&mut item.parts) {
        part.vectors.push(InSpace { space: wider().id, vector: wide_vector(seed + i) });
    }
    item
}

/// Fills what is lacking beside with what `in_both` would have brought.
pub fn fill_all(store: &Store, id: CollectionId) {
    try_fill_all(store, id).unwrap();
}

pub fn try_fill_all(store: &Store, id: CollectionId) -> Result<(), StoreError> {
    let lacking = store.lacking_beside(id, Field::Own)?.into_iter().map(|part| {
        let item = store.items(&[part.item]).unwrap().remove(0);
        let Body::Faq { question, .. } = item.body else { panic!("an FAQ") };
        let seed: u32 = question.rsplit(' ').next().unwrap().parse().unwrap();
        (part, wide_vector(seed + u32::from(part.part)))
    });
    store.fill_beside(id, Field::Own, &wider().id, &lacking.collect::<Vec<_>>()).map(drop)
}

/// What `seen` shows of entries made by `in_both`, in the wider space.
pub fn expected_wide(model: &BTreeMap<String, (u32, u32)>) -> BTreeMap<String, (String, Vec<Vec<f32>>)> {
    let wide = |&(seed, parts): &(u32, u32)| {
        let vectors = (0..parts).map(|i| wide_vector(seed + i).into_inner()).collect();
        (format!("question {seed}"), vectors)
    };
    model.iter().map(|(key, made)| (key.clone(), wide(made))).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, StoreError>) -> &'static str {
    result.unwrap_err().code()
}

pub fn begin(store: &Store, id: CollectionId) -> Result<SwitchRecord, StoreError> {
    store.begin_switch(id, Field::Own, &"zh".parse().unwrap(), &wider(), Some(b"table"))
}

fn files(data: &Path) -> usize {
    segments::segment_files(&data.join("vectors")).len()
}

#[test]
fn a_space_is_filled_beside_the_other_and_takes_its_place() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 2), entry("b", 5, 1)])).unwrap();
    assert_eq!(store.switch(id, Field::Own).unwrap(), None);
    assert_eq!(
        (code(store.swap(id, Field::Own)), store.cancel_switch(id, Field::Own).unwrap()),
        ("switch.none", false)
    );
    assert_eq!(begin(&store, id).unwrap().old, "space-1");
    assert_eq!(store.fitted("space-2").unwrap().as_deref(), Some(b"table".as_slice()));
    assert_eq!(store.lacking_beside(id, Field::Own).unwrap().len(), 3);

    // Writes go to both; searches see the old one alone.
    let done = store.commit(id, &upsert(vec![in_both("c", 8, 1)])).unwrap();
    assert_eq!((done.rows.len(), done.segments.len(), files(data.path())), (1, 1, 2));
    let mut model = BTreeMap::from([("a".into(), (1, 2)), ("b".into(), (5, 1)), ("c".into(), (8, 1))]);
    assert_eq!(seen(&store, id), expected(&model));
    assert_eq!(store.lacking_beside(id, Field::Own).unwrap().len(), 3);
    assert_eq!(code(store.swap(id, Field::Own)), "switch.lacks");

    // A writer that does not know of it leaves a gap, and what is deleted leaves none.
    store.commit(id, &upsert(vec![entry("d", 20, 2)])).unwrap();
    store.commit(id, &Batch { upserts: vec![], deletes: vec![key("b")] }).unwrap();
    model.insert("d".into(), (20, 2));
    model.remove("b");
    drop(store);

    // Another program goes on with it.
    let store = Store::open(data.path(), Access::Write).unwrap();
    assert_eq!(begin(&store, id).unwrap(), store.switch(id, Field::Own).unwrap().unwrap());
    assert_eq!(store.lacking_beside(id, Field::Own).unwrap().len(), 4);
    fill_all(&store, id);
    assert_eq!(seen(&store, id), expected(&model));
    let reader = Store::open(data.path(), Access::Read).unwrap();
    let held = reader.segments(id).unwrap();
    assert_eq!(store.swap(id, Field::Own).unwrap().encoder.as_str(), "zh");

    let record = store.collection(&"faq".parse().unwrap()).unwrap().unwrap();
    assert_eq!((record.space, record.encoder.unwrap().as_str()), (Some(wider()), "zh"));
    let now = expected_wide(&model);
    for store in [&store, &reader] {
        assert_eq!(seen(store, id), now);
        assert_eq!(store.switch(id, Field::Own).unwrap(), None);
    }
    assert_eq!(files(data.path()), 1, "what lay in the old space is gone");
    assert_eq!(held[0].row(0), vector(1).as_slice(), "a mapping that a search holds stays good");
    assert_eq!(store.check().unwrap(), [""; 0]);

    // A writer that was late: its old vectors go nowhere, and both are taken for the one that counts.
    assert_eq!(code(store.commit(id, &upsert(vec![entry("e", 30, 1)]))), "vector.other_space");
    store.commit(id, &upsert(vec![in_both("e", 30, 1)])).unwrap();
    assert_eq!(seen(&store, id)["e"].1, [wide_vector(30).into_inner()]);
    assert_eq!(code(begin(&store, id)), "switch.same");
}

#[test]
fn a_switch_that_is_given_up_leaves_nothing() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
    for _ in 0..2 {
        begin(&store, id).unwrap();
        let third = SpaceRecord { id: "space-3".into(), ..wider() };
        assert_eq!(
            code(store.begin_switch(id, Field::Own, &"x".parse().unwrap(), &third, None)),
            "switch.other"
        );
        fill_all(&store, id);
        assert_eq!(files(data.path()), 2);
        assert!(store.cancel_switch(id, Field::Own).unwrap());
        assert_eq!((files(data.path()), store.fitted("space-2").unwrap()), (1, None));
        assert_eq!(code(store.fill_beside(id, Field::Own, "space-2", &[])), "switch.none");
    }
    assert_eq!(seen(&store, id), expected(&BTreeMap::from([("a".into(), (1, 2))])));
    begin(&store, id).unwrap();
    store.drop_collection(id).unwrap();
    assert_eq!((store.collections().unwrap().len(), files(data.path())), (0, 0));
}

#[test]
fn what_the_new_space_loses_is_filled_again_and_is_not_lost() {
    let data = folder();
    let (store, id) = fresh(data.path());
    store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
    begin(&store, id).unwrap();
    fill_all(&store, id);
    drop(store);
    let beside = data.path().join("vectors").join(id.0.to_string()).join("space-2");
    segments::segment_files(&beside).iter().for_each(|path| std::fs::remove_file(path).unwrap());

    let store = Store::open(data.path(), Access::Write).unwrap();
    assert!(store.lost_vectors(id).unwrap().is_empty());
    assert_eq!(code(store.swap(id, Field::Own)), "switch.lacks");
    fill_all(&store, id);
    store.swap(id, Field::Own).unwrap();
    assert_eq!(seen(&store, id)["a"].1.len(), 2);
}
