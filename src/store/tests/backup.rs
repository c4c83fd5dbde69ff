//! Backup and restore: what comes back, what is refused, and that neither is ever half.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::io::Hook;
use super::super::manifest::Manifest;
use super::super::restore::restore_through;
use super::*;
use crate::types::Coded;

type Model = BTreeMap<String, (u32, u32)>;

/// An item whose original was uploaded.
fn photo(store: &Store, name: &str, bytes: &[u8]) -> NewItem {
    let blob = store.put_blob(bytes).unwrap();
    let place = Place::Blob(blob);
    let body = Body::Photo { width: 1, height: 1, format: "png".into(), bytes: bytes.len() as u64, place };
    NewItem { body, content: Some(blob), ..entry(name, 1, 0) }
}

/// Sealed and growing segments, a setting, an original in another collection, a file to take along.
fn lived_in(data: &Path) -> (Store, CollectionId, Model) {
    let (mut store, id) = fresh(data);
    store.segment_bytes = Segment::HEADER_BYTES + 12 * 6;
    let mut model = Model::new();
    for n in 0..5u32 {
        let name = format!("k{n}");
        store.commit(id, &upsert(vec![entry(&name, n * 10, 2)])).unwrap();
        model.insert(name, (n * 10, 2));
    }
    let new = NewCollection {
        name: "pics".parse().unwrap(),
        kind: Kind::Photos,
        encoder: None,
        recipe: "Flat".into(),
    };
    let pics = store.create_collection(&new).unwrap().id;
    let photos = vec![photo(&store, "one", b"first picture"), photo(&store, "two", b"second picture")];
    store.commit(pics, &upsert(photos)).unwrap();
    store.put_blob(b"nobody's").unwrap();
    store.set_setting("language", Some("zh")).unwrap();
    std::fs::create_dir_all(data.join("models")).unwrap();
    std::fs::write(data.join("models/pins.json"), "{}").unwrap();
    (store, id, model)
}

fn extra() -> Vec<std::path::PathBuf> {
    vec!["models/pins.json".into(), "models/none.json".into()]
}

fn same(data: &Path, id: CollectionId, model: &Model) {
    for access in [Access::Read, Access::Write] {
        let store = Store::open(data, access).unwrap();
        assert_eq!(seen(&store, id), expected(model));
        assert!(store.lost_vectors(id).unwrap().is_empty());
        assert_eq!(store.check().unwrap(), [""; 0]);
        assert_eq!(store.check_blobs().unwrap(), (2, vec![]));
        assert_eq!(store.setting("language").unwrap().as_deref(), Some("zh"));
        let pics = store.collection(&"pics".parse().unwrap()).unwrap().unwrap();
        assert_eq!(pics.items, 2);
    }
    assert_eq!(std::fs::read_to_string(data.join("models/pins.json")).unwrap(), "{}");
}

#[test]
fn what_is_backed_up_comes_back() {
    let (data, place) = (folder(), folder());
    let (store, id, model) = lived_in(data.path());
    let to = place.path().join("a/b/backup");
    let first = backup(data.path(), &to, &extra()).unwrap();
    // Database, two blobs, a pin, two sealed segments (of three rows of two... ) and what grows.
    let segments = store.segments(id).unwrap().len() as u64;
    assert_eq!((first.files, first.copied, &first.damaged), (4 + segments, 4 + segments, &vec![]));

    // A second one copies the new alone, and takes away what nobody names.
    store.commit(id, &upsert(vec![entry("k0", 500, 1)])).unwrap();
    let second = backup(data.path(), &to, &extra()).unwrap();
    assert!(second.copied <= 3, "the database, and one or two segments: {second:?}");
    let files = walkdir::WalkDir::new(to.join("files")).min_depth(2).into_iter().count();
    assert_eq!(files as u64, second.files);

    for target in [place.path().join("new/data"), place.path().join("empty")] {
        if target.ends_with("empty") {
            std::fs::create_dir(&target).unwrap();
        }
        let done = restore(&to, &target).unwrap();
        assert_eq!((done.files, done.bytes), (second.files, second.bytes));
        let mut model = model.clone();
        model.insert("k0".into(), (500, 1));
        same(&target, id, &model);
        assert_eq!(restore(&to, &target).unwrap_err().code(), "restore.not_empty");
    }
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 3, "nothing half is left: {left:?}");
}

#[test]
fn a_backup_beside_a_busy_writer_is_of_one_moment() {
    let (data, place) = (folder(), folder());
    let (store, id, _) = lived_in(data.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                // Both or neither; and much that dies, so that it compacts.
                store.commit(id, &upsert(vec![entry("x", n * 10, 2), entry("y", n * 10, 1)])).unwrap();
                if n % 5 == 0 {
                    super::compact::compact(&store, id);
                }
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for n in 0..8 {
            let to = place.path().join("backup");
            let report = backup(data.path(), &to, &[]).unwrap();
            assert_eq!(report.damaged, [""; 0]);
            let target = place.path().join(format!("data{n}"));
            restore(&to, &target).unwrap();
            let back = Store::open(&target, Access::Write).unwrap();
            assert!(back.lost_vectors(id).unwrap().is_empty() && back.check().unwrap().is_empty());
            let found = seen(&back, id);
            let (x, y) = (found.get("x"), found.get("y"));
            assert_eq!(x.map(|x| &x.0), y.map(|y| &y.0), "of one commit");
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn other_folders_are_refused_and_left_alone() {
    let (data, place) = (folder(), folder());
    let (_store, ..) = lived_in(data.path());
    std::fs::write(place.path().join("letter.txt"), "mine").unwrap();
    for (to, code) in [
        (place.path().to_owned(), "backup.other_folder"),
        (place.path().join("letter.txt"), "backup.other_folder"),
        (data.path().to_owned(), "backup.within"),
        (data.path().join("new/backup"), "backup.within"),
    ] {
        assert_eq!(backup(data.path(), &to, &[]).unwrap_err().code(), code, "{to:?}");
        assert_eq!(restore(&to, &place.path().join("new")).unwrap_err().code(), "backup.none", "{to:?}");
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    assert_eq!(backup(&place.path().join("none"), place.path(), &[]).unwrap_err().code(), "store.absent");
}

#[test]
fn a_flipped_byte_anywhere_in_a_backup_is_told_and_nothing_is_restored() {
    let (data, place) = (folder(), folder());
    drop(lived_in(data.path()));
    let (to, target) = (place.path().join("backup"), place.path().join("data"));
    backup(data.path(), &to, &[]).unwrap();
    let mut places: Vec<std::path::PathBuf> =
        Manifest::read(&to).unwrap().files.iter().map(|entry| entry.object(&to)).collect();
    places.push(to.join("backup.jsonl"));
    for path in places {
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(997) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let code = restore(&to, &target).unwrap_err().code();
            assert!(["backup.damaged", "backup.newer_version"].contains(&code), "{path:?} {at}: {code}");
        }
        std::fs::remove_file(&path).unwrap();
        let code = restore(&to, &target).unwrap_err().code();
        assert!(["backup.damaged", "backup.none"].contains(&code), "{path:?}: {code}");
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(!target.exists());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    restore(&to, &target).unwrap();
}

#[test]
fn what_is_damaged_at_home_is_told_and_a_good_older_copy_is_kept() {
    let (data, place) = (folder(), folder());
    let (store, id, model) = lived_in(data.path());
    let to = place.path().join("backup");
    backup(data.path(), &to, &extra()).unwrap();
    let sealed = store.segments(id).unwrap().into_iter().find(|segment| segment.sealed()).unwrap();
    let blob = ContentId::of(b"first picture");
    drop(store);
    for path in [sealed.path().to_owned(), super::super::blobs::path(data.path(), &blob)] {
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let store = Store::open(data.path(), Access::Read).unwrap();
    assert_eq!(store.check_blobs().unwrap().1.len(), 1);
    // Into the old one: the good copies stay. Into a new one: said, and copied as it is.
    assert_eq!(backup(data.path(), &to, &extra()).unwrap().damaged, [""; 0]);
    restore(&to, &place.path().join("data")).unwrap();
    same(&place.path().join("data"), id, &model);
    let report = backup(data.path(), &place.path().join("new"), &[]).unwrap();
    assert_eq!(report.damaged.len(), 2, "{report:?}");
    std::fs::remove_file(super::super::blobs::path(data.path(), &blob)).unwrap();
    let report = backup(data.path(), &place.path().join("new2"), &[]).unwrap();
    assert!(report.damaged.iter().any(|line| line.ends_with("is gone")), "{report:?}");
    restore(&place.path().join("new2"), &place.path().join("data2")).unwrap();
}

#[test]
fn a_backup_that_fails_anywhere_leaves_the_older_one() {
    let (data, place) = (folder(), folder());
    let (mut store, id, model) = lived_in(data.path());
    let to = place.path().join("backup");
    store.backup(&to, &extra()).unwrap();
    for (kind, code) in [
        (ErrorKind::StorageFull, "store.full"),
        (ErrorKind::Other, "store.io"),
        (ErrorKind::ReadOnlyFilesystem, "store.read_only"),
    ] {
        for at in 0.. {
            // Something new, so that there is something to write.
            store.put_blob(format!("{code} {at}").as_bytes()).unwrap();
            store.set_setting("n", Some(&format!("{code} {at}"))).unwrap();
            let count = Arc::new(AtomicUsize::new(0));
            let counted = count.clone();
            let hook: Hook = Arc::new(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
                n if n == at => Err(kind.into()),
                _ => Ok(()),
            });
            store.io.hook = Some(hook);
            let outcome = store.backup(&to, &extra());
            store.io.hook = None;
            if count.load(Ordering::Relaxed) <= at {
                outcome.unwrap();
                break;
            }
            if let Err(e) = outcome {
                assert_eq!(e.code(), code, "step {at}");
            }
            let target = place.path().join(format!("data-{code}-{at}"));
            restore(&to, &target).unwrap();
            same(&target, id, &model);
        }
    }
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = all.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_restore_that_fails_anywhere_leaves_the_target_as_it_was() {
    let (data, place) = (folder(), folder());
    let (store, id, model) = lived_in(data.path());
    let to = place.path().join("backup");
    store.backup(&to, &extra()).unwrap();
    drop(store);
    let (mut injected, mut hints) = (0, 0);
    for there in [false, true] {
        for (kind, code) in [
            (ErrorKind::StorageFull, "store.full"),
            (ErrorKind::Other, "store.io"),
            (ErrorKind::ReadOnlyFilesystem, "store.read_only"),
        ] {
            for at in 0.. {
                let home = folder();
                let target = home.path().join("data");
                if there {
                    std::fs::create_dir_all(target.join("lost+found")).unwrap();
                }
                let count = Arc::new(AtomicUsize::new(0));
                let counted = count.clone();
                let hook: Hook = Arc::new(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
                    n if n == at => Err(kind.into()),
                    _ => Ok(()),
                });
                let outcome = restore_through(&to, &target, &super::super::io::Io::hooked(hook));
                if count.load(Ordering::Relaxed) <= at {
                    outcome.unwrap();
                    same(&target, id, &model);
                    break;
                }
                injected += 1;
                let Err(e) = outcome else {
                    // The hint in the lock of what is laid out is nobody's; without it the restore is whole.
                    hints += 1;
                    same(&target, id, &model);
                    continue;
                };
                assert_eq!(e.code(), code, "step {at}");
                let (around, inside) =
                    if there { (vec!["data"], vec!["lost+found"]) } else { (vec![], vec![]) };
                assert_eq!(
                    (names(home.path()), names(&target)),
                    (owned(&around), owned(&inside)),
                    "step {at}"
                );
                restore(&to, &target).unwrap();
                same(&target, id, &model);
            }
        }
    }
    println!("{injected} steps of a restore failed");
    assert!(injected > 200 && hints * 10 < injected, "{injected}, {hints}");
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_restore_that_was_killed_is_cleaned_up_by_the_next_one() {
    let (data, place) = (folder(), folder());
    let (store, id, model) = lived_in(data.path());
    let to = place.path().join("backup");
    store.backup(&to, &extra()).unwrap();
    drop(store);
    // As a kill leaves it: beside a target that was absent, and in one that was there, some of it in place.
    let home = folder();
    let (target, half) = (home.path().join("data"), home.path().join("there"));
    restore(&to, &home.path().join(".data.restoring/data")).unwrap();
    restore(&to, &half.join(".restoring/data")).unwrap();
    for name in ["vectors", "blobs"] {
        std::fs::rename(half.join(".restoring/data").join(name), half.join(name)).unwrap();
    }
    // It is no data folder yet, and must not become another one.
    assert_eq!(refused(Store::open(&half, Access::Read)), "store.absent");
    assert_eq!(refused(Store::open(&half, Access::Write)), "restore.unfinished");
    for target in [&target, &half] {
        restore(&to, target).unwrap();
        same(target, id, &model);
        assert_eq!(refused(restore(&to, target)), "restore.not_empty");
        assert!(!names(target).contains(&".restoring".to_owned()));
    }
    assert_eq!(names(home.path()), ["data", "there"]);
    // What else is in such a folder is somebody's.
    std::fs::create_dir_all(home.path().join("third/.restoring/data")).unwrap();
    std::fs::write(home.path().join("third/letter.txt"), "mine").unwrap();
    assert_eq!(refused(restore(&to, &home.path().join("third"))), "restore.not_empty");
}

#[test]
fn two_restores_into_one_folder_do_not_meet() {
    let (data, place) = (folder(), folder());
    let (store, id, model) = lived_in(data.path());
    let (to, target) = (place.path().join("backup"), place.path().join("data"));
    store.backup(&to, &extra()).unwrap();
    drop(store);
    let second = std::sync::Once::new();
    let (from, into) = (to.clone(), target.clone());
    // In the middle of the first one.
    let hook: Hook = Arc::new(move |op| {
        if matches!(op, super::super::io::Op::Write { .. }) {
            second.call_once(|| assert_eq!(refused(restore(&from, &into)), "restore.busy"));
        }
        Ok(())
    });
    restore_through(&to, &target, &super::super::io::Io::hooked(hook)).unwrap();
    same(&target, id, &model);
}
