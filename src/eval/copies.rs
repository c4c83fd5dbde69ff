//! How surely an altered copy of a photo leads back to it: each copy as a query against all originals.
//! Knows no collection.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::photos::{encode_each, read};
use super::{EvalError, Told, cosine};
use crate::encoder::Encoder;
use crate::photo::{self, Limits, Original, originals};
use crate::types::{EncoderName, Vector};

/// What `simile eval retrieval --copies` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CopiesReport {
    pub encoder: EncoderName,
    pub photos: usize,
    pub copies: usize,
    /// Share of copies whose original comes first of all originals.
    pub recall_at_1: f64,
}

/// Where the copies come from.
#[derive(Debug, Clone, Copy)]
pub enum Copies<'a> {
    /// Made in memory, the same as `simile augment` writes for that seed.
    Made { of_each: u32, seed: u64 },
    /// Written by `simile augment` before.
    Written(&'a Path),
}

/// Encodes every photo below `folder` and all copies.
///
/// # Errors
/// `NoCopies` if none is there, `Photo` for the first file that cannot be read, and what `augment` refuses.
pub fn run(
    encoder: &Encoder,
    folder: &Path,
    copies: Copies<'_>,
    limits: &Limits,
    told: Told,
) -> Result<CopiesReport, EvalError> {
    let written = if let Copies::Written(out) = copies { Some(out) } else { None };
    let photos = originals(folder, written)?;
    let queries = queries(&photos, copies)?;
    let kept = encode_each(encoder, &photos, |o| read(&folder.join(&o.photo), limits), told)?;
    let picture = |&(at, n): &(usize, u32)| {
        let original = &photos[at];
        match copies {
            Copies::Written(out) => read(&original.copy(n, out), limits),
            Copies::Made { seed, .. } => {
                let path = folder.join(&original.photo);
                let jpeg = original.make(&read(&path, limits)?, seed, n);
                let copy =
                    photo::decode(&jpeg, limits).map_err(|source| EvalError::Photo { path, source })?;
                Ok(copy.pixels)
            }
        }
    };
    let asked = encode_each(encoder, &queries, picture, told)?;
    let found =
        asked.par_iter().zip(&queries).filter(|(query, (at, _))| nearest(query, &kept) == *at).count();
    Ok(CopiesReport {
        encoder: encoder.name().clone(),
        photos: photos.len(),
        copies: queries.len(),
        recall_at_1: found as f64 / queries.len() as f64,
    })
}

/// Each copy by its original's place and its number.
fn queries(photos: &[Original], copies: Copies<'_>) -> Result<Vec<(usize, u32)>, EvalError> {
    let of = |(at, original): (usize, &Original)| -> Vec<(usize, u32)> {
        match copies {
            Copies::Made { of_each, .. } => (1..=of_each).map(|n| (at, n)).collect(),
            Copies::Written(out) => {
                (1..).take_while(|&n| original.copy(n, out).is_file()).map(|n| (at, n)).collect()
            }
        }
    };
    let all: Vec<_> = photos.iter().enumerate().flat_map(of).collect();
    match (all.is_empty(), copies) {
        (false, _) => Ok(all),
        (true, Copies::Written(out)) => Err(EvalError::NoCopies { folder: out.to_owned() }),
        (true, Copies::Made { .. }) => Err(photo::AugmentError::NoCopies.into()),
    }
}

/// Of equal scores the earlier photo.
fn nearest(query: &Vector, kept: &[Vector]) -> usize {
    let scores = kept.iter().map(|vector| cosine(query, vector)).enumerate();
    scores.fold((0, f32::NEG_INFINITY), |best, one| if one.1 > best.1 { one } else { best }).0
}
