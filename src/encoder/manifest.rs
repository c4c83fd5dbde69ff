//! What lies in a folder under the data folder's `models/`: written down when it came, compared ever after.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::source::{self, SourceError};
use super::{Digests, EncoderError};
use crate::types::EncoderName;

const FILE: &str = "manifest.json";

/// Every file with its size and hash, and where all came from.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    name: String,
    source: String,
    /// The hub's commit, where it told one.
    commit: Option<String>,
    pulled: String,
    files: BTreeMap<String, FileOf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FileOf {
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// Hashes what lies in `folder` now, and writes the manifest there.
    pub fn write(
        name: &EncoderName,
        source: String,
        commit: Option<String>,
        folder: &Path,
    ) -> Result<(), SourceError> {
        let pulled = jiff::Timestamp::now().to_string();
        let manifest = Self { name: name.to_string(), source, commit, pulled, files: inventory(folder)? };
        let text = serde_json::to_vec_pretty(&manifest).expect("plain data has a JSON form");
        let path = folder.join(FILE);
        source::write(text.as_slice(), &path, |e| SourceError::io(&path, e), |_| Ok(()))
    }

    /// Whether simile wrote down what lies in `folder`; another program's file of that name says nothing.
    pub fn is_in(folder: &Path) -> bool {
        let bytes = std::fs::read(folder.join(FILE)).ok();
        bytes.is_some_and(|bytes| serde_json::from_slice::<Self>(&bytes).is_ok())
    }

    /// Compares every file that is written down with what lies there; a folder without a manifest was put there by
    /// hand. Returns how many were compared.
    ///
    /// # Errors
    /// `Changed` for the first that differs, `Unreadable`.
    pub fn check(name: &EncoderName, folder: &Path, digests: &Digests) -> Result<usize, EncoderError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(0);
        }
        let changed = |file: &Path| EncoderError::Changed { file: file.to_owned(), name: name.clone() };
        let bytes =
            std::fs::read(&path).map_err(|source| EncoderError::Unreadable { file: path.clone(), source })?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|_| changed(&path))?;
        for (file, noted) in &manifest.files {
            let path = folder.join(file);
            if digests.of(&path)? != noted.sha256 {
                return Err(changed(&path));
            }
        }
        Ok(manifest.files.len())
    }
}

/// One folder of encoders that have a manifest, compared with it.
#[derive(Debug)]
pub struct Checked {
    pub name: EncoderName,
    /// How many files are those that came.
    pub outcome: Result<usize, EncoderError>,
}

/// Reads every file that was written down when it came, of each encoder in `folder`, by name. Nothing remembered counts.
pub fn check_folders(folder: &Path) -> Vec<Checked> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut checked: Vec<Checked> = entries
        .filter(|entry| entry.path().join(FILE).is_file())
        .filter_map(|entry| {
            let name: EncoderName = entry.file_name().to_str()?.parse().ok()?;
            let outcome = Manifest::check(&name, &entry.path(), &Digests::default());
            Some(Checked { name, outcome })
        })
        .collect();
    checked.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    checked
}

fn inventory(folder: &Path) -> Result<BTreeMap<String, FileOf>, SourceError> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(|e| SourceError::io(folder, e.into()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path();
        let bytes = entry.metadata().map_err(|e| SourceError::io(path, e.into()))?.len();
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        files.insert(name, FileOf { bytes, sha256: source::sha256(path)? });
    }
    Ok(files)
}
