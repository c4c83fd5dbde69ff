//! `simile eval`: how good an encoder is, on data that a person knows the answers to.

mod agreement;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{CliError, Global, exit, output};
use crate::encoder::{Catalog, Encoder, Modality, Places};
use crate::eval::copies::{self, Copies};
use crate::eval::{EvalError, faq, fit, pairs, photos, together};
use crate::files;
use crate::text::table::pairs::read_pairs;
use crate::text::table::questions::read_questions;
use crate::text::table::{Format, read_faq};
use crate::text::{self, Language};
use crate::types::EncoderName;

/// Measure how good an encoder is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile eval pairs pairs.tsv --encoder bge-base-zh-v1.5
  simile eval retrieval samples/faq-en.csv --questions samples/questions-en.csv
  simile eval retrieval photos/ --encoder resnet50
  simile eval retrieval photos/ --copies 20 --seed 7
  simile eval agreement photos/ --encoder resnet50
  simile eval pairs pairs.tsv --encoder ngram-hash --fitted-on corpus.txt")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Pairs of texts with a label (0 or 1) or a score: columns label or score, a, b
    Pairs {
        #[arg(value_name = "FILE.tsv")]
        file: PathBuf,
        /// The encoder; without one the best on disk for the texts
        #[arg(long, value_name = "NAME")]
        encoder: Option<EncoderName>,
        /// Fit the encoder's table of n-gram weights on these texts first: lines of a .txt, pairs, or an FAQ
        #[arg(long, value_name = "FILE")]
        fitted_on: Option<PathBuf>,
        /// Encode A and B together as one input (BERT and ALBERT): a linear read-out is fitted on one half of the
        /// pairs, and the figures are told on the other
        #[arg(long, conflicts_with = "fitted_on")]
        together: bool,
    },
    /// An FAQ with test questions, or a folder of photos with one folder for each class
    Retrieval {
        #[arg(value_name = "FAQ|FOLDER")]
        path: PathBuf,
        /// Test questions: columns query and faq_id
        #[arg(long, value_name = "FILE.csv")]
        questions: Option<PathBuf>,
        /// The encoder; without one the best on disk
        #[arg(long, value_name = "NAME")]
        encoder: Option<EncoderName>,
        /// Fit the encoder's table of n-gram weights on these texts first: lines of a .txt, pairs, or an FAQ
        #[arg(long, value_name = "FILE", requires = "questions")]
        fitted_on: Option<PathBuf>,
        /// Ask with N varied copies of each photo (see simile augment) instead of by class: is the original first?
        #[arg(long, value_name = "N", conflicts_with = "questions")]
        copies: Option<u32>,
        /// The same seed makes the same copies
        #[arg(long, default_value_t = 7, value_name = "N", requires = "copies")]
        seed: u64,
        /// Ask with the copies that simile augment wrote there
        #[arg(long, value_name = "FOLDER", conflicts_with_all = ["questions", "copies"])]
        copies_from: Option<PathBuf>,
    },
    /// The encoder in bf16 and in int8 beside itself in f32: figures, lowest cosine, and how many of the first ten hits
    /// stay (of photos and FAQs)
    Agreement {
        /// Pairs of texts, an FAQ, or a folder of photos with one folder for each class
        #[arg(value_name = "FILE.tsv|FAQ|FOLDER")]
        path: PathBuf,
        /// Test questions of the FAQ: columns query and faq_id
        #[arg(long, value_name = "FILE.csv")]
        questions: Option<PathBuf>,
        /// The encoder; without one the best on disk
        #[arg(long, value_name = "NAME")]
        encoder: Option<EncoderName>,
    },
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    match args.what {
        What::Pairs { file, encoder, together: true, .. } => of_together(global, &file, encoder.as_ref()),
        What::Pairs { file, encoder, fitted_on, .. } => {
            of_pairs(global, &file, encoder.as_ref(), fitted_on.as_deref())
        }
        What::Retrieval { path, questions, encoder, copies, seed, copies_from, .. } if path.is_dir() => {
            if questions.is_some() {
                let message = "photos are asked by photos; leave --questions out";
                return Err(CliError::new(exit::INPUT, "eval.questions", message));
            }
            match (copies, copies_from.as_deref()) {
                (Some(of_each), _) => {
                    of_copies(global, &path, Copies::Made { of_each, seed }, encoder.as_ref())
                }
                (None, Some(out)) => of_copies(global, &path, Copies::Written(out), encoder.as_ref()),
                (None, None) => of_photos(global, &path, encoder.as_ref()),
            }
        }
        What::Retrieval { path, copies, copies_from, .. } if copies.is_some() || copies_from.is_some() => {
            let message = format!("{}: copies are made of photos; name a folder of photos", path.display());
            Err(CliError::new(exit::INPUT, "eval.copies", message))
        }
        What::Retrieval { path, questions: Some(questions), encoder, fitted_on, .. } => {
            of_faq(global, &path, &questions, encoder.as_ref(), fitted_on.as_deref())
        }
        What::Retrieval { .. } => {
            let message = "an FAQ is measured with test questions; name them with --questions FILE.csv";
            Err(CliError::new(exit::INPUT, "eval.questions", message))
        }
        What::Agreement { path, questions, encoder } => {
            agreement::run(global, &path, questions.as_deref(), encoder.as_ref())
        }
    }
}

fn of_pairs(
    global: &Global,
    file: &Path,
    named: Option<&EncoderName>,
    fitted_on: Option<&Path>,
) -> Result<u8, CliError> {
    let pairs = read_pairs(&read(file)?, &name(file)).map_err(EvalError::from)?;
    let encoder = encoder(global, named, Modality::Text, || text::language_of(pairs::texts(&pairs)))?;
    let encoder = fitted(encoder, fitted_on)?;
    show(global, &pairs::run(&encoder, &pairs, &told)?)
}

fn of_together(global: &Global, file: &Path, named: Option<&EncoderName>) -> Result<u8, CliError> {
    let pairs = read_pairs(&read(file)?, &name(file)).map_err(EvalError::from)?;
    let encoder = encoder(global, named, Modality::Text, || text::language_of(pairs::texts(&pairs)))?;
    show(global, &together::run(&encoder, &pairs, &told)?)
}

fn of_faq(
    global: &Global,
    table: &Path,
    questions: &Path,
    named: Option<&EncoderName>,
    fitted_on: Option<&Path>,
) -> Result<u8, CliError> {
    let format = Format::of(&name(table)).unwrap_or(Format::Csv);
    let table = read_faq(&read(table)?, format, &name(table)).map_err(EvalError::from)?;
    let questions = read_questions(&read(questions)?, &name(questions)).map_err(EvalError::from)?;
    let texts = || text::language_of(table.rows.iter().map(|row| row.question.as_str()));
    let encoder = fitted(encoder(global, named, Modality::Text, texts)?, fitted_on)?;
    show(global, &faq::run(&encoder, &table.rows, &questions, &told)?)
}

fn of_photos(global: &Global, folder: &Path, named: Option<&EncoderName>) -> Result<u8, CliError> {
    let limits = global.config()?.limits.into();
    let encoder = encoder(global, named, Modality::Photo, || Language::Other)?;
    show(global, &photos::run(&encoder, folder, &limits, &told)?)
}

fn of_copies(
    global: &Global,
    folder: &Path,
    copies: Copies<'_>,
    named: Option<&EncoderName>,
) -> Result<u8, CliError> {
    let limits = global.config()?.limits.into();
    let encoder = encoder(global, named, Modality::Photo, || Language::Other)?;
    show(global, &copies::run(&encoder, folder, copies, &limits, &told)?)
}

fn fitted(encoder: Encoder, corpus: Option<&Path>) -> Result<Encoder, CliError> {
    match corpus {
        None => Ok(encoder),
        Some(corpus) => Ok(fit(&encoder, &texts_of(corpus)?)?),
    }
}

/// The lines of a `.txt`, the texts of a pairs file, or the questions of an FAQ.
fn texts_of(corpus: &Path) -> Result<Vec<String>, CliError> {
    let (bytes, name) = (read(corpus)?, name(corpus));
    if name.to_lowercase().ends_with(".txt") {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect());
    }
    if let Ok(pairs) = read_pairs(&bytes, &name) {
        return Ok(pairs::texts(&pairs).map(str::to_owned).collect());
    }
    let table = read_faq(&bytes, Format::of(&name).unwrap_or(Format::Csv), &name).map_err(EvalError::from)?;
    Ok(table.rows.into_iter().flat_map(|row| std::iter::once(row.question).chain(row.wordings)).collect())
}

fn encoder(
    global: &Global,
    named: Option<&EncoderName>,
    modality: Modality,
    language: impl FnOnce() -> Language,
) -> Result<Encoder, CliError> {
    let catalog = Catalog::open(Places::from(&global.config()?));
    Ok(catalog.load(&chosen(&catalog, named, modality, language)?)?)
}

/// The one that is named, or the best on disk.
fn chosen(
    catalog: &Catalog,
    named: Option<&EncoderName>,
    modality: Modality,
    language: impl FnOnce() -> Language,
) -> Result<EncoderName, CliError> {
    Ok(match named {
        Some(name) => name.clone(),
        None => {
            let language = (modality == Modality::Text).then(language);
            catalog.best(modality, language).ok_or_else(|| catalog.none_fits(modality, language))?.name
        }
    })
}

/// Bytes of a table of pairs or questions.
const LARGEST: u64 = 1 << 30;

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    files::read(file, LARGEST).map_err(|e| CliError::from(crate::ingest::IngestError::path(file, e)))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn told(done: usize, total: usize) {
    tracing::info!("{done} of {total} encoded");
}

/// The figures as one JSON line, or one line each.
fn show(global: &Global, report: &impl Serialize) -> Result<u8, CliError> {
    if global.json {
        output::json(report);
        return Ok(0);
    }
    let value = serde_json::to_value(report).unwrap_or_default();
    print_fields("", &value);
    Ok(0)
}

fn print_fields(before: &str, value: &serde_json::Value) {
    for (field, value) in value.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::Object(_) => print_fields(&format!("{before}{field}."), value),
            serde_json::Value::Number(n) if n.is_f64() => {
                say!("{before}{field}: {:.4}", n.as_f64().unwrap_or_default());
            }
            other => say!("{before}{field}: {}", output::one_line(other.to_string().trim_matches('"'))),
        }
    }
}
