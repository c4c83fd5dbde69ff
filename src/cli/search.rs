//! `simile search`: by text, by photo, by an item, or by every photo of a folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{self, Hits};
use super::input::{As, Input, read_photo};
use super::{CliError, Global, exit, output};
use crate::library::Library;
use crate::photo::{self, Class};
use crate::search::{self, Answer, Ask, Like, Query};
use crate::store::{is_ours, text_of_path};
use crate::types::{CollectionName, ItemKey};

/// Search by text, by photo, or by every photo of a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile search truck.jpg --collection photos --k 5
  simile search \"red truck\" --collection photos
  simile search queries/ --collection photos --json
  simile search --item trucks/red.jpg --collection photos
  simile search truck.jpg --words snow --collection photos")]
pub struct Args {
    /// A text, a photo, or a folder of photos
    #[arg(required_unless_present_any = ["item", "words"], value_name = "TEXT|PHOTO|FOLDER")]
    query: Option<OsString>,
    /// More like this item of the collection; with a text, photos that fit both
    #[arg(long, value_name = "KEY")]
    item: Option<ItemKey>,
    /// With a photo: photos that look like it and whose caption or name fits these words
    #[arg(long, value_name = "TEXT")]
    words: Option<String>,
    /// The collection to search; may be left out if there is only one
    #[arg(long, short, value_name = "NAME")]
    collection: Option<CollectionName>,
    #[command(flatten)]
    told: As,
    #[command(flatten)]
    hits: Hits,
}

/// One query photo of a folder and its hits.
#[derive(Serialize)]
struct OfFolder {
    query: String,
    #[serde(flatten)]
    answer: Answer,
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let library = args::reader(global)?;
    let collection = args::collection(&library, args.collection.as_ref())?;
    let given = args.query.as_deref().map(|query| Input::of(query, args.told)).transpose()?;
    let ask = match (&args.item, given, args.words.clone()) {
        (Some(key), None, None) => Ask::Item(key.clone()),
        (Some(key), None, Some(text)) | (Some(key), Some(Input::Text(text)), None) => {
            Ask::Both(Like::Item(key.clone()), text)
        }
        (None, Some(Input::Text(text)), None) => Ask::Text(text),
        (None, Some(Input::Photo(path)), words) => {
            let photo = read_photo(&path, &library.photo_limits())?;
            match words {
                Some(text) => Ask::Both(Like::Photo(photo), text),
                None => Ask::Photo(photo),
            }
        }
        (None, Some(Input::Folder(folder)), None) => {
            return run_folder(global, &args, &library, &collection, &folder);
        }
        (None, None, Some(text)) => Ask::Text(text),
        (None, None, None) => unreachable_without_query()?,
        _ => return Err(too_many()),
    };
    let answer = search_one(&library, &collection, ask, &args.hits)?;
    if global.json {
        output::json(&answer)
    } else {
        output::answer(&answer)
    }
    Ok(0)
}

fn unreachable_without_query() -> Result<Ask, CliError> {
    Err(CliError::new(exit::INPUT, "query.empty", "give a text, a photo or a folder to search for"))
}

fn too_many() -> CliError {
    let message = "search by one photo or item, by one text, or by one of each";
    CliError::new(exit::INPUT, "search.too_many", message)
}

fn search_one(
    library: &Library,
    collection: &CollectionName,
    ask: Ask,
    hits: &Hits,
) -> Result<Answer, CliError> {
    Ok(search::run(library, collection, &Query { ask, page: hits.page(), filter: hits.filter() })?)
}

/// The classic table: every photo of a folder as a query, then the mean times.
fn run_folder(
    global: &Global,
    args: &Args,
    library: &Library,
    collection: &CollectionName,
    folder: &Path,
) -> Result<u8, CliError> {
    let photos = photos_of(folder)?;
    let mut answers = Vec::with_capacity(photos.len());
    let mut bad = 0;
    for path in &photos {
        let query = one_name(path, folder);
        let bytes = read_photo(path, &library.photo_limits());
        match bytes.and_then(|bytes| search_one(library, collection, Ask::Photo(bytes), &args.hits)) {
            Ok(answer) => answers.push(OfFolder { query, answer }),
            Err(e) if e.code.starts_with("photo.") || e.code.starts_with("path.") => {
                bad += 1;
                tell!("{}: {} [{}]", output::one_line(&query), output::plain(&e.message), e.code);
            }
            Err(e) => return Err(e),
        }
    }
    if global.json {
        output::json(&answers)
    } else {
        table(&answers)
    }
    Ok(if bad > 0 { exit::REJECTS } else { 0 })
}

fn photos_of(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = walk.filter_entry(|entry| !is_ours(entry.path())).filter_map(Result::ok);
    let photos: Vec<PathBuf> = files
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| photo::classify(&entry.file_name().to_string_lossy(), &[]) == Class::Picture)
        .map(|entry| entry.into_path())
        .collect();
    if photos.is_empty() {
        let message = format!("{}: holds no photos; give a folder that does", folder.display());
        return Err(CliError::new(exit::INPUT, "folder.empty", message));
    }
    Ok(photos)
}

fn one_name(path: &Path, folder: &Path) -> String {
    text_of_path(path.strip_prefix(folder).unwrap_or(path))
}

fn table(answers: &[OfFolder]) {
    let mut rows = vec![["query", "rank", "file", "score"].map(str::to_owned).to_vec()];
    for of in answers {
        rows.extend(of.answer.hits.iter().map(|hit| {
            let (query, file) = (output::one_line(&of.query), output::one_line(hit.key.as_str()));
            vec![query, hit.rank.to_string(), file, format!("{:.4}", hit.score)]
        }));
    }
    output::rows(&rows);
    let mean = |time: fn(&Answer) -> f64| {
        answers.iter().map(|of| time(&of.answer)).sum::<f64>() / answers.len().max(1) as f64
    };
    say!(
        "mean of {} queries: extraction {:.1} ms, search {:.2} ms",
        answers.len(),
        mean(|a| a.timings_ms.decode + a.timings_ms.encode),
        mean(|a| a.timings_ms.search)
    );
}
