//! `simile eval agreement`: one encoder in f32, bf16 and int8 on the same set.

use std::path::Path;

use serde::Serialize;

use super::super::{CliError, Global};
use super::{chosen, name, read, show, told};
use crate::config::PrecisionSetting;
use crate::encoder::{Catalog, Encoder, Modality, Places};
use crate::eval::agreement::{Agreement, Seen};
use crate::eval::{EvalError, faq, pairs, photos};
use crate::text::table::pairs::read_pairs;
use crate::text::table::questions::read_questions;
use crate::text::table::{Format, read_faq};
use crate::text::{self, Language};
use crate::types::EncoderName;

#[derive(Serialize)]
struct Compared<R> {
    f32: R,
    bf16: Beside<R>,
    int8: Beside<R>,
}

/// Figures in other numbers, and how far they agree with f32.
#[derive(Serialize)]
struct Beside<R> {
    #[serde(flatten)]
    report: R,
    #[serde(flatten)]
    agreement: Option<Agreement>,
}

pub fn run(
    global: &Global,
    path: &Path,
    questions: Option<&Path>,
    named: Option<&EncoderName>,
) -> Result<u8, CliError> {
    let config = global.config()?;
    if path.is_dir() {
        let limits = config.limits.into();
        let see = |encoder: &Encoder| photos::see(encoder, path, &limits, &told);
        return compare(global, named, Modality::Photo, || Language::Other, see);
    }
    if let Some(questions) = questions {
        let format = Format::of(&name(path)).unwrap_or(Format::Csv);
        let table = read_faq(&read(path)?, format, &name(path)).map_err(EvalError::from)?;
        let questions = read_questions(&read(questions)?, &name(questions)).map_err(EvalError::from)?;
        let language = || text::language_of(table.rows.iter().map(|row| row.question.as_str()));
        let see = |encoder: &Encoder| faq::see(encoder, &table.rows, &questions, &told);
        return compare(global, named, Modality::Text, language, see);
    }
    let pairs = read_pairs(&read(path)?, &name(path)).map_err(EvalError::from)?;
    let see = |encoder: &Encoder| pairs::see(encoder, &pairs, &told);
    compare(global, named, Modality::Text, || text::language_of(pairs::texts(&pairs)), see)
}

/// One encoder after the other, so that no two lie in memory.
fn compare<R: Serialize>(
    global: &Global,
    named: Option<&EncoderName>,
    modality: Modality,
    language: impl FnOnce() -> Language,
    see: impl Fn(&Encoder) -> Result<Seen<R>, EvalError>,
) -> Result<u8, CliError> {
    let places = Places::from(&global.config()?);
    let name = chosen(&Catalog::open(places.clone()), named, modality, language)?;
    let seen = |precision| -> Result<Seen<R>, CliError> {
        let encoder = Catalog::open(Places { precision, ..places.clone() }).load(&name)?;
        Ok(see(&encoder)?)
    };
    let exact = seen(PrecisionSetting::F32)?;
    let beside = |precision| -> Result<Beside<R>, CliError> {
        let other = seen(precision)?;
        let agreement = other.with(&exact);
        Ok(Beside { report: other.report, agreement })
    };
    let (bf16, int8) = (beside(PrecisionSetting::Bf16)?, beside(PrecisionSetting::Int8)?);
    show(global, &Compared { f32: exact.report, bf16, int8 })
}
