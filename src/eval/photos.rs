//! How well an encoder gathers photos of one class: each photo as a query against all others. Knows no collection.

use std::path::{Path, PathBuf};

use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;
use walkdir::WalkDir;

use super::agreement::{FIRST, Seen};
use super::metrics::{average_precision, mean, precision_at};
use super::{EvalError, Told, cosine};
use crate::encoder::Encoder;
use crate::files;
use crate::photo::{self, Class, Crop, Limits};
use crate::types::{EncoderName, Vector};

/// What `simile eval retrieval` prints of a folder of labelled photos.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhotosReport {
    pub encoder: EncoderName,
    pub photos: usize,
    pub classes: usize,
    /// Share of photos that are their own nearest.
    pub itself_first: f64,
    /// Leave-one-out, relevant is the same class; means over all photos.
    pub precision_at_1: f64,
    pub precision_at_10: f64,
    pub mean_average_precision: f64,
}

/// A photo file and its class, the folder that it lies in.
struct Labelled {
    path: PathBuf,
    class: usize,
}

/// Photos encoded at a time.
const BATCH: usize = 32;

/// Encodes every photo below `folder`; its class is the first folder on the way to it.
///
/// # Errors
/// `TooFewClasses` below two, `Photo` for the first file that cannot be read.
pub fn run(encoder: &Encoder, folder: &Path, limits: &Limits, told: Told) -> Result<PhotosReport, EvalError> {
    Ok(see(encoder, folder, limits, told)?.report)
}

/// [`run`], with the vectors and which other photos came first.
///
/// # Errors
/// As there.
pub fn see(
    encoder: &Encoder,
    folder: &Path,
    limits: &Limits,
    told: Told,
) -> Result<Seen<PhotosReport>, EvalError> {
    let (photos, classes) = labelled(folder)?;
    let vectors = encode(encoder, &photos, limits, told)?;
    let figures: Vec<Figures> =
        (0..photos.len()).into_par_iter().map(|i| of_query(i, &photos, &vectors)).collect();
    let share = |of: fn(&Figures) -> f64| mean(figures.iter().map(of)).unwrap_or_default();
    let report = PhotosReport {
        encoder: encoder.name().clone(),
        photos: photos.len(),
        classes,
        itself_first: share(|f| f.itself_first),
        precision_at_1: share(|f| f.precision_at_1),
        precision_at_10: share(|f| f.precision_at_10),
        mean_average_precision: share(|f| f.average_precision),
    };
    Ok(Seen { report, vectors, rankings: figures.into_iter().map(|f| f.first).collect() })
}

fn labelled(folder: &Path) -> Result<(Vec<Labelled>, usize), EvalError> {
    let mut classes: Vec<PathBuf> = Vec::new();
    let mut photos = Vec::new();
    for entry in WalkDir::new(folder).min_depth(2).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy();
        if !entry.file_type().is_file() || photo::classify(&name, &[]) != Class::Picture {
            continue;
        }
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let class: PathBuf = below.components().take(1).collect();
        let class = classes.iter().position(|c| *c == class).unwrap_or_else(|| {
            classes.push(class);
            classes.len() - 1
        });
        photos.push(Labelled { path: entry.into_path(), class });
    }
    match classes.len() {
        0 | 1 => Err(EvalError::TooFewClasses { folder: folder.to_owned(), found: classes.len() }),
        n => Ok((photos, n)),
    }
}

fn encode(
    encoder: &Encoder,
    photos: &[Labelled],
    limits: &Limits,
    told: Told,
) -> Result<Vec<Vector>, EvalError> {
    encode_each(encoder, photos, |photo| read(&photo.path, limits), told)
}

/// A photo's pixels.
pub(super) fn read(path: &Path, limits: &Limits) -> Result<RgbImage, EvalError> {
    let path = path.to_owned();
    let bytes = files::read(&path, limits.bytes)
        .map_err(|source| EvalError::Unreadable { path: path.clone(), source })?;
    let decoded = photo::decode(&bytes, limits).map_err(|source| EvalError::Photo { path, source })?;
    Ok(decoded.pixels)
}

/// One vector for the picture of each, in their order; pictures are made as they are needed.
pub(super) fn encode_each<T: Sync>(
    encoder: &Encoder,
    each: &[T],
    picture: impl Fn(&T) -> Result<RgbImage, EvalError> + Sync,
    told: Told,
) -> Result<Vec<Vector>, EvalError> {
    let preprocess = encoder.preprocess().ok_or_else(|| EvalError::NoPhotoEncoder(encoder.name().clone()))?;
    let crop = |one: &T| -> Result<Crop, EvalError> { Ok(preprocess.apply(&picture(one)?)) };
    let mut vectors = Vec::with_capacity(each.len());
    for batch in each.chunks(BATCH) {
        let crops = batch.par_iter().map(crop).collect::<Result<Vec<_>, _>>()?;
        vectors.extend(encoder.encode_crops(&crops)?.into_iter().map(|embedding| embedding.vector));
        told(vectors.len(), each.len());
    }
    Ok(vectors)
}

struct Figures {
    itself_first: f64,
    precision_at_1: f64,
    precision_at_10: f64,
    average_precision: f64,
    /// Other photos, best first.
    first: Vec<usize>,
}

fn of_query(query: usize, photos: &[Labelled], vectors: &[Vector]) -> Figures {
    let mut ranked: Vec<(f32, usize)> =
        (0..photos.len()).map(|i| (cosine(&vectors[query], &vectors[i]), i)).collect();
    // Of equal scores the earlier photo comes first, as in a search.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let itself_first = f64::from(u8::from(ranked[0].1 == query));
    let class = photos[query].class;
    let others = || ranked.iter().map(|&(_, i)| i).filter(|&i| i != query);
    let right: Vec<bool> = others().map(|i| photos[i].class == class).collect();
    let relevant = photos.iter().filter(|p| p.class == class).count() - 1;
    Figures {
        itself_first,
        precision_at_1: precision_at(1, &right).unwrap_or_default(),
        precision_at_10: precision_at(10, &right).unwrap_or_default(),
        average_precision: average_precision(&right, relevant).unwrap_or_default(),
        first: others().take(FIRST).collect(),
    }
}
