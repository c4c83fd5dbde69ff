//! One file of packed weights: magic, a checksum over all behind it, what it holds as JSON, then the pieces.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use simile_compute::kept::{Kept, Lender, PACKING, Piece, Pieces, TAIL};

use super::super::FileState;
use crate::map::Map;

/// How files that are being written begin.
pub const UNFINISHED: &str = ".packing-";
/// With the version of this layout.
const MAGIC: [u8; 8] = *b"simpack1";
const SUM: usize = blake3::OUT_LEN;
/// Magic, checksum, bytes of the JSON.
const FIXED: usize = 8 + SUM + 8;
/// Pieces begin on pages, those that are read as a stream on huge ones.
const PAGE: usize = 4096;
const HUGE: usize = 2 << 20;
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// Far more than any card or path has.
const MOST_JSON: usize = 1 << 20;
/// Hashed apart, by all threads.
const BLOCK: usize = 4 << 20;

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Contents {
    /// Who packed.
    program: String,
    packing: u32,
    /// The file that was packed.
    pub weights: FileState,
    panels: Range<usize>,
    table: Range<usize>,
    numbers: Range<usize>,
    /// Of the whole file.
    length: usize,
}

impl Contents {
    /// Whether a program like this one packed.
    pub fn is_ours(&self) -> bool {
        self.program == PROGRAM && self.packing == PACKING
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Writes the pieces beside `path` and renames them into place.
pub fn write(path: &Path, weights: &FileState, pieces: &Pieces<'_>) -> io::Result<()> {
    let table: Vec<u8> = pieces.table.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut contents = Contents {
        program: PROGRAM.to_owned(),
        packing: PACKING,
        weights: weights.clone(),
        panels: 0..0,
        table: 0..0,
        numbers: 0..0,
        length: 0,
    };
    // Offsets are a few digits, so the JSON stays within the room of a page more than it takes without them.
    let mut at = FIXED + serde_json::to_vec(&contents)?.len() + PAGE;
    let mut next = |bytes: usize| {
        let from = at.next_multiple_of(if bytes >= HUGE { HUGE } else { PAGE });
        at = from + bytes + TAIL;
        from..from + bytes
    };
    contents.numbers = next(pieces.numbers.len());
    contents.table = next(table.len());
    contents.panels = next(pieces.panels.len());
    contents.length = at;
    let json = serde_json::to_vec(&contents)?;
    replace(path, |file| {
        file.set_len(contents.length as u64)?;
        file.write_all(&MAGIC)?;
        file.write_all(&[0; SUM])?;
        file.write_all(&(json.len() as u64).to_le_bytes())?;
        file.write_all(&json)?;
        for (range, bytes) in [
            (&contents.numbers, pieces.numbers.as_slice()),
            (&contents.table, table.as_slice()),
            (&contents.panels, pieces.panels),
        ] {
            file.write_all_at(bytes, range.start as u64)?;
        }
        let sum = checksum(file, contents.length)?;
        file.write_all_at(sum.as_bytes(), MAGIC.len() as u64)
    })
}

/// Makes a file whole or not at all.
pub fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    fill(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}

/// Maps what a file holds, once its checksum agrees.
///
/// # Errors
/// `NotFound`; `InvalidData` for a file that was cut, changed, or never one of these.
pub fn open(path: &Path) -> io::Result<Kept> {
    let (file, contents) = verified(path)?;
    let map: Lender = Arc::new(Map::open(&file, contents.length)?);
    let piece =
        |range| Piece::new(map.clone(), range).ok_or_else(|| wrong("its parts do not lie where they should"));
    Ok(Kept {
        panels: piece(contents.panels)?,
        table: piece(contents.table)?,
        numbers: piece(contents.numbers)?,
    })
}

/// Compares a file with its checksum.
pub fn verified(path: &Path) -> io::Result<(File, Contents)> {
    let (mut file, contents) = look(path)?;
    let mut noted = [0; SUM];
    file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
    file.read_exact(&mut noted)?;
    if checksum(&file, contents.length)? != noted {
        return Err(wrong("its checksum differs"));
    }
    Ok((file, contents))
}

/// What a file says that it holds, without reading all of it.
pub fn look(path: &Path) -> io::Result<(File, Contents)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut fixed = [0; FIXED];
    let mut json = Vec::new();
    let told = file.read_exact(&mut fixed).map(|()| {
        let (_, json) = fixed.split_at(FIXED - 8);
        u64::from_le_bytes(json.try_into().expect("eight bytes"))
    });
    match told {
        Ok(bytes) if fixed.starts_with(&MAGIC) && bytes <= MOST_JSON as u64 => {
            (&file).take(bytes).read_to_end(&mut json)?;
        }
        _ => return Err(wrong("it holds no packed weights of this version")),
    }
    let contents: Contents = serde_json::from_slice(&json).map_err(|_| wrong("its beginning is damaged"))?;
    if contents.length as u64 != length {
        return Err(wrong("it was cut off"));
    }
    Ok((file, contents))
}

/// BLAKE3 over the BLAKE3 of every block behind the checksum. Read, not mapped: what is hashed need not stay in memory.
fn checksum(file: &File, length: usize) -> io::Result<blake3::Hash> {
    let from = MAGIC.len() + SUM;
    let block = |from: usize| {
        let mut bytes = vec![0; BLOCK.min(length - from)];
        file.read_exact_at(&mut bytes, from as u64)?;
        Ok(blake3::hash(&bytes))
    };
    let starts: Vec<usize> = (from..length).step_by(BLOCK).collect();
    let sums = starts.into_par_iter().map(block).collect::<io::Result<Vec<_>>>()?;
    let mut all = blake3::Hasher::new();
    sums.iter().for_each(|sum| {
        all.update(sum.as_bytes());
    });
    Ok(all.finalize())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn written(folder: &Path) -> (PathBuf, Vec<u8>) {
        let weights = folder.join("weights");
        fs::write(&weights, "w").unwrap();
        let panels: Vec<u8> = (0..HUGE + 100).map(|i| (i * 7) as u8).collect();
        let pieces = Pieces { panels: &panels, table: &[1.5, -2.0], numbers: vec![1, 2, 3] };
        let path = folder.join("packed/file");
        write(&path, &FileState::at(&weights).unwrap(), &pieces).unwrap();
        (path, panels)
    }

    #[test]
    fn pieces_come_back_where_kernels_want_them() {
        let folder = tempfile::tempdir().unwrap();
        let (path, panels) = written(folder.path());
        let kept = open(&path).unwrap();
        assert_eq!(kept.panels[..], panels);
        assert_eq!(kept.table[..], [1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat());
        assert_eq!(kept.numbers[..], [1, 2, 3]);
        assert_eq!(look(&path).unwrap().1.panels.start % HUGE, 0);
        // What is mapped stays, also when the cache is deleted.
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(kept.panels[..], panels);
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_flipped_bit_and_a_cut_are_found_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = written(folder.path());
        let whole = fs::read(&path).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            fs::write(&path, bytes).unwrap();
            let e = open(&path).map(drop).expect_err(what);
            assert_eq!(e.kind(), io::ErrorKind::InvalidData, "{what}: {e}");
        };
        let mut places: Vec<usize> = (0..400).chain((400..whole.len()).step_by(99_991)).collect();
        places.push(whole.len() - 1);
        for at in places {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            refused(&bytes, &format!("bit of byte {at}"));
        }
        for cut in [0, 7, 30, FIXED, PAGE, HUGE, whole.len() - 1] {
            refused(&whole[..cut], &format!("cut to {cut}"));
        }
        refused(&[&whole[..], b"x"].concat(), "one byte more");
        fs::write(&path, &whole).unwrap();
        open(&path).unwrap();
    }
}
