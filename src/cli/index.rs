//! `simile index`: here, or handed to the server that holds the data folder; the same report and exit code either way.

use std::path::PathBuf;

use super::progress::Bar;
use super::writer::{self, Writer};
use super::{CliError, Global, args, exit, output, remote, stop};
use crate::index::Recipe;
use crate::ingest::{self, Done, Report, Request};
use crate::photo;
use crate::types::{CollectionName, EncoderName};

/// Bring a folder of photos, a photo or an FAQ table into a collection.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile index ~/Pictures --collection photos
  simile index ~/Pictures --collection photos --captions captions.csv
  simile index questions.csv --collection faq --encoder bge-base-zh-v1.5
  simile index ~/Pictures --collection photos --recipe IVF256,SQ8 --prune")]
pub struct Args {
    /// A folder of photos, a photo, or a .csv, .tsv or .jsonl FAQ
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The collection to put it into; made if there is none of that name
    #[arg(long, short, value_name = "NAME")]
    collection: CollectionName,
    /// The encoder; without one the collection's own, or the best for a new one
    #[arg(long, value_name = "NAME")]
    encoder: Option<EncoderName>,
    /// The index: Flat, IVF256,Flat, IVF256,PQ32, IVF256,SQ8, HNSW32 [default: the collection's, or Flat]
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<Recipe>,
    /// Put NAME/ before every key of this source
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
    /// Take out the items whose file is gone
    #[arg(long)]
    prune: bool,
    /// Prune even if the folder is missing or empty, or more than half has vanished
    #[arg(long)]
    force: bool,
    /// A CSV with a caption, tags or a date for each photo; without it, one in the folder is taken by its columns
    #[arg(long, value_name = "FILE")]
    captions: Option<PathBuf>,
    /// The encoder of the captions; without one the collection's own, or the best for their language
    #[arg(long, value_name = "NAME")]
    caption_encoder: Option<EncoderName>,
    /// Look into every file, also those whose size, time and inode have not changed
    #[arg(long)]
    rehash: bool,
}

pub fn run(global: &Global, given: Args) -> Result<u8, CliError> {
    let request = Request {
        collection: given.collection,
        // The server that may do this has another working folder.
        path: std::path::absolute(&given.path).unwrap_or(given.path),
        prefix: given.prefix,
        encoder: given.encoder,
        recipe: given.recipe,
        prune: given.prune,
        force: given.force,
        rehash: given.rehash,
        captions: given.captions.map(|path| std::path::absolute(&path).unwrap_or(path)),
        caption_encoder: given.caption_encoder,
    };
    let chosen_by_simile = request.encoder.is_none();
    let tracker = stop::tracker();
    let done = match writer::open(global)? {
        Writer::Here(library) => {
            let bar = Bar::start(&tracker, !global.json);
            bar.watch(|| ingest::run(&library, &request, &tracker))?
        }
        Writer::There(hint) => remote::index(hint.as_ref(), &request, &tracker, !global.json)?,
    };
    report(global, &done.report);
    if chosen_by_simile && !global.json && done.report.indexed > 0 {
        tell_starter(global, &request.collection);
    }
    Ok(code_of(&done))
}

/// Says so where a starter serves that nobody named. Only a hint: where it cannot be found out, nothing is said.
fn tell_starter(global: &Global, name: &CollectionName) {
    let Ok(library) = args::reader(global) else { return };
    let infos = library.collections().unwrap_or_default();
    let encoder = infos.into_iter().find(|info| info.name == *name).and_then(|info| info.encoder);
    if let Some(encoder) = encoder.filter(|encoder| library.catalog().is_starter(encoder)) {
        tell!(
            "note: {name} is encoded with {encoder}, a starter; a published encoder finds more: see simile doctor"
        );
    }
}

fn code_of(done: &Done) -> u8 {
    match (done.cancelled, done.report.rejected.is_empty()) {
        (true, _) => exit::STOPPED,
        (false, true) => 0,
        (false, false) => exit::REJECTS,
    }
}

fn report(global: &Global, report: &Report) {
    for (kind, count) in &report.skipped_kinds {
        tell!("{count} {kind} skipped: {}", cure(kind));
    }
    if global.json {
        return output::json(report);
    }
    report.rejected.iter().for_each(|reject| output::reject(&reject.path, &reject.reason, &reject.code));
    say!(
        "{} indexed, {} unchanged, {} replaced, {} removed, {} vanished, {} skipped, {} rejected",
        report.indexed,
        report.unchanged,
        report.replaced,
        report.removed,
        report.vanished,
        report.skipped,
        report.rejected.len()
    );
    if report.captioned > 0 {
        tell!("photos whose caption, tags or date came or changed: {}", report.captioned);
    }
    if report.vanished > 0 {
        tell!("photos gone from the folder: {}; --prune takes them out", report.vanished);
    }
}

/// What to do about files of a kind that is known and not read.
fn cure(kind: &str) -> &'static str {
    match kind {
        "heic" if photo::READS_HEIC => "AVIF is not read; save them as JPEG",
        "heic" => "this simile was built without HEIC (make run builds it in); or save them as JPEG",
        "raw" => "export them as JPEG from the program that develops them",
        _ => "only still pictures are indexed; save the frames you want as JPEG",
    }
}
