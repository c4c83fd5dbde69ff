//! Files that arrive one by one from a browser or a program: each is answered after its commit, all are one job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::caption_file::{self, CaptionFile};
use super::captions::{CaptionImport, Told};
use super::error::IngestError;
use super::item::{Put, put_photo_in};
use super::plan::{self, Target};
use super::table::TableImport;
use super::{Done, Reject, Report, TABLES_END, is_table, key, outcome};
use crate::library::{Collection, Library, Phase, Tracker, Urgency};
use crate::photo::{self, Class};
use crate::store::{JobId, NewJob, RootKind, RootRecord};
use crate::types::{Coded, CollectionName, ItemKey, Kind};

/// Root of files that were not picked as a folder.
pub const LOOSE: &str = "uploads";

/// Uploads open at once, and files in one.
const MOST_OPEN: usize = 64;
const MOST_FILES: u64 = 1_000_000;

/// Captions that one upload holds until its end.
const MOST_CAPTIONS: usize = 200_000;

/// The uploads under way.
pub struct Uploads {
    library: Arc<Library>,
    /// An upload that hears nothing for so long is ended; what it brought stays.
    patience: Duration,
    open: Mutex<HashMap<JobId, Arc<Upload>>>,
}

/// What an upload is about.
#[derive(Debug, Clone)]
pub struct NewUpload {
    pub collection: CollectionName,
    pub kind: Kind,
    /// The picked folder's name, or [`LOOSE`].
    pub root: String,
    pub prefix: Option<String>,
    /// How many files will come; 0 if that is not known.
    pub files: u64,
}

struct Upload {
    collection: Arc<Collection>,
    root: RootRecord,
    tracker: Arc<Tracker>,
    state: Mutex<State>,
}

struct State {
    report: Report,
    heard: Instant,
    /// Files that are being taken in right now; one may be a table that is encoded for minutes.
    busy: usize,
    files: u64,
    /// Told of photos that may still be on their way; used when the upload ends.
    captions: Vec<CaptionFile>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Added {
    Photo {
        key: ItemKey,
        put: Put,
    },
    Table {
        report: Report,
    },
    /// A table of captions, by its columns; the photos get them when the upload ends.
    Captions {
        rows: usize,
    },
    /// No picture and no table; nothing is wrong with that.
    Skipped {
        path: String,
    },
}

impl Uploads {
    pub fn new(library: Arc<Library>, patience: Duration) -> Self {
        Self { library, patience, open: Mutex::default() }
    }

    /// Opens an upload: a job that files are added to.
    ///
    /// # Errors
    /// `upload.too_many_files`, `upload.too_many`, and what is wrong with collection, root or prefix.
    pub fn open(&self, new: &NewUpload) -> Result<JobId, IngestError> {
        if new.files > MOST_FILES {
            return Err(IngestError::TooManyFiles { files: new.files, most: MOST_FILES });
        }
        self.end_forgotten();
        if self.lock().len() >= MOST_OPEN {
            return Err(IngestError::TooManyUploads { most: MOST_OPEN });
        }
        let prefix = new.prefix.as_deref().map(key::check_prefix).transpose()?;
        let target = Target { name: &new.collection, kind: new.kind, encoder: None, recipe: None };
        let collection = target.open(&self.library)?;
        let root = plan::root(&collection, RootKind::Upload, &new.root, prefix)?;
        let (id, tracker) = self.library.jobs().begin(&NewJob {
            kind: "upload".to_owned(),
            collection: Some(new.collection.clone()),
            title: new.root.clone(),
            params: serde_json::Value::Null,
        })?;
        tracker.begin(Phase::Indexing, new.files);
        let state = Mutex::new(State {
            report: Report::default(),
            heard: Instant::now(),
            busy: 0,
            files: 0,
            captions: Vec::new(),
        });
        self.lock().insert(id, Arc::new(Upload { collection, root, tracker, state }));
        Ok(id)
    }

    /// Takes one file in; returns after the commit. A bad file is counted among the upload's rejects too.
    ///
    /// # Errors
    /// `key.collides` if another root has the key, `photo.*`, `table.*`, `upload.unknown`.
    pub fn add(&self, id: JobId, relative: &str, bytes: &[u8]) -> Result<Added, IngestError> {
        let upload = self.lock().get(&id).cloned().ok_or(IngestError::UnknownUpload(id.0))?;
        {
            let mut state = upload.state();
            if state.files >= MOST_FILES {
                return Err(IngestError::TooManyFiles { files: MOST_FILES + 1, most: MOST_FILES });
            }
            state.busy += 1;
        }
        let added = upload.add(&self.library, relative, bytes);
        upload.note(relative, &added);
        added
    }

    /// Ends an upload with its report.
    pub fn finish(&self, id: JobId) -> Result<Report, IngestError> {
        let upload = self.lock().remove(&id).ok_or(IngestError::UnknownUpload(id.0))?;
        upload.finish(&self.library, id)
    }

    /// Ends every upload, because the server does; what they brought stays.
    pub fn end_all(&self) {
        let open: Vec<(JobId, Arc<Upload>)> = self.lock().drain().collect();
        for (id, upload) in open {
            upload.tracker.cancel();
            self.end(id, &upload);
        }
    }

    fn end(&self, id: JobId, upload: &Upload) {
        if let Err(e) = upload.finish(&self.library, id) {
            tracing::warn!("upload {} could not be ended: {e}", id.0);
        }
    }

    /// Ends uploads that nobody goes on with: a page that was closed, a program that was stopped.
    pub fn end_forgotten(&self) {
        let forgotten: Vec<(JobId, Arc<Upload>)> = {
            let mut open = self.lock();
            let old = |upload: &Arc<Upload>| {
                let state = upload.state();
                state.busy == 0 && state.heard.elapsed() > self.patience
            };
            open.extract_if(|_, upload| old(upload)).collect()
        };
        for (id, upload) in forgotten {
            self.end(id, &upload);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<Upload>>> {
        self.open.lock().expect("no holder of this lock panics")
    }
}

impl Upload {
    fn add(&self, library: &Library, relative: &str, bytes: &[u8]) -> Result<Added, IngestError> {
        let name = key::key_of_upload(relative)?;
        if self.collection.kind() == Kind::Faq {
            return self.add_table(library, &name, bytes);
        }
        let class = match photo::classify(&name, &[]) {
            Class::Other => photo::classify(&name, &bytes[..bytes.len().min(64)]),
            by_name => by_name,
        };
        if class == Class::Other && caption_file::recognised(&name, bytes) {
            return self.hold(&name, bytes);
        }
        if class != Class::Picture {
            return Ok(Added::Skipped { path: relative.to_owned() });
        }
        let key = key::with_prefix(self.root.prefix.as_deref(), &name)?;
        plan::refuse_collisions(&self.collection, &self.root, std::iter::once(&key))?;
        let put = put_photo_in(
            library,
            &self.collection,
            &self.root,
            key.clone(),
            bytes,
            Told::default(),
            Urgency::Bulk,
        )?;
        Ok(Added::Photo { key, put })
    }

    /// Keeps a caption table until all photos are there.
    fn hold(&self, name: &str, bytes: &[u8]) -> Result<Added, IngestError> {
        let file = CaptionFile::parse(name, bytes)?;
        let rows = file.rows();
        let mut state = self.state();
        if state.captions.iter().map(CaptionFile::rows).sum::<usize>() + rows > MOST_CAPTIONS {
            let why = format!("an upload takes {MOST_CAPTIONS} captions; send the rest with another one");
            return Err(IngestError::NotTaken { path: name.to_owned(), why });
        }
        state.captions.push(file);
        Ok(Added::Captions { rows })
    }

    /// A table's entries belong to the table, so that another one beside it takes none of them away.
    fn add_table(&self, library: &Library, name: &str, bytes: &[u8]) -> Result<Added, IngestError> {
        if !is_table(name.as_ref()) {
            let why = TABLES_END.to_owned();
            return Err(IngestError::NotTaken { path: name.to_owned(), why });
        }
        let root_name = format!("{}/{name}", self.root.name);
        let root = plan::root(&self.collection, RootKind::Table, &root_name, self.root.prefix.clone())?;
        let import = TableImport { library, collection: &self.collection, root: &root, named: None };
        let report = import.run(bytes, name, &Tracker::default())?.report;
        Ok(Added::Table { report })
    }

    fn note(&self, relative: &str, added: &Result<Added, IngestError>) {
        let mut state = self.state();
        state.heard = Instant::now();
        state.busy = state.busy.saturating_sub(1);
        state.files += 1;
        self.tracker.advance(1);
        let report = &mut state.report;
        match added {
            Ok(Added::Photo { put: Put::Indexed, .. }) => report.indexed += 1,
            Ok(Added::Photo { put: Put::Replaced, .. }) => report.replaced += 1,
            Ok(Added::Photo { put: Put::Unchanged, .. }) => report.unchanged += 1,
            Ok(Added::Table { report: table }) => report.add(table),
            Ok(Added::Captions { .. }) => {}
            Ok(Added::Skipped { .. }) => report.skipped += 1,
            Err(e) => {
                self.tracker.reject();
                let (code, reason) = (e.code().to_owned(), e.reason());
                report.rejected.push(Reject { path: relative.to_owned(), code, reason });
            }
        }
    }

    fn finish(&self, library: &Library, id: JobId) -> Result<Report, IngestError> {
        let told = self.tell(library);
        let built = self.collection.build_indexes(&self.tracker);
        let report = self.state().report.clone();
        library
            .jobs()
            .end(id, outcome(Done { report: report.clone(), cancelled: self.tracker.cancelled() }))?;
        told?;
        built?;
        Ok(report)
    }

    /// Gives the photos their captions.
    fn tell(&self, library: &Library) -> Result<(), IngestError> {
        let files = std::mem::take(&mut self.state().captions);
        if files.is_empty() || self.tracker.cancelled() {
            return Ok(());
        }
        let mut report = Report::default();
        let (collection, prefix) = (&*self.collection, self.root.prefix.as_deref());
        // A table that comes by itself tells of the photos that are there.
        let keys = match self.root.name.as_str() {
            LOOSE => collection.store().keys(collection.id())?,
            _ => collection.store().keys_of_root(collection.id(), self.root.id)?,
        };
        let import = CaptionImport { library, collection, keys, prefix, named: None };
        let done = import.run(files, &mut report, &self.tracker);
        self.state().report.add(&report);
        done.map(drop)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}
