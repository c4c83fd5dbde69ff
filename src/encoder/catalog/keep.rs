//! The data folder's own models: a folder added, any model verified, one removed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::Serialize;

use super::{Catalog, Entry, plain};
use crate::encoder::folder::{Described, describe};
use crate::encoder::manifest::Manifest;
use crate::encoder::source::SourceError;
use crate::encoder::{Digests, Encoder, EncoderError, FileState, Parity, Pooling, Role, Step, samples};
use crate::photo::Preprocess;
use crate::types::EncoderName;

/// Which files were there when the parity samples came out right.
const VERIFIED: &str = ".verified.json";
/// Between two computations of one vector in f32; the samples are rounded to 6 digits.
const PARITY: f32 = 1e-4;
/// Between two of a photo's sums. Another JPEG decoder was seen to move one by 0.008, another filter in scaling by 0.03, other
/// sizes by 0.2.
const PHOTO_PARITY: f32 = 0.016;
/// Configs and words; what is larger and no weights is something else.
const SMALL: u64 = 32 << 20;

/// An encoder's entry, and how its folder was understood.
#[derive(Debug, Serialize)]
pub struct Understood {
    #[serde(flatten)]
    pub entry: Entry,
    pub pooling: Option<Pooling>,
    pub head: Vec<String>,
    pub max_tokens: Option<usize>,
    pub query_prefix: String,
    pub passage_prefix: String,
    pub preprocess: Option<Preprocess>,
    pub weights: String,
    pub tokenizer: Option<String>,
}

/// What verifying found; what is wrong is an error.
#[derive(Debug, Serialize)]
pub struct Verification {
    pub name: EncoderName,
    /// Files whose sha256 is the one written down when they came.
    pub files: usize,
    /// Texts and photos of which the card knows what the original makes of them.
    pub samples: usize,
    /// The largest difference of a number; absent without samples.
    pub error: Option<f32>,
    /// Only where there are samples.
    pub verified: bool,
}

impl Catalog {
    /// Brings a folder of this machine into the data folder: its files are copied, or the folder is linked to.
    ///
    /// # Errors
    /// What is wrong with the folder; `Exists`; `Add` for a disk that takes no more.
    pub fn add(&self, folder: &Path, name: &EncoderName, link: bool) -> Result<Understood, EncoderError> {
        let failed = |path: &Path| {
            let (name, path) = (name.clone(), path.to_owned());
            move |e: io::Error| EncoderError::Add { name, source: SourceError::io(&path, e) }
        };
        // Else an absent folder would be one without weights.
        fs::read_dir(folder)
            .map_err(|source| EncoderError::Unreadable { file: folder.to_owned(), source })?;
        let card = self.search().cards.into_iter().find(|card| card.name == *name);
        let described = describe(name, folder, card.as_ref())?;
        let target = self.places.pulled.join(name.as_str());
        if target.symlink_metadata().is_ok() {
            return Err(EncoderError::Exists { name: name.clone() });
        }
        fs::create_dir_all(&self.places.pulled).map_err(failed(&self.places.pulled))?;
        if link {
            let real = folder.canonicalize().map_err(failed(folder))?;
            std::os::unix::fs::symlink(real, &target).map_err(failed(&target))?;
        } else {
            let staging = tempfile::Builder::new().prefix(".add-").tempdir_in(&self.places.pulled);
            let staging = staging.map_err(failed(&self.places.pulled))?;
            copy(&described, folder, staging.path()).map_err(failed(&target))?;
            let add = |source| EncoderError::Add { name: name.clone(), source };
            Manifest::write(name, format!("folder {}", folder.display()), None, staging.path())
                .map_err(add)?;
            fs::rename(staging.path(), &target).map_err(failed(&target))?;
            File::open(&self.places.pulled).and_then(|f| f.sync_all()).map_err(failed(&target))?;
        }
        self.understood(name)
    }

    /// How the folder of an encoder on disk is understood.
    ///
    /// # Errors
    /// As [`Catalog::load`].
    pub fn understood(&self, name: &EncoderName) -> Result<Understood, EncoderError> {
        let described = self.usable(name)?;
        let entry = self.list().into_iter().find(|entry| entry.name == *name);
        let spec = described.spec;
        let step = |step: &Step| match step {
            Step::Normalize => "unit length".to_owned(),
            Step::Dense { input, output, squash, .. } => format!("dense {input} to {output}, {squash:?}"),
        };
        let text = spec.files.tokenizer.is_some();
        Ok(Understood {
            entry: entry.ok_or_else(|| self.absent(name))?,
            pooling: text.then_some(spec.pooling),
            head: spec.head.iter().map(step).collect(),
            max_tokens: spec.max_tokens.or(spec.architecture.positions()),
            query_prefix: spec.query_prefix,
            passage_prefix: spec.passage_prefix,
            preprocess: spec.preprocess,
            weights: spec.files.weights.display().to_string(),
            tokenizer: spec.files.tokenizer.map(|path| path.display().to_string()),
        })
    }

    /// Hashes every file anew, loads the encoder, and computes the samples of its card.
    ///
    /// # Errors
    /// `Changed` for a file that is not the one that came; `Parity` for vectors that are not the original's.
    pub fn verify(&self, name: &EncoderName) -> Result<Verification, EncoderError> {
        let described = self.usable(name)?;
        // Nothing remembered counts here.
        let fresh = Digests::default();
        let files = Manifest::check(name, &described.folder, &fresh)?;
        let encoder = Encoder::open(&described.spec, &fresh)?;
        let mut error = 0f32;
        for sample in &described.parity {
            let (off, most) = difference(&encoder, sample)?;
            error = error.max(off);
            if off.is_nan() || off > most {
                return Err(EncoderError::Parity { name: name.clone(), error: off });
            }
        }
        let samples = described.parity.len();
        if samples > 0 {
            self.note_verified(&described);
        }
        let (error, name) = ((samples > 0).then_some(error), name.clone());
        Ok(Verification { name, files, samples, error, verified: samples > 0 })
    }

    /// Takes a model out of the data folder; of a linked one, the link. `users` are the collections made with it.
    ///
    /// # Errors
    /// `InUse` unless forced; `NotRemovable` for one that lies elsewhere; `Unknown`.
    pub fn remove(&self, name: &EncoderName, users: Vec<String>, force: bool) -> Result<(), EncoderError> {
        let path = self.places.pulled.join(plain(name));
        let Ok(meta) = path.symlink_metadata() else {
            let elsewhere = self.search().found.into_iter().find(|found| found.name == *name);
            return Err(elsewhere.map_or_else(
                || self.absent(name),
                |found| EncoderError::NotRemovable { name: name.clone(), folder: found.path },
            ));
        };
        if !force && !users.is_empty() {
            return Err(EncoderError::InUse { name: name.clone(), collections: users });
        }
        let gone = if meta.is_symlink() { fs::remove_file(&path) } else { fs::remove_dir_all(&path) };
        gone.map_err(|source| EncoderError::Unreadable { file: path, source })?;
        self.packed.tidy();
        Ok(())
    }

    fn usable(&self, name: &EncoderName) -> Result<Described, EncoderError> {
        let (usable, broken) = self.candidates(name);
        usable.into_iter().next().ok_or_else(|| broken.unwrap_or_else(|| self.absent(name)))
    }

    /// The states of all files that were once verified.
    pub(super) fn verified(&self) -> Vec<FileState> {
        let known = fs::read(self.places.pulled.join(VERIFIED)).ok();
        known.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn note_verified(&self, described: &Described) {
        let mut known = self.verified();
        let fresh = states(described).into_iter().filter(|state| !known.contains(state)).collect::<Vec<_>>();
        known.extend(fresh);
        super::remember(&self.places.pulled.join(VERIFIED), &known);
    }
}

/// The largest difference of a number that the card knows, and how large it may be.
fn difference(encoder: &Encoder, sample: &Parity) -> Result<(f32, f32), EncoderError> {
    let (got, want, most) = match sample {
        Parity::Text { text, starts } => {
            let got = encoder.encode_texts(&[text], Role::Passage)?.remove(0);
            (got.vector.into_inner(), starts, PARITY)
        }
        Parity::Photo { photo, folded } => {
            let crop = encoder.preprocess().and_then(|preprocess| samples::crop(preprocess, photo));
            let crop = crop.ok_or_else(|| EncoderError::Config {
                encoder: encoder.name().clone(),
                what: format!("a sample photo {photo:?}, which simile does not have,"),
            })?;
            let got = encoder.encode_crops(&[crop])?.remove(0);
            (fold(got.vector.as_slice(), folded.len()), folded, PHOTO_PARITY)
        }
    };
    let off = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    Ok((off, if want.is_empty() || want.len() > got.len() { -1.0 } else { most }))
}

/// Number `i` goes into sum `i` modulo `count`.
fn fold(vector: &[f32], count: usize) -> Vec<f32> {
    let mut sums = vec![0.0; count];
    vector.iter().enumerate().filter(|_| count > 0).for_each(|(i, x)| sums[i % count] += x);
    sums
}

/// The files that make the vectors, as they are now; empty if one cannot be seen.
pub fn states(described: &Described) -> Vec<FileState> {
    let files = &described.spec.files;
    let heads = described.spec.head.iter().filter_map(|step| match step {
        Step::Dense { weights, .. } => Some(weights),
        Step::Normalize => None,
    });
    let all = std::iter::once(&files.weights).chain(&files.tokenizer).chain(heads);
    all.map(|path| FileState::at(path)).collect::<io::Result<_>>().unwrap_or_default()
}

/// Weights, words and small files beside them; links to files, as in the hub's cache, are followed.
fn copy(described: &Described, from: &Path, to: &Path) -> io::Result<()> {
    let head = described.spec.head.iter().filter_map(|step| match step {
        Step::Dense { weights, .. } => Some(weights),
        Step::Normalize => None,
    });
    let weights: Vec<_> = std::iter::once(&described.spec.files.weights).chain(head).collect();
    for entry in walkdir::WalkDir::new(from).max_depth(2) {
        let entry = entry?;
        let path = entry.path();
        let Ok(meta) = fs::metadata(path) else { continue };
        let beside =
            path.extension().is_some_and(|end| end == "json" || end == "txt" || end == "toml" || end == "md");
        let small = (beside || path.extension().is_none()) && meta.len() <= SMALL;
        // What another data folder wrote down is of no use here.
        let stale = path.file_name().is_some_and(|name| name == "manifest.json");
        if !meta.is_file() || stale || !(small || weights.iter().any(|&file| file == path)) {
            continue;
        }
        let target = to.join(path.strip_prefix(from).unwrap_or(path));
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(path, &target)?;
        File::open(&target)?.sync_all()?;
    }
    Ok(())
}
