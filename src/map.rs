//! Read-only mappings of files. The one place of this crate with `unsafe`; knows nothing of what the bytes mean.

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

#[cfg(target_endian = "big")]
compile_error!("segments hold little-endian numbers and are read in place");

/// The first bytes of a file, mapped for reading. Only for files of the data folder, whose bytes never change once they
/// are mapped: segments only grow, and packed weights are put in place whole.
pub struct Map {
    map: Mmap,
}

impl Map {
    /// Maps the first `len` bytes; `len` is at least 1.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file is shorter: a read beyond its end would be a SIGBUS.
    pub fn open(file: &File, len: usize) -> io::Result<Self> {
        if (file.metadata()?.len()) < len as u64 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than it should be",
            ));
        }
        // SAFETY: the mapping is read-only and no longer than the file. Only simile writes to the file. Of a segment,
        // committed bytes are never written again, and only the holder of the lock shortens it, to no less than what is
        // committed and before anything is mapped. Packed weights are renamed into place when they are whole, and never
        // opened for writing after. A foreign program that truncates a file can still end this process with a SIGBUS;
        // that is the price of reading in place.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Self { map })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The whole numbers of four bytes behind the byte `from`, a multiple of four.
    ///
    /// # Panics
    /// If `from` lies beyond the mapping or is no multiple of four.
    pub fn floats(&self, from: usize) -> &[f32] {
        let bytes = &self.map[from..];
        let count = bytes.len() / size_of::<f32>();
        let start = bytes.as_ptr().cast::<f32>();
        assert!(start.is_aligned(), "a mapping begins on a page and rows on a multiple of four");
        // SAFETY: `count` floats lie within `bytes`, the start was checked to be aligned, every bit pattern is an
        // f32, the mapping is read-only and the slice borrows it.
        unsafe { std::slice::from_raw_parts(start, count) }
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_mapping_holds_what_was_written_and_never_more() {
        let mut file = tempfile::tempfile().unwrap();
        for v in [1.5f32, -2.0, f32::MAX] {
            file.write_all(&v.to_le_bytes()).unwrap();
        }
        let map = Map::open(&file, 12).unwrap();
        assert_eq!(map.floats(0), [1.5, -2.0, f32::MAX]);
        assert_eq!(map.floats(4), [-2.0, f32::MAX]);
        assert_eq!(map.floats(12), [0f32; 0]);
        assert_eq!(Map::open(&file, 10).unwrap().floats(4), [-2.0], "half a number is left out");
        let short = Map::open(&file, 13).map(drop).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);

        // Growing the file behind the mapping changes nothing in it.
        file.write_all(&[7; 8192]).unwrap();
        assert_eq!(map.floats(0).len(), 3);
        assert_eq!(map.bytes().len(), 12);
    }
}
