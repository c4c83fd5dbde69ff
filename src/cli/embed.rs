//! `simile embed`: texts or photos to vectors, as JSON or as rows of a `.npy` file.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::input::{As, Input, read_photo};
use super::{CliError, Global, exit, output};
use crate::encoder::{Catalog, Embedding, Encoder, Modality, Places, Role};
use crate::photo;
use crate::text;
use crate::types::EncoderName;

/// Turn texts or photos into vectors.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile embed \"a red truck\" \"ein roter Laster\" --json
  simile embed photos/*.jpg --encoder resnet50 --out vectors.npy
  simile embed --text -- --looks-like-an-option")]
pub struct Args {
    /// Texts or photos; an existing file is a photo
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<OsString>,
    /// The encoder; without one the best on disk for the inputs
    #[arg(long, value_name = "NAME")]
    encoder: Option<EncoderName>,
    /// Write float32 rows, in the order of the inputs, to this .npy file
    #[arg(long, value_name = "FILE.npy")]
    out: Option<PathBuf>,
    #[command(flatten)]
    told: As,
}

/// One input's vector.
#[derive(Serialize)]
struct Row {
    input: String,
    dim: usize,
    vector: Vec<f32>,
    truncated: bool,
}

/// Inputs encoded together.
const BATCH: usize = 32;

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let config = global.config()?;
    let inputs: Vec<Input> =
        args.inputs.iter().map(|given| Input::of(given, args.told)).collect::<Result<_, _>>()?;
    let modality = modality_of(&inputs)?;
    let catalog = Catalog::open(Places::from(&config));
    let encoder = load(&catalog, args.encoder.as_ref(), modality, &inputs)?;
    let mut rows = Vec::with_capacity(inputs.len());
    for (batch, names) in inputs.chunks(BATCH).zip(args.inputs.chunks(BATCH)) {
        let embeddings = match modality {
            Modality::Text => texts(&encoder, batch, rows.len())?,
            Modality::Photo => photos(&encoder, batch, &config.limits.into())?,
        };
        rows.extend(embeddings.into_iter().zip(names).map(|(embedding, name)| Row {
            input: name.to_string_lossy().into_owned(),
            dim: embedding.vector.dim().get(),
            vector: embedding.vector.into_inner(),
            truncated: embedding.truncated,
        }));
    }
    if let Some(out) = &args.out {
        write_npy(out, &rows)?;
    }
    if global.json {
        output::json(&rows);
    } else if args.out.is_none() {
        rows.iter().for_each(line);
    }
    Ok(0)
}

fn modality_of(inputs: &[Input]) -> Result<Modality, CliError> {
    if let Some(Input::Folder(folder)) = inputs.iter().find(|i| matches!(i, Input::Folder(_))) {
        let message =
            format!("{}: is a folder; give its photos one by one ({}/*)", folder.display(), folder.display());
        return Err(CliError::new(exit::INPUT, "input.folder", message));
    }
    let photos = inputs.iter().filter(|i| matches!(i, Input::Photo(_))).count();
    match photos {
        0 => Ok(Modality::Text),
        n if n == inputs.len() => Ok(Modality::Photo),
        _ => Err(CliError::new(
            exit::INPUT,
            "input.mixed",
            "some inputs are files and some are not, and one encoder reads only one kind; check the paths, or add --text",
        )),
    }
}

fn load(
    catalog: &Catalog,
    named: Option<&EncoderName>,
    modality: Modality,
    inputs: &[Input],
) -> Result<Encoder, CliError> {
    let name = match named {
        Some(name) => name.clone(),
        None => {
            let texts =
                inputs.iter().filter_map(|i| if let Input::Text(t) = i { Some(t.as_str()) } else { None });
            let language = (modality == Modality::Text).then(|| text::language_of(texts));
            let best = catalog.best(modality, language);
            best.ok_or_else(|| catalog.none_fits(modality, language))?.name
        }
    };
    Ok(catalog.load(&name)?)
}

fn texts(encoder: &Encoder, batch: &[Input], before: usize) -> Result<Vec<Embedding>, CliError> {
    let mut texts = Vec::with_capacity(batch.len());
    for (i, input) in batch.iter().enumerate() {
        let Input::Text(text) = input else { continue };
        if text::normalise(text).is_empty() {
            let message = format!("input {} is an empty text; give it at least one word", before + i + 1);
            return Err(CliError::new(exit::INPUT, "text.empty", message));
        }
        texts.push(text.as_str());
    }
    Ok(encoder.encode_texts(&texts, Role::Passage)?)
}

fn photos(encoder: &Encoder, batch: &[Input], limits: &photo::Limits) -> Result<Vec<Embedding>, CliError> {
    let Some(preprocess) = encoder.preprocess() else {
        let message = format!(
            "{} reads text, and the inputs are files; name a photo encoder, or add --text",
            encoder.name()
        );
        return Err(CliError::new(exit::INPUT, "encoder.modality", message));
    };
    let mut crops = Vec::with_capacity(batch.len());
    for input in batch {
        let Input::Photo(path) = input else { continue };
        let bytes = read_photo(path, limits)?;
        let photo = photo::decode(&bytes, limits).map_err(|e| {
            let error = CliError::from(e);
            CliError { message: format!("{}: {}", path.display(), error.message), ..error }
        })?;
        crops.push(preprocess.apply(&photo.pixels));
    }
    Ok(encoder.encode_crops(&crops)?)
}

/// Whole or not at all: written beside the target, then moved over it.
fn write_npy(out: &Path, rows: &[Row]) -> Result<(), CliError> {
    use npyz::WriterBuilder;
    let fail = |e: std::io::Error| {
        let message = format!("{}: cannot be written ({e}); choose another place", out.display());
        CliError::new(exit::INPUT, "out.unwritable", message)
    };
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    let dim = rows.first().map_or(0, |row| row.dim);
    let written = (|| -> std::io::Result<()> {
        let sink: BufWriter<&mut File> = BufWriter::new(file.as_file_mut());
        let shape = [rows.len() as u64, dim as u64];
        let mut writer =
            npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(sink).begin_nd()?;
        rows.iter().try_for_each(|row| writer.extend(row.vector.iter().copied()))?;
        writer.finish()
    })();
    written.map_err(fail)?;
    file.persist(out).map_err(|e| fail(e.error))?;
    Ok(())
}

fn line(row: &Row) {
    let first: Vec<String> = row.vector.iter().take(4).map(|v| format!("{v:+.4}")).collect();
    let cut = if row.truncated { "  (truncated)" } else { "" };
    say!("{}\t{} numbers: {} …{cut}", output::one_line(&row.input), row.dim, first.join(" "));
}
