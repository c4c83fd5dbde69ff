//! A table of captions, tags and dates: recognised and read.

use std::path::Path;

use super::error::IngestError;
use crate::files;
use crate::text::table::captions::{Captions, is_captions, read_captions};

/// Largest caption table, in bytes.
const LARGEST: u64 = 64 << 20;

/// A table of captions, read.
#[derive(Debug)]
pub struct CaptionFile {
    pub name: String,
    pub captions: Captions,
}

impl CaptionFile {
    /// # Errors
    /// `table.*` for what is no caption table.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, IngestError> {
        let captions = read_captions(bytes, name)
            .map_err(|source| IngestError::Table { path: name.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), captions })
    }

    /// How many photos it tells of.
    pub fn rows(&self) -> usize {
        self.captions.rows.len()
    }

    /// # Errors
    /// `path.*`, `table.*`.
    pub fn read(path: &Path) -> Result<Self, IngestError> {
        if files::is_system_view(path) {
            return Err(IngestError::SystemView { path: path.to_owned() });
        }
        if path.is_dir() {
            return Err(IngestError::CaptionsFolder { path: path.to_owned() });
        }
        let bytes = files::read(path, LARGEST).map_err(|source| IngestError::path(path, source))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(&name, &bytes)
    }
}

/// Whether a file of this name and these first bytes is a caption table.
pub fn recognised(name: &str, head: &[u8]) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("csv" | "tsv")) && is_captions(head)
}
