//! A folder, an upload or a table becomes items: bounded stages, a report, and a next run that goes on where this one was.
//! Knows nothing of HTTP or the terminal.

mod caption_file;
mod captions;
mod error;
mod folder;
mod item;
mod key;
pub mod path_json;
mod photos;
mod plan;
mod report;
mod resume;
mod roots;
pub mod switch;
mod table;
pub mod upload;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::index::Recipe;
use crate::library::{JobError, Lane, Library, LibraryError, Outcome, Tracker};
use crate::photo::Class;
use crate::store::{self, JobId, NewJob};
use crate::types::{CollectionName, EncoderName, Kind};

pub use captions::Told;
pub use error::IngestError;
pub use item::{Entry, Put, put_entry, put_photo};
pub use report::{Reject, Report};
pub use resume::resume;

/// What to import, told by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Photos, recursively.
    Folder(PathBuf),
    Photo(PathBuf),
    /// An FAQ as CSV or JSONL.
    Table(PathBuf),
}

impl Source {
    /// What lies at `path`: a folder, an FAQ table by its ending, else a photo.
    ///
    /// # Errors
    /// `path.missing`, `path.special` for what is neither file nor folder, and for views of the running system,
    /// `upload.not_taken` for a file that is neither a picture nor a table by its name.
    pub fn of(path: &Path) -> Result<Self, IngestError> {
        let meta = path.metadata().map_err(|source| IngestError::path(path, source))?;
        if files::is_system_view(path) {
            return Err(IngestError::SystemView { path: path.to_owned() });
        }
        if meta.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if !meta.is_file() {
            return Err(IngestError::Special { path: path.to_owned() });
        }
        if is_table(path) {
            return Ok(Self::Table(path.to_owned()));
        }
        match folder::class_of(path) {
            Ok(Class::Other) => {
                let (path, why) = (path.display().to_string(), TABLES_END.to_owned());
                Err(IngestError::NotTaken { path, why })
            }
            Ok(_) => Ok(Self::Photo(path.to_owned())),
            Err(source) => Err(IngestError::path(path, source)),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Folder(_) | Self::Photo(_) => Kind::Photos,
            Self::Table(_) => Kind::Faq,
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Photo(path) | Self::Table(path) => path,
        }
    }
}

/// How a table is known.
const TABLES_END: &str = "the name of a table ends in .csv, .tsv or .jsonl";

/// Whether a file's ending says that it is an FAQ table.
pub fn is_table(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_ascii_lowercase());
    ending.is_some_and(|e| e == "csv" || e == "jsonl" || e == "tsv")
}

/// One import.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub collection: CollectionName,
    /// A folder, a photo, or an FAQ table of this machine.
    #[serde(with = "path_json")]
    pub path: PathBuf,
    /// Put before every key, with a `/`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// `None`: the collection's own, or the best for a new one.
    #[serde(default)]
    pub encoder: Option<EncoderName>,
    /// `None`: the collection's own, flat for a new one.
    #[serde(default)]
    pub recipe: Option<Recipe>,
    /// Take items out whose file is gone.
    #[serde(default)]
    pub prune: bool,
    /// Prune even when nothing, or less than half, is left.
    #[serde(default)]
    pub force: bool,
    /// Hash every file, also those whose size, time and inode are known.
    #[serde(default)]
    pub rehash: bool,
    /// A table of this machine with a caption, tags or a date for each photo.
    #[serde(default, with = "path_json::maybe")]
    pub captions: Option<PathBuf>,
    /// What encodes them; `None`: the collection's own, or the best for their language.
    #[serde(default)]
    pub caption_encoder: Option<EncoderName>,
}

impl Request {
    /// An import with everything left to its default.
    pub fn new(collection: CollectionName, path: PathBuf) -> Self {
        Self {
            collection,
            path,
            prefix: None,
            encoder: None,
            recipe: None,
            prune: false,
            force: false,
            rehash: false,
            captions: None,
            caption_encoder: None,
        }
    }
}

impl Request {
    /// Whether the caption table that it names can be read.
    ///
    /// # Errors
    /// `path.*`, `captions.*`, `table.*`.
    pub fn check_captions(&self) -> Result<(), IngestError> {
        self.captions.as_deref().map_or(Ok(()), |path| caption_file::CaptionFile::read(path).map(drop))
    }
}

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub report: Report,
    /// Stopped by wish; the report counts what was done.
    pub cancelled: bool,
}

/// Imports in the foreground; makes the collection if there is none of that name.
///
/// # Errors
/// What stops the whole import; what is wrong with one item is in the report instead.
pub fn run(library: &Library, request: &Request, tracker: &Tracker) -> Result<Done, IngestError> {
    let mut plan = plan::Plan::make(library, request)?;
    let name = request.collection.clone();
    let done = match import(library, &mut plan, tracker) {
        // What was committed before stays; the report of it went with the error.
        Err(IngestError::Library(e)) if e.was_stopped() => {
            Ok(Done { report: Report::default(), cancelled: true })
        }
        other => other,
    };
    if done.is_err() && plan.new && library.drop_if_empty(&name)? {
        return done;
    }
    if let Err(IngestError::Library(LibraryError::Recipe(_))) = &done
        && let Err(e) = plan.put_recipe_back(tracker)
    {
        tracing::warn!("{}: the recipe it had is not back: {e}", plan.collection.name());
    }
    done
}

fn import(library: &Library, plan: &mut plan::Plan, tracker: &Tracker) -> Result<Done, IngestError> {
    let mut done = match &plan.source {
        Source::Folder(_) | Source::Photo(_) => folder::import(library, plan, tracker)?,
        Source::Table(_) => table::import(library, plan, tracker)?,
    };
    if !done.cancelled {
        match plan.collection.build_indexes(tracker) {
            Err(_) if tracker.cancelled() => done.cancelled = true,
            built => built?,
        }
    }
    Ok(done)
}

/// Imports as a job, in line behind those that run.
pub fn start(library: &Arc<Library>, request: Request) -> Result<JobId, IngestError> {
    let job = NewJob {
        kind: "index".to_owned(),
        collection: Some(request.collection.clone()),
        title: request.path.display().to_string(),
        params: serde_json::to_value(&request).unwrap_or_default(),
    };
    let worker = library.clone();
    Ok(library.jobs().start(Lane::Index, &job, move |tracker| work(&worker, &request, tracker))?)
}

/// An import as a job's work.
fn work(library: &Library, request: &Request, tracker: &Tracker) -> Outcome {
    match run(library, request, tracker) {
        Ok(done) => outcome(done),
        Err(e) => Outcome::Failed(JobError::of(&e)),
    }
}

/// What the job table keeps of an import.
fn outcome(done: Done) -> Outcome {
    let rejects = done
        .report
        .rejected
        .iter()
        .map(|r| store::Reject { path: r.path.clone(), code: r.code.clone(), reason: r.reason.clone() })
        .collect();
    let report = serde_json::to_value(&done.report).unwrap_or_default();
    if done.cancelled { Outcome::Cancelled { report, rejects } } else { Outcome::Done { report, rejects } }
}
