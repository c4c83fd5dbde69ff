//! A folder's files: which are photos, which are known, which have vanished.

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::captions::{self, CaptionFile, CaptionImport};
use super::error::IngestError;
use super::photos::{self, Candidate};
use super::plan::{self, Plan};
use super::{Done, Reject, Report, Source, key};
use crate::files;
use crate::library::{Library, Phase, Tracker};
use crate::photo::{self, Class};
use crate::store::{ContentId, Stamp, text_of_path};
use crate::types::{Coded, ItemKey};

/// What a look over the folder gave.
#[derive(Default)]
struct Listing {
    pictures: Vec<(ItemKey, PathBuf, Stamp)>,
    /// Tables that tell of photos, by their columns.
    captions: Vec<PathBuf>,
    skipped: u64,
    skipped_kinds: BTreeMap<String, u64>,
    rejected: Vec<Reject>,
    cancelled: bool,
}

/// Brings a folder's (or a single photo's) items up to date.
pub fn import(library: &Library, plan: &mut Plan, tracker: &Tracker) -> Result<Done, IngestError> {
    tracker.begin(Phase::Listing, 0);
    let listing = match &plan.source {
        Source::Photo(path) => list_one(plan, path)?,
        source => list(plan, source.path(), tracker)?,
    };
    let stamps = plan.collection.store().stamps(plan.collection.id(), plan.root.id)?;
    let nothing = listing.pictures.is_empty()
        && listing.captions.is_empty()
        && listing.skipped == 0
        && listing.rejected.is_empty();
    if nothing && stamps.is_empty() && !listing.cancelled {
        return Err(IngestError::EmptyFolder { path: plan.source.path().to_owned() });
    }
    plan::refuse_collisions(&plan.collection, &plan.root, listing.pictures.iter().map(|(key, ..)| key))?;
    let mut report = Report {
        skipped: listing.skipped,
        skipped_kinds: listing.skipped_kinds.clone(),
        rejected: listing.rejected.clone(),
        ..Report::default()
    };
    report.rejected.iter().for_each(|_| tracker.reject());
    if listing.cancelled {
        return Ok(Done { report, cancelled: true });
    }
    let captions = caption_files(plan.captions.take(), &listing, &mut report, tracker);
    let vanished = vanished(plan, &listing, &stamps);
    let prune = prune_allowed(plan, &vanished, stamps.len())?;
    let candidates = changed(plan, listing, &stamps, &mut report);
    let cancelled = photos::take(library, plan, candidates, &mut report, tracker)?;
    if !cancelled && prune {
        report.removed = plan.collection.delete(&vanished)?;
    } else {
        report.vanished = vanished.len() as u64;
    }
    if cancelled || captions.is_empty() {
        return Ok(Done { report, cancelled });
    }
    let (collection, root, named) = (&*plan.collection, &plan.root, plan.caption_encoder.as_ref());
    let cancelled = CaptionImport { library, collection, root, named }.run(captions, &mut report, tracker)?;
    Ok(Done { report, cancelled })
}

fn list(plan: &Plan, folder: &Path, tracker: &Tracker) -> Result<Listing, IngestError> {
    let mut listing = Listing::default();
    let mut walk =
        WalkDir::new(folder).follow_links(false).follow_root_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        if tracker.cancelled() {
            listing.cancelled = true;
            break;
        }
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                // `simile index /` is allowed; what the kernel shows below it is no folder of photos.
                if files::is_system_view(entry.path()) {
                    walk.skip_current_dir();
                    let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                    let reason = "a view of the running system is not looked into; give a folder of files";
                    listing.reject(text_of_path(relative), "path.special", reason.to_owned());
                }
            }
            Ok(entry) if entry.file_type().is_file() => {
                tracker.advance(1);
                let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                let meta = entry.metadata().map_err(io::Error::from);
                listing.look_at(plan, relative, entry.path(), meta);
            }
            // Links are not followed; pipes, sockets and devices are never opened.
            Ok(_) => listing.skipped += 1,
            Err(e) if e.depth() == 0 => match e.into_io_error() {
                // A root that is gone may be pruned; anything else there is nothing to prune by.
                Some(e) if e.kind() == io::ErrorKind::NotFound && plan.prune => {}
                Some(e) => return Err(IngestError::path(folder, e)),
                None => {}
            },
            Err(e) => {
                let path = e.path().map(|p| p.strip_prefix(folder).unwrap_or(p)).unwrap_or(folder);
                let reason = format!("{e}; check its permissions");
                listing.rejected.push(Reject {
                    path: text_of_path(path),
                    code: "path.unreadable".into(),
                    reason,
                });
            }
        }
    }
    Ok(listing)
}

fn list_one(plan: &Plan, path: &Path) -> Result<Listing, IngestError> {
    let mut listing = Listing::default();
    let name = path.file_name().map(Path::new).unwrap_or(path);
    listing.look_at(plan, name, path, path.metadata());
    Ok(listing)
}

impl Listing {
    fn look_at(&mut self, plan: &Plan, relative: &Path, path: &Path, meta: io::Result<Metadata>) {
        let text = text_of_path(relative);
        let seen = meta.and_then(|meta| Ok((class_of(path)?, stamp(&meta))));
        match seen {
            Err(e) => self.reject(text, "path.unreadable", format!("{e}; check its permissions")),
            Ok((Class::Picture, stamp)) => match key::with_prefix(plan.root.prefix.as_deref(), &text) {
                Ok(key) => self.pictures.push((key, absolute(path), stamp)),
                Err(e) => self.reject(text, e.code(), e.to_string()),
            },
            Ok((Class::Other, _)) if is_captions(path) => self.captions.push(path.to_owned()),
            Ok((class, _)) => self.skip(class),
        }
    }

    fn skip(&mut self, class: Class) {
        self.skipped += 1;
        let kind = match class {
            Class::Heic => "heic",
            Class::Raw => "raw",
            Class::Video => "video",
            Class::Picture | Class::Other => return,
        };
        *self.skipped_kinds.entry(kind.to_owned()).or_default() += 1;
    }

    fn reject(&mut self, path: String, code: &str, reason: String) {
        self.rejected.push(Reject { path, code: code.to_owned(), reason });
    }
}

/// The table that was named, else those in the folder. One in the folder that cannot be read is a reject.
fn caption_files(
    named: Option<CaptionFile>,
    listing: &Listing,
    report: &mut Report,
    tracker: &Tracker,
) -> Vec<CaptionFile> {
    if let Some(named) = named {
        report.skipped += listing.captions.len() as u64;
        return vec![named];
    }
    let mut files = Vec::new();
    for path in &listing.captions {
        match CaptionFile::read(path) {
            Ok(file) => files.push(file),
            Err(e) => {
                tracker.reject();
                let (code, reason) = (e.code().to_owned(), e.to_string());
                report.rejected.push(Reject { path: text_of_path(path), code, reason });
            }
        }
    }
    files
}

/// Only the first bytes of a `.csv` are read for this.
fn is_captions(path: &Path) -> bool {
    let mut head = Vec::new();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let table = matches!(path.extension().and_then(|e| e.to_str()), Some(e) if e.eq_ignore_ascii_case("csv") || e.eq_ignore_ascii_case("tsv"));
    table
        && files::open(path).and_then(|(file, _)| file.take(8 << 10).read_to_end(&mut head)).is_ok()
        && captions::recognised(&name, &head)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// By the name's ending, else by the first bytes.
fn class_of(path: &Path) -> io::Result<Class> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match photo::classify(&name, &[]) {
        Class::Other => {
            let mut head = Vec::with_capacity(64);
            files::open(path)?.0.take(64).read_to_end(&mut head)?;
            Ok(photo::classify(&name, &head))
        }
        known => Ok(known),
    }
}

fn stamp(meta: &Metadata) -> Stamp {
    Stamp {
        size: meta.len(),
        mtime_ns: meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec()),
        inode: meta.ino(),
    }
}

type Stamps = HashMap<ItemKey, (Option<Stamp>, Option<ContentId>)>;

/// The pictures whose size, time or inode the store does not know; the others are counted as unchanged.
fn changed(plan: &Plan, listing: Listing, stamps: &Stamps, report: &mut Report) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (key, path, stamp) in listing.pictures {
        let before = stamps.get(&key);
        if !plan.rehash && before.is_some_and(|(known, _)| known.as_ref() == Some(&stamp)) {
            report.unchanged += 1;
            continue;
        }
        let known = before.and_then(|(_, content)| *content);
        candidates.push(Candidate { key, path, stamp, known, there: before.is_some() });
    }
    candidates
}

/// Keys of the root whose file is gone. A file that is there but cannot be read has not vanished.
fn vanished(plan: &Plan, listing: &Listing, stamps: &Stamps) -> Vec<ItemKey> {
    if matches!(plan.source, Source::Photo(_)) {
        return Vec::new();
    }
    let here: std::collections::HashSet<&ItemKey> = listing.pictures.iter().map(|(key, ..)| key).collect();
    let prefix = plan.root.prefix.as_deref();
    let unreadable: Vec<String> = listing
        .rejected
        .iter()
        .filter_map(|reject| key::with_prefix(prefix, &reject.path).ok().map(String::from))
        .collect();
    let hidden = |key: &ItemKey| {
        unreadable.iter().any(|folder| {
            key.as_str()
                .strip_prefix(folder.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let mut gone: Vec<ItemKey> =
        stamps.keys().filter(|key| !here.contains(key) && !hidden(key)).cloned().collect();
    gone.sort();
    gone
}

fn prune_allowed(plan: &Plan, vanished: &[ItemKey], known: usize) -> Result<bool, IngestError> {
    if !plan.prune {
        return Ok(false);
    }
    let path = plan.source.path().to_owned();
    let why = if !path.exists() {
        "the folder is missing".to_owned()
    } else if !vanished.is_empty() && vanished.len() == known {
        "none of its photos is left".to_owned()
    } else if vanished.len() * 2 > known {
        format!("{} of {known} photos have vanished", vanished.len())
    } else {
        return Ok(true);
    };
    if plan.force { Ok(true) } else { Err(IngestError::PruneRefused { path, why }) }
}
