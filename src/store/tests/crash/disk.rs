//! A disk as a model: every step of the write seam is recorded, and what the power's end would leave is laid out.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::store::io::{Hook, Op};

#[derive(Debug, Clone)]
pub enum Step {
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

pub fn recorder(data: PathBuf, steps: Arc<Mutex<Vec<Step>>>) -> Hook {
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

pub fn database(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = ["simile.db", "simile.db-wal"].map(PathBuf::from);
    files.into_iter().filter_map(|f| Some((f.clone(), fs::read(data.join(f)).ok()?))).collect()
}

/// What a disk keeps of unsynced writes when the power goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keeps {
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
pub struct Disk {
    contents: Vec<Content>,
    names: HashMap<PathBuf, usize>,
    durable: HashMap<PathBuf, usize>,
}

impl Disk {
    pub fn apply(&mut self, step: &Step) {
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
    pub fn lay_out(&self, keeps: Keeps, folder: &Path) {
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
