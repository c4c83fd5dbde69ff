//! A disk that fails at every single step once, in three ways: full, broken, read-only. What was acknowledged stays, what
//! failed says so by its code, and the same again succeeds once the disk does.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::io::{Hook, Op};
use super::captions::{captions, told as described, words};
use super::switch::{begin, expected_wide, in_both, try_fill_all};
use super::*;
use crate::types::Coded;

type Model = BTreeMap<String, (u32, u32)>;

/// The three kinds, and the code that each is told by.
const FAILURES: [(ErrorKind, &str); 3] = [
    (ErrorKind::StorageFull, "store.full"),
    (ErrorKind::Other, "store.io"),
    (ErrorKind::ReadOnlyFilesystem, "store.read_only"),
];

/// Something that writes.
struct Deed {
    name: &'static str,
    act: fn(&Store, CollectionId) -> Result<(), StoreError>,
    /// What is true then.
    after: fn(&mut Model),
}

fn deeds() -> Vec<Deed> {
    vec![
        Deed {
            name: "commit",
            act: |store, id| {
                let batch = Batch { upserts: vec![entry("a", 20, 3)], deletes: vec![key("b")] };
                store.commit(id, &batch).map(drop)
            },
            after: |model| {
                model.insert("a".into(), (20, 3));
                model.remove("b");
            },
        },
        Deed {
            name: "a commit that overfills its segment",
            act: |store, id| store.commit(id, &upsert(vec![entry("wide", 30, 9)])).map(drop),
            after: |model| {
                model.insert("wide".into(), (30, 9));
            },
        },
        Deed {
            name: "switch",
            act: |store, id| {
                begin(store, id)?;
                try_fill_all(store, id)?;
                store.swap(id, Field::Own).map(drop)
            },
            after: |_| {},
        },
        Deed {
            name: "seal",
            act: |store, id| {
                let last = store.segments(id)?.pop().expect("there is one");
                store.seal(last.id()).map(drop)
            },
            after: |_| {},
        },
        Deed {
            name: "compact",
            act: |store, id| {
                let copies = store.compact(id, Field::Own)?.expect("half of it is dead");
                store.install(copies)?.expect("nobody else compacts");
                store.sweep();
                Ok(())
            },
            after: |_| {},
        },
        Deed {
            name: "compacting captions",
            act: |store, id| {
                let copies = store.compact(id, Field::Captions)?.expect("half of them are dead");
                store.install(copies)?.expect("nobody else compacts");
                store.sweep();
                Ok(())
            },
            after: |_| {},
        },
        Deed { name: "blob", act: |store, _| store.put_blob(b"picture").map(drop), after: |_| {} },
        Deed { name: "setting", act: |store, _| store.set_setting("language", Some("zh")), after: |_| {} },
        Deed {
            name: "dropping another collection",
            act: |store, id| {
                let all = store.collections()?;
                let other = all.iter().find(|c| c.id != id).expect("there is another");
                store.drop_collection(other.id)
            },
            after: |_| {},
        },
    ]
}

/// Two segments, half of their rows dead, and a second collection.
fn prepared(data: &Path) -> (Store, CollectionId, Model) {
    let (mut store, id) = fresh(data);
    store.segment_bytes = Segment::HEADER_BYTES + 12 * 8;
    for seed in [1, 2] {
        let all = ["a", "b", "c", "d", "e"].map(|k| entry(k, seed, 1)).to_vec();
        store.commit(id, &upsert(all)).unwrap();
    }
    let new = NewCollection {
        name: "other".parse().unwrap(),
        kind: Kind::Faq,
        encoder: None,
        recipe: "Flat".into(),
    };
    let other = store.create_collection(&new).unwrap().id;
    store.set_encoder(other, &"minilm".parse().unwrap(), &space()).unwrap();
    store.commit(other, &upsert(vec![entry("x", 1, 2)])).unwrap();
    store.set_caption_encoder(id, &"words".parse().unwrap(), &words()).unwrap();
    for text in ["first", "second"] {
        store.describe(id, &["c", "d", "e"].map(|k| described(k, text, 1.0))).unwrap();
    }
    let model = ["a", "b", "c", "d", "e"].map(|k| (k.to_owned(), (2, 1))).into();
    (store, id, model)
}

/// Fails the step of that number, once; and what step it was.
fn failing(at: usize, kind: ErrorKind) -> (Hook, Arc<AtomicUsize>, Arc<Mutex<String>>) {
    let (count, what) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let (counted, told) = (count.clone(), what.clone());
    let hook: Hook = Arc::new(move |op: &Op<'_>| {
        if counted.fetch_add(1, Ordering::Relaxed) != at {
            return Ok(());
        }
        let op = format!("{op:?}");
        *told.lock().unwrap() = op.split([' ', '(']).next().unwrap_or_default().to_owned();
        Err(kind.into())
    });
    (hook, count, what)
}

#[test]
fn a_disk_that_fails_at_any_step_costs_nothing_acknowledged() {
    let mut injected = BTreeMap::<String, u32>::new();
    for deed in deeds() {
        for (kind, code) in FAILURES {
            for at in 0.. {
                let data = folder();
                let (mut store, id, before) = prepared(data.path());
                let (hook, count, what) = failing(at, kind);
                store.io.hook = Some(hook);
                let outcome = (deed.act)(&store, id);
                store.io.hook = None;
                if count.load(Ordering::Relaxed) <= at {
                    outcome.unwrap();
                    break;
                }
                let what = what.lock().unwrap().clone();
                let told = format!("{} at step {at} ({what}, {kind:?})", deed.name);
                *injected.entry(what.clone()).or_default() += 1;
                let mut after = before.clone();
                (deed.after)(&mut after);
                match &outcome {
                    // What is only tidied away is left for the next start.
                    Ok(()) => assert_eq!(what, "Remove", "{told}"),
                    Err(e) => assert_eq!(e.code(), code, "{told}"),
                }
                check(&store, id, data.path(), outcome.is_ok(), &deed, [&before, &after], &told);
            }
        }
    }
    for op in ["MakeDir", "Create", "Write", "Sync", "SyncDir", "Rename", "Remove", "Commit"] {
        assert!(injected.contains_key(op), "{op} was never failed: {injected:?}");
    }
}

fn check(
    store: &Store,
    id: CollectionId,
    data: &Path,
    done: bool,
    deed: &Deed,
    [before, after]: [&Model; 2],
    told: &str,
) {
    let expected_after =
        |model: &Model| if deed.name == "switch" { expected_wide(model) } else { expected(model) };
    let now = if done { expected_after(after) } else { expected(before) };
    assert_eq!(seen(store, id), now, "{told}");
    let captioned = captions(store, id);
    assert_eq!(captioned.len(), 3, "{told}");
    assert!(captioned.iter().all(|(_, text, _)| text == "second"), "{told}");
    // The disk is well again.
    if !done {
        (deed.act)(store, id).unwrap_or_else(|e| panic!("{told}, again: {e}"));
    }
    assert_eq!(seen(store, id), expected_after(after), "{told}, again");
    store.commit(id, &upsert(vec![in_both("next", 500, 1)])).unwrap();
    let mut after = after.clone();
    after.insert("next".into(), (500, 1));
    assert_eq!(seen(store, id), expected_after(&after), "{told}, and on");
    let reader = Store::open(data, Access::Read).unwrap();
    assert_eq!(seen(&reader, id), expected_after(&after), "{told}, read");
    assert_eq!((captions(store, id), captions(&reader, id)), (captioned.clone(), captioned), "{told}");
    assert_eq!(reader.check().unwrap(), [""; 0], "{told}");
    assert!(reader.lost_vectors(id).unwrap().is_empty(), "{told}");
}

#[test]
fn after_a_failure_and_a_start_all_is_as_a_model_has_it() {
    for deed in deeds() {
        for at in 0.. {
            let data = folder();
            let (mut store, id, before) = prepared(data.path());
            let (hook, count, _) = failing(at, ErrorKind::Other);
            store.io.hook = Some(hook);
            let outcome = (deed.act)(&store, id);
            if count.load(Ordering::Relaxed) <= at {
                break;
            }
            drop(store);
            let store = Store::open(data.path(), Access::Write).unwrap();
            let told = format!("{} at step {at}", deed.name);
            if outcome.is_err() {
                assert_eq!(seen(&store, id), expected(&before), "{told}");
            }
            assert_eq!(store.check().unwrap(), [""; 0], "{told}");
            if outcome.is_err() {
                (deed.act)(&store, id).unwrap_or_else(|e| panic!("{told}, again: {e}"));
            }
            let mut after = before.clone();
            (deed.after)(&mut after);
            let after = if deed.name == "switch" { expected_wide(&after) } else { expected(&after) };
            assert_eq!(seen(&store, id), after, "{told}");
        }
    }
}

#[test]
fn a_start_that_fails_at_any_step_can_be_made_again() {
    for (kind, code) in FAILURES {
        for at in 0.. {
            let data = folder();
            let (store, id, model) = prepared(data.path());
            let path = store.segments(id).unwrap().pop().unwrap().path().to_owned();
            store
                .create_job(&NewJob {
                    kind: "index".into(),
                    collection: None,
                    title: String::new(),
                    params: serde_json::Value::Null,
                })
                .unwrap();
            drop(store);
            // Rows that nobody named, a file that nobody names, a blob that never came to its place.
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.extend([7; 100]);
            std::fs::write(&path, &bytes).unwrap();
            let nameless = path.with_file_name(format!("{}.seg", SegmentId::fresh()));
            std::fs::write(nameless, &bytes).unwrap();
            std::fs::create_dir_all(data.path().join("blobs/tmp")).unwrap();
            std::fs::write(data.path().join("blobs/tmp/half"), "half").unwrap();

            let (hook, count, _) = failing(at, kind);
            let io = super::super::io::Io::hooked(hook);
            let opened = Store::open_through(data.path(), Access::Write, io);
            let failed = count.load(Ordering::Relaxed) > at;
            if let Err(e) = &opened {
                assert_eq!(e.code(), code, "step {at}");
            }
            drop(opened);
            let store = Store::open(data.path(), Access::Write).unwrap();
            assert_eq!(seen(&store, id), expected(&model), "step {at}");
            assert!(store.lost_vectors(id).unwrap().is_empty());
            assert_eq!(store.check().unwrap(), [""; 0]);
            if !failed {
                break;
            }
        }
    }
}
