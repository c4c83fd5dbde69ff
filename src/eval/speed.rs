//! How fast simile is on this machine: imports, single questions by stage, scans, start-up, memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::config::Config;
use crate::index::Recipe;
use crate::ingest::{self, IngestError, Request};
use crate::library::{Collection, Library, LibraryError, NewCollection, Tracker};
use crate::search::{self, Answer, Ask, Page, Query, SearchError, Timings};
use crate::store::{Access, Batch, Body, Filter, InSpace, NewItem, NewPart, SpaceRecord};
use crate::types::{Coded, CollectionName, Dim, Fault, ItemKey, Kind, Vector};

/// What is measured, and with what.
pub struct Plan {
    /// Its data folder must be empty; encoders are taken from where the rest finds them.
    pub config: Config,
    pub photos: PathBuf,
    pub faq: PathBuf,
    /// Items in the start-up and scan measurements.
    pub items: usize,
    /// Repetitions of a single question; medians are told.
    pub rounds: usize,
}

/// The figures, each with its unit in its name.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    pub threads: usize,
    pub photos_encoder: String,
    pub photos_indexed: u64,
    pub photos_per_second: f64,
    pub photo_query_ms: Timings,
    pub text_encoder: String,
    pub entries_indexed: u64,
    pub entries_per_second: f64,
    pub text_query_ms: Timings,
    pub scan_items: usize,
    pub scan_dim: usize,
    pub scan_ms: f64,
    pub scan_vectors_per_second: f64,
    pub start_up_ms: f64,
    pub resident_mib: f64,
}

/// Why a measurement stopped.
#[derive(Debug, thiserror::Error)]
pub enum SpeedError {
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error("{}: holds no photo to ask with; name another folder", .0.display())]
    NoPhoto(PathBuf),
}

impl SpeedError {
    fn craft(&self) -> Option<&dyn Coded> {
        match self {
            Self::Ingest(e) => Some(e),
            Self::Search(e) => Some(e),
            Self::Library(e) => Some(e),
            Self::NoPhoto(_) => None,
        }
    }
}

impl Coded for SpeedError {
    fn code(&self) -> &'static str {
        self.craft().map_or("bench.no_photo", Coded::code)
    }
    fn fault(&self) -> Fault {
        self.craft().map_or(Fault::Input, Coded::fault)
    }
}

/// Measures everything, one after the other, on an otherwise idle machine.
pub fn run(plan: &Plan) -> Result<Figures, SpeedError> {
    let mut figures = Figures {
        threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        ..Figures::default()
    };
    let library = Library::open(plan.config.clone(), Access::Write)?;
    photos(&library, plan, &mut figures)?;
    entries(&library, plan, &mut figures)?;
    scan(&library, plan, &mut figures)?;
    drop(library);
    start_up(plan, &mut figures)?;
    figures.resident_mib = resident_mib();
    Ok(figures)
}

fn name(text: &str) -> CollectionName {
    text.parse().expect("a constant name")
}

fn import(
    library: &Arc<Library>,
    collection: &str,
    path: &std::path::Path,
) -> Result<(u64, f64), IngestError> {
    let request = Request::new(name(collection), path.to_owned());
    let begin = Instant::now();
    let done = ingest::run(library, &request, &Tracker::default())?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok((done.report.indexed, done.report.indexed as f64 / seconds))
}

fn photos(library: &Arc<Library>, plan: &Plan, figures: &mut Figures) -> Result<(), SpeedError> {
    (figures.photos_indexed, figures.photos_per_second) = import(library, "photos", &plan.photos)?;
    let collection = library.collection(&name("photos"))?;
    let first = collection.list(&Filter::default(), None, 1)?;
    let Some(item) = first.first() else { return Err(SpeedError::NoPhoto(plan.photos.clone())) };
    let path = collection.photo_file(&item.key)?;
    let bytes = std::fs::read(&path)
        .map_err(|source| LibraryError::Original { path: path.display().to_string(), source })?;
    let (answer, times) = ask(library, "photos", Ask::Photo(bytes), plan.rounds)?;
    figures.photos_encoder = encoder_of(&answer);
    figures.photo_query_ms = times;
    Ok(())
}

fn entries(library: &Arc<Library>, plan: &Plan, figures: &mut Figures) -> Result<(), SpeedError> {
    (figures.entries_indexed, figures.entries_per_second) = import(library, "faq", &plan.faq)?;
    let question = Ask::Text("How do I find a photo that looks like this one?".to_owned());
    let (answer, times) = ask(library, "faq", question, plan.rounds)?;
    figures.text_encoder = encoder_of(&answer);
    figures.text_query_ms = times;
    Ok(())
}

fn encoder_of(answer: &Answer) -> String {
    answer.encoder.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The median time of each stage; the first question, which loads the encoder, is left out.
fn ask(
    library: &Library,
    collection: &str,
    ask: Ask,
    rounds: usize,
) -> Result<(Answer, Timings), SearchError> {
    let query = Query { ask, page: Page::default(), filter: Filter::default() };
    let first = search::run(library, &name(collection), &query)?;
    let times: Vec<Timings> = (0..rounds.max(1))
        .map(|_| Ok(search::run(library, &name(collection), &query)?.timings_ms))
        .collect::<Result<_, SearchError>>()?;
    let stage = |of: fn(&Timings) -> f64| median(times.iter().map(of).collect());
    let medians = Timings {
        decode: stage(|t| t.decode),
        encode: stage(|t| t.encode),
        search: stage(|t| t.search),
        load: stage(|t| t.load),
    };
    Ok((first, medians))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub(super) const SCAN_DIM: usize = 768;
const SPACE: &str = "bench";

/// The collection that scans are measured on, with so many vectors.
pub(super) fn filled(library: &Library, items: usize) -> Result<Arc<Collection>, SpeedError> {
    let new = NewCollection { name: name("scan"), kind: Kind::Faq, encoder: None, recipe: Recipe::Flat };
    let collection = library.create(&new)?;
    let dim = Dim::new(SCAN_DIM).expect("a constant above 0");
    let space = SpaceRecord { id: SPACE.to_owned(), descriptor: serde_json::Value::Null, dim };
    library
        .store()
        .set_encoder(collection.id(), &"bench".parse().expect("a constant name"), &space)
        .map_err(LibraryError::from)?;
    fill(&collection, items, dim, &mut Random(7))?;
    Ok(collection)
}

fn scan(library: &Arc<Library>, plan: &Plan, figures: &mut Figures) -> Result<(), SpeedError> {
    let collection = filled(library, plan.items)?;
    let query = Random(9).unit(Dim::new(SCAN_DIM).expect("a constant above 0"));
    let snapshot = collection.snapshot();
    let times = (0..plan.rounds.max(1)).map(|_| {
        let begin = Instant::now();
        let (found, _) = snapshot.search(&query, 10, None);
        assert_eq!(found.len(), plan.items.min(10), "a flat scan finds its ten");
        begin.elapsed().as_secs_f64()
    });
    let seconds = median(times.collect());
    figures.scan_items = plan.items;
    figures.scan_dim = SCAN_DIM;
    figures.scan_ms = seconds * 1000.0;
    figures.scan_vectors_per_second = plan.items as f64 / seconds;
    Ok(())
}

fn fill(collection: &Collection, items: usize, dim: Dim, random: &mut Random) -> Result<(), LibraryError> {
    const AT_ONCE: usize = 2000;
    for begin in (0..items).step_by(AT_ONCE) {
        let upserts = (begin..items.min(begin + AT_ONCE)).map(|i| entry(i, random.unit(dim))).collect();
        collection.commit(&Batch { upserts, deletes: Vec::new() })?;
    }
    Ok(())
}

fn entry(i: usize, vector: Vector) -> NewItem {
    let question = format!("Question {i}");
    NewItem {
        key: ItemKey::try_from(format!("{i:06}")).expect("digits are a key"),
        root: None,
        body: Body::Faq {
            question: question.clone(),
            answer: "Answer".to_owned(),
            language: "en".to_owned(),
        },
        tags: Vec::new(),
        extra: serde_json::Map::new(),
        stamp: None,
        content: None,
        words: Vec::new(),
        parts: vec![NewPart {
            text: Some(question),
            vectors: vec![InSpace { space: SPACE.to_owned(), vector }],
        }],
    }
}

/// Opens the data folder again, until a search over all its items can be answered.
fn start_up(plan: &Plan, figures: &mut Figures) -> Result<(), SpeedError> {
    let query = Random(8).unit(Dim::new(SCAN_DIM).expect("a constant above 0"));
    let times = (0..3)
        .map(|_| {
            let begin = Instant::now();
            let library = Library::open(plan.config.clone(), Access::Write)?;
            library.collections()?;
            library.collection(&name("scan"))?.snapshot().search(&query, 1, None);
            Ok(begin.elapsed().as_secs_f64() * 1000.0)
        })
        .collect::<Result<Vec<f64>, LibraryError>>()?;
    figures.start_up_ms = median(times);
    Ok(())
}

/// What this process holds in memory, mapped files counted, as Linux tells it; 0 elsewhere.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// splitmix64: the same vectors on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }

    fn unit(&mut self, dim: Dim) -> Vector {
        let values = (0..dim.get()).map(|_| self.next()).collect();
        Vector::unit(values, dim).expect("random numbers have a direction")
    }
}
