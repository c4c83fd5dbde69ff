//! Which source a file of this machine belongs to: of the folders that a collection was made from, the deepest that it
//! lies in. So a folder below one that was indexed, or around one, brings no photo a second time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::IngestError;
use super::key;
use crate::library::{Collection, LibraryError};
use crate::store::{ContentId, RootId, RootKind, RootRecord, Stamp, path_of_text, text_of_path};
use crate::types::ItemKey;

/// The sources that the files of one folder belong to.
pub struct Roots {
    /// The folder that is imported, as the disk names it.
    folder: PathBuf,
    /// The folder around it or itself; then those below it, the deepest first.
    main: Root,
    inner: Vec<Root>,
}

struct Root {
    folder: PathBuf,
    record: RootRecord,
}

/// What a collection knows of a file.
pub struct Known {
    pub path: PathBuf,
    pub stamp: Option<Stamp>,
    pub content: Option<ContentId>,
}

/// The name of a folder that its files belong to, if it is not one of the collection's sources itself: the deepest around
/// it.
pub fn around(roots: &[RootRecord], folder: &Path) -> Option<RootRecord> {
    let folders = roots.iter().filter(|root| root.kind == RootKind::Folder);
    let above = folders.filter(|root| folder.starts_with(path_of_text(&root.name)));
    above.max_by_key(|root| path_of_text(&root.name).components().count()).cloned()
}

impl Roots {
    /// Of the folder `folder`, whose files belong to `main` unless another source of the collection lies between.
    pub fn of(collection: &Collection, folder: PathBuf, main: RootRecord) -> Result<Self, LibraryError> {
        let all = collection.store().roots(collection.id())?.into_iter();
        let mut inner: Vec<Root> = all
            .filter(|root| root.kind == RootKind::Folder && root.id != main.id)
            .map(|record| Root { folder: path_of_text(&record.name), record })
            .filter(|root| root.folder != folder && root.folder.starts_with(&folder))
            .collect();
        inner.sort_by_key(|root| std::cmp::Reverse(root.folder.components().count()));
        // An upload or a table lies in no folder: its files are its own.
        let at = if main.kind == RootKind::Folder { path_of_text(&main.name) } else { folder.clone() };
        Ok(Self { folder, main: Root { folder: at, record: main }, inner })
    }

    /// The source and the key of a file of the folder.
    pub fn place(&self, relative: &Path) -> Result<(RootId, ItemKey), IngestError> {
        let path = self.folder.join(relative);
        let root = self.inner.iter().find(|root| path.starts_with(&root.folder)).unwrap_or(&self.main);
        let below = path.strip_prefix(&root.folder).unwrap_or(relative);
        Ok((root.record.id, key::with_prefix(root.record.prefix.as_deref(), &text_of_path(below))?))
    }

    /// Before the keys of all files of the folder that belong to its main source; `None` if that is the folder itself and
    /// has no prefix.
    pub fn prefix(&self) -> Option<String> {
        let below = self.folder.strip_prefix(&self.main.folder).map(text_of_path).unwrap_or_default();
        let parts = self.main.record.prefix.iter().map(String::as_str).chain([below.as_str()]);
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    /// What the collection has of the folder's files, of whatever source.
    pub fn known(&self, collection: &Collection) -> Result<HashMap<ItemKey, Known>, LibraryError> {
        let mut known = HashMap::new();
        for root in std::iter::once(&self.main).chain(&self.inner) {
            for (key, (stamp, content)) in collection.store().stamps(collection.id(), root.record.id)? {
                let path = root.path(&key);
                if path.starts_with(&self.folder) {
                    known.insert(key, Known { path, stamp, content });
                }
            }
        }
        Ok(known)
    }

    /// A path of the folder as the disk names it.
    pub fn full(&self, relative: &Path) -> PathBuf {
        self.folder.join(relative)
    }
}

impl Root {
    /// Where the file of a key lies, or lay.
    fn path(&self, key: &ItemKey) -> PathBuf {
        let prefix = self.record.prefix.as_deref();
        let own = prefix.and_then(|p| key.as_str().strip_prefix(p)?.strip_prefix('/'));
        self.folder.join(path_of_text(own.unwrap_or(key.as_str())))
    }
}
