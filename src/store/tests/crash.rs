//! Every disk that a crash can leave: the steps of a run are recorded, each prefix of them is laid out as a disk that
//! kept all, only what was synced, or half of the last write; then it is opened and compared.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::super::io::{Hook, Op};
use super::*;
use crate::types::Coded;

#[derive(Debug, Clone)]
enum Step {
    Make(PathBuf),
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        path: PathBuf,
        len: usize,
    },
    Sync(PathBuf),
    SyncDir(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove(PathBuf),
    /// What the database's files held just before.
    Commit(Vec<(PathBuf, Vec<u8>)>),
}

fn recorder(data: PathBuf, steps: Arc<Mutex<Vec<Step>>>) -> Hook {
    Arc::new(move |op| {
        let local = |path: &Path| path.strip_prefix(&data).unwrap().to_owned();
        let step = match op {
            Op::MakeDir(path) | Op::Create(path) => Step::Make(local(path)),
            Op::Write { path, at, bytes } => {
                Step::Write { path: local(path), at: *at as usize, bytes: bytes.to_vec() }
            }
            Op::Cut { path, len } => Step::Cut { path: local(path), len: *len as usize },
            Op::Sync(path) => Step::Sync(local(path)),
            Op::SyncDir(path) => Step::SyncDir(local(path)),
            Op::Rename { from, to } => Step::Rename { from: local(from), to: local(to) },
            Op::Remove(path) => Step::Remove(local(path)),
            Op::Commit => Step::Commit(database(&data)),
        };
        steps.lock().unwrap().push(step);
        Ok(())
    })
}

fn database(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = ["simile.db", "simile.db-wal"].map(PathBuf::from);
    files.into_iter().filter_map(|f| Some((f.clone(), fs::read(data.join(f)).ok()?))).collect()
}

/// What a disk keeps of unsynced writes when the power goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keeps {
    All,
    Synced,
    /// The synced, and of each later write the first half.
    Halves,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    halves: Vec<u8>,
}

/// A disk: contents by number, and names as they are and as they would survive.
#[derive(Default)]
struct Disk {
    contents: Vec<Content>,
    names: HashMap<PathBuf, usize>,
    durable: HashMap<PathBuf, usize>,
}

impl Disk {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Make(path) => {
                self.contents.push(Content::default());
                self.names.insert(path.clone(), self.contents.len() - 1);
            }
            Step::Write { path, at, bytes } => {
                let content = &mut self.contents[self.names[path]];
                write(&mut content.now, *at, bytes);
                write(&mut content.halves, *at, &bytes[..bytes.len() / 2]);
            }
            Step::Cut { path, len } => self.contents[self.names[path]].now.resize(*len, 0),
            Step::Sync(path) => {
                let content = &mut self.contents[self.names[path]];
                content.durable = content.now.clone();
                content.halves = content.now.clone();
            }
            Step::SyncDir(folder) => {
                let inside = |path: &PathBuf| path.parent() == Some(folder.as_path());
                self.durable.retain(|path, _| !inside(path));
                self.durable
                    .extend(self.names.iter().filter(|(p, _)| inside(p)).map(|(p, n)| (p.clone(), *n)));
            }
            Step::Rename { from, to } => {
                let n = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), n);
            }
            Step::Remove(path) => drop(self.names.remove(path)),
            Step::Commit(_) => {}
        }
    }

    /// Lays out what a crash now would leave. A folder is a file to the model; files have content, folders none.
    fn lay_out(&self, keeps: Keeps, folder: &Path) {
        let names = if keeps == Keeps::All { &self.names } else { &self.durable };
        let reachable = |path: &&PathBuf| {
            path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).all(|p| names.contains_key(p))
        };
        for path in names.keys().filter(reachable) {
            let content = &self.contents[names[path]];
            let bytes = match keeps {
                Keeps::All => &content.now,
                Keeps::Synced => &content.durable,
                Keeps::Halves => &content.halves,
            };
            let folder = folder.join(path);
            if path.extension().is_some() || path.starts_with("blobs") && path.components().count() == 3 {
                fs::create_dir_all(folder.parent().unwrap()).unwrap();
                fs::write(folder, bytes).unwrap();
            } else {
                fs::create_dir_all(folder).unwrap();
            }
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    content.resize(content.len().max(at + bytes.len()), 0);
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

type Model = BTreeMap<String, (u32, u32)>;

struct Run {
    steps: Vec<Step>,
    /// The database before the first step and behind the last.
    last: Vec<(PathBuf, Vec<u8>)>,
    /// How many steps were done at each acknowledgement, and what was true then.
    acknowledged: Vec<(usize, Model, BTreeSet<ContentId>)>,
    id: CollectionId,
}

/// Commits that add, replace, delete, fill segments and seal them; and two blobs.
fn record() -> Run {
    let data = folder();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let mut store = Store::open(data.path(), Access::Write).unwrap();
    let id = collection(&store);
    store.io.hook = Some(recorder(data.path().to_owned(), steps.clone()));
    store.segment_bytes = Segment::HEADER_BYTES + 60;
    let (mut model, mut blobs) = (Model::new(), BTreeSet::new());
    let mut acknowledged = vec![(0, model.clone(), blobs.clone())];
    for round in 0..5u32 {
        let a = [("a", round * 10, 2), (["b", "c"][round as usize % 2], round * 10 + 5, 1)];
        let mut batch = upsert(a.map(|(k, seed, parts)| entry(k, seed, parts)).to_vec());
        if round == 3 {
            batch.deletes.push(key("b"));
            model.remove("b");
        }
        model.extend(a.map(|(k, seed, parts)| (k.to_owned(), (seed, parts))));
        store.commit(id, &batch).unwrap();
        acknowledged.push((steps.lock().unwrap().len(), model.clone(), blobs.clone()));
        if round % 4 == 0 {
            blobs.insert(store.put_blob(format!("blob {round}").as_bytes()).unwrap());
            acknowledged.push((steps.lock().unwrap().len(), model.clone(), blobs.clone()));
        }
    }
    store.seal(store.segments(id).unwrap().pop().unwrap().id()).unwrap();
    let last = database(data.path());
    let steps = steps.lock().unwrap().clone();
    Run { steps, last, acknowledged, id }
}

#[test]
fn after_any_crash_all_that_was_acknowledged_is_there() {
    let run = record();
    for done in 0..=run.steps.len() {
        let mut disk = Disk::default();
        run.steps[..done].iter().for_each(|step| disk.apply(step));
        let later = run.steps[done..].iter().find_map(|step| match step {
            Step::Commit(files) => Some(files),
            _ => None,
        });
        for keeps in [Keeps::All, Keeps::Synced, Keeps::Halves] {
            let data = folder();
            for (path, bytes) in later.unwrap_or(&run.last) {
                fs::write(data.path().join(path), bytes).unwrap();
            }
            disk.lay_out(keeps, data.path());
            check(&run, done, data.path(), &format!("{keeps:?} after step {done}"));
        }
    }
}

fn check(run: &Run, done: usize, data: &Path, what: &str) {
    let before = run.acknowledged.iter().rev().find(|(at, ..)| *at <= done).unwrap();
    // A commit that was not acknowledged yet may have come true, whole.
    let after = run.acknowledged.iter().find(|(at, ..)| *at > done).unwrap_or(before);
    for access in [Access::Read, Access::Write] {
        let store = Store::open(data, access).unwrap();
        let found = seen(&store, run.id);
        assert!(found == expected(&before.1) || found == expected(&after.1), "{what}: {found:?}");
        assert!(store.lost_vectors(run.id).unwrap().is_empty(), "{what}");
        for blob in &before.2 {
            let bytes = fs::read(store.blob_path(blob)).unwrap();
            assert_eq!(ContentId::of(&bytes), *blob, "{what}");
        }
    }
    // And it goes on from there.
    let store = Store::open(data, Access::Write).unwrap();
    store.commit(run.id, &upsert(vec![entry("next", 500, 1)])).unwrap();
    assert_eq!(seen(&store, run.id)["next"].1, [vector(500).into_inner()], "{what}");
    assert!(fs::read_dir(data.join("blobs/tmp")).map_or(0, Iterator::count) == 0, "{what}");
}

/// Fails the step of that number, once.
fn failing(at: usize) -> (Hook, Arc<Mutex<usize>>) {
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let hook: Hook = Arc::new(move |_| {
        let mut n = counted.lock().unwrap();
        *n += 1;
        if *n == at + 1 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    });
    (hook, count)
}

#[test]
fn a_full_disk_at_any_step_leaves_what_was_there() {
    for first in [true, false] {
        for at in 0.. {
            let data = folder();
            let (mut store, id) = fresh(data.path());
            store.segment_bytes = Segment::HEADER_BYTES + 60;
            let mut model = Model::new();
            if !first {
                store.commit(id, &upsert(vec![entry("a", 1, 2), entry("b", 5, 1)])).unwrap();
                model = BTreeMap::from([("a".into(), (1, 2)), ("b".into(), (5, 1))]);
            }
            let (hook, count) = failing(at);
            store.io.hook = Some(hook);
            let batch = Batch { upserts: vec![entry("a", 20, 3)], deletes: vec![key("b")] };
            let outcome = store.commit(id, &batch);
            store.io.hook = None;
            if *count.lock().unwrap() <= at {
                outcome.unwrap();
                break;
            }
            assert_eq!(outcome.unwrap_err().code(), "store.full");
            assert_eq!(seen(&store, id), expected(&model), "step {at}");
            // Some space is free again.
            store.commit(id, &batch).unwrap();
            store.commit(id, &upsert(vec![entry("c", 30, 1)])).unwrap();
            let model = BTreeMap::from([("a".into(), (20, 3)), ("c".into(), (30, 1))]);
            assert_eq!(seen(&store, id), expected(&model), "step {at}");
            drop(store);
            let store = Store::open(data.path(), Access::Write).unwrap();
            assert_eq!(seen(&store, id), expected(&model), "step {at}");
            assert!(store.lost_vectors(id).unwrap().is_empty());
        }
    }
}
