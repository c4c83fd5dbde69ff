//! A segment: a file of vectors and the unit of search. One header page, then bare little-endian f32 rows.
//! Knows nothing of items.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use uuid::Uuid;

use super::StoreError;
use crate::map::Map;
use crate::types::Dim;

/// A segment's name, random; also the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId(pub(super) Uuid);

impl SegmentId {
    pub(super) fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const MAGIC: &[u8; 8] = b"simseg\r\n";
const VERSION: u32 = 1;
/// magic 8, version 4, dim 4, uuid 16, CRC-32 of those 4
const USED: usize = 36;

/// The committed rows of a segment, mapped. Grows only by being mapped again.
pub struct Segment {
    id: SegmentId,
    dim: Dim,
    rows: u32,
    sealed: bool,
    path: PathBuf,
    map: Map,
    /// Shared by all mappings of this segment, shorter ones of older snapshots too.
    held: Arc<()>,
}

impl Segment {
    /// Where the rows begin in the file.
    pub const HEADER_BYTES: u64 = 4096;

    pub fn id(&self) -> SegmentId {
        self.id
    }
    pub fn dim(&self) -> Dim {
        self.dim
    }
    /// Committed rows that the file holds, live and dead.
    pub fn rows(&self) -> u32 {
        self.rows
    }
    /// No row will ever be added.
    pub fn sealed(&self) -> bool {
        self.sealed
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Bytes of the file up to the last committed row.
    pub fn bytes(&self) -> u64 {
        length(self.dim, self.rows)
    }
    /// `[rows, dim]`, row-major, read in place.
    pub fn as_slice(&self) -> &[f32] {
        self.map.floats(Self::HEADER_BYTES as usize)
    }
    /// One row.
    ///
    /// # Panics
    /// If `row` is not below `rows()`.
    pub fn row(&self, row: u32) -> &[f32] {
        &self.as_slice()[row as usize * self.dim.get()..][..self.dim.get()]
    }

    /// Maps the committed rows of a file, or as many of them as it still holds.
    ///
    /// # Errors
    /// `Damaged` if the header is not this segment's.
    pub(super) fn open(
        path: PathBuf,
        id: SegmentId,
        dim: Dim,
        committed: u32,
        sealed: bool,
        held: Arc<()>,
    ) -> Result<Self, StoreError> {
        let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        let len = file.metadata().map_err(|e| StoreError::io(&path, e))?.len();
        let rows = whole_rows(dim, len).min(committed);
        let mapped = usize::try_from(length(dim, rows))
            .map_err(|_| StoreError::damaged(&path, "it is larger than this machine can map"))?;
        if len < Self::HEADER_BYTES {
            return Err(StoreError::damaged(&path, "its header is cut off"));
        }
        let map = Map::open(&file, mapped).map_err(|e| StoreError::io(&path, e))?;
        check_header(map.bytes(), id, dim).map_err(|why| StoreError::damaged(&path, why))?;
        Ok(Self { id, dim, rows, sealed, path, map, held })
    }

    /// Ends with the last mapping.
    pub(super) fn holders(&self) -> Weak<()> {
        Arc::downgrade(&self.held)
    }

    pub(super) fn held(&self) -> Arc<()> {
        self.held.clone()
    }

    pub(super) fn mapped(&self) -> &[u8] {
        self.map.bytes()
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({}, {} x {}, sealed: {})", self.id, self.rows, self.dim, self.sealed)
    }
}

/// Bytes of one row.
pub(super) fn stride(dim: Dim) -> u64 {
    dim.get() as u64 * size_of::<f32>() as u64
}

/// Bytes of a file with so many rows.
pub(super) fn length(dim: Dim, rows: u32) -> u64 {
    Segment::HEADER_BYTES + u64::from(rows) * stride(dim)
}

/// Whole rows in a file of so many bytes.
pub(super) fn whole_rows(dim: Dim, len: u64) -> u32 {
    u32::try_from(len.saturating_sub(Segment::HEADER_BYTES) / stride(dim)).unwrap_or(u32::MAX)
}

/// The header page of a new segment.
pub(super) fn header(id: SegmentId, dim: Dim) -> Vec<u8> {
    let mut page = Vec::with_capacity(Segment::HEADER_BYTES as usize);
    page.extend_from_slice(MAGIC);
    page.extend_from_slice(&VERSION.to_le_bytes());
    let dim = u32::try_from(dim.get()).expect("a dimension fits 32 bits");
    page.extend_from_slice(&dim.to_le_bytes());
    page.extend_from_slice(id.0.as_bytes());
    page.extend_from_slice(&crc32fast::hash(&page).to_le_bytes());
    page.resize(Segment::HEADER_BYTES as usize, 0);
    page
}

pub(super) fn check_header(page: &[u8], id: SegmentId, dim: Dim) -> Result<(), String> {
    let want = header(id, dim);
    let (got, want) = (&page[..USED], &want[..USED]);
    if got == want {
        return Ok(());
    }
    Err(match () {
        () if got[..8] != want[..8] => "it does not begin like a segment".to_owned(),
        () if got[8..12] != want[8..12] => "its format is of another version".to_owned(),
        () if got[12..16] != want[12..16] => "its header tells another dimension".to_owned(),
        () if got[16..32] != want[16..32] => "it is another segment's file".to_owned(),
        () => "its header has a wrong checksum".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_whose_file_it_is() {
        let (id, dim) = (SegmentId::fresh(), Dim::new(3).unwrap());
        let page = header(id, dim);
        assert_eq!(page.len() as u64, Segment::HEADER_BYTES);
        assert_eq!(check_header(&page, id, dim), Ok(()));
        assert!(check_header(&page, SegmentId::fresh(), dim).unwrap_err().contains("another segment"));
        assert!(check_header(&page, id, Dim::new(4).unwrap()).unwrap_err().contains("dimension"));
        assert!(check_header(&[0; 4096], id, dim).unwrap_err().contains("begin"));
        assert_eq!((whole_rows(dim, 0), whole_rows(dim, 4096 + 23), whole_rows(dim, 4096 + 24)), (0, 1, 2));
    }
}
