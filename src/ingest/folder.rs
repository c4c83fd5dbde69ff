//! A folder's files: which are photos, which are known, which have vanished.

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::caption_file::{self, CaptionFile};
use super::captions::CaptionImport;
use super::error::IngestError;
use super::photos::{self, Candidate};
use super::plan::{self, Plan};
use super::roots::Known;
use super::{Done, Reject, Report, Source};
use crate::files;
use crate::library::{Library, Phase, Tracker};
use crate::photo::{self, Class};
use crate::store::{RootId, Stamp, is_ours, path_of_text, text_of_path};
use crate::types::{Coded, ItemKey};

/// A picture file, by its source and its key there.
struct Picture {
    root: RootId,
    key: ItemKey,
    path: PathBuf,
    stamp: Stamp,
}

/// What a look over the folder gave.
#[derive(Default)]
struct Listing {
    pictures: Vec<Picture>,
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
    let known = plan.roots.known(&plan.collection)?;
    let nothing = listing.pictures.is_empty()
        && listing.captions.is_empty()
        && listing.skipped == 0
        && listing.rejected.is_empty();
    if nothing && known.is_empty() && !listing.cancelled {
        return Err(IngestError::EmptyFolder { path: plan.source.path().to_owned() });
    }
    let own = listing.pictures.iter().filter(|picture| picture.root == plan.root.id);
    plan::refuse_collisions(&plan.collection, &plan.root, own.map(|picture| &picture.key))?;
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
    let vanished = vanished(plan, &listing, &known);
    let prune = prune_allowed(plan, &vanished, known.len())?;
    let candidates = changed(plan, listing, &known, &mut report);
    let cancelled = photos::take(library, plan, candidates, &mut report, tracker)?;
    if !cancelled && prune {
        report.removed = plan.collection.delete(&vanished)?;
    } else {
        report.vanished = vanished.len() as u64;
    }
    if cancelled || captions.is_empty() {
        return Ok(Done { report, cancelled });
    }
    let (collection, named) = (&*plan.collection, plan.caption_encoder.as_ref());
    let (prefix, keys) = (plan.roots.prefix(), plan.roots.known(collection)?.into_keys().collect());
    let import = CaptionImport { library, collection, keys, prefix: prefix.as_deref(), named };
    let cancelled = import.run(captions, &mut report, tracker)?;
    Ok(Done { report, cancelled })
}

fn list(plan: &Plan, folder: &Path, tracker: &Tracker) -> Result<Listing, IngestError> {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if real.ancestors().any(is_ours) {
        return Err(IngestError::Ours { path: folder.to_owned() });
    }
    let mut listing = Listing::default();
    let mut walk =
        WalkDir::new(folder).follow_links(false).follow_root_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        if tracker.cancelled() {
            listing.cancelled = true;
            break;
        }
        match entry {
            // Not the photos again that were uploaded, nor their thumbnails.
            Ok(entry) if entry.file_type().is_dir() && is_ours(entry.path()) => {
                walk.skip_current_dir();
                listing.skipped += 1;
            }
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
            Ok((Class::Picture, stamp)) => match plan.roots.place(relative) {
                Ok((root, key)) => self.pictures.push(Picture { root, key, path: absolute(path), stamp }),
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
        && caption_file::recognised(&name, &head)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// By the name's ending, else by the first bytes.
pub(super) fn class_of(path: &Path) -> io::Result<Class> {
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

/// The pictures whose size, time or inode the store does not know; the others are counted as unchanged.
fn changed(
    plan: &Plan,
    listing: Listing,
    known: &HashMap<ItemKey, Known>,
    report: &mut Report,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for Picture { root, key, path, stamp } in listing.pictures {
        let before = known.get(&key);
        if !plan.rehash && before.is_some_and(|before| before.stamp.as_ref() == Some(&stamp)) {
            report.unchanged += 1;
            continue;
        }
        let known = before.and_then(|before| before.content);
        candidates.push(Candidate { root, key, path, stamp, known, there: before.is_some() });
    }
    candidates
}

/// Keys whose file is gone. A file that is there but cannot be read has not vanished.
fn vanished(plan: &Plan, listing: &Listing, known: &HashMap<ItemKey, Known>) -> Vec<ItemKey> {
    if matches!(plan.source, Source::Photo(_)) {
        return Vec::new();
    }
    let here: std::collections::HashSet<&ItemKey> =
        listing.pictures.iter().map(|picture| &picture.key).collect();
    let unreadable: Vec<PathBuf> =
        listing.rejected.iter().map(|reject| plan.roots.full(&path_of_text(&reject.path))).collect();
    let hidden = |known: &Known| unreadable.iter().any(|path| known.path.starts_with(path));
    let gone = known.iter().filter(|(key, known)| !here.contains(key) && !hidden(known));
    let mut gone: Vec<ItemKey> = gone.map(|(key, _)| key.clone()).collect();
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
