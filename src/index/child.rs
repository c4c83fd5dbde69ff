//! The building side: the hidden subcommand that trains, fills and seals one index file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use simile_faiss::{FaissError, Index};

use super::protocol::{PART, Progress, Request, SAYS, Stage};
use super::{IndexError, Recipe, seal};

/// A sentence for the parent, which may have gone.
macro_rules! told {
    ($($text:tt)*) => {{ let _ = writeln!(io::stderr(), $($text)*); }};
}

/// Rows that are read and added at a time.
const BLOCK: u64 = 2048;
/// Faiss uses at most this many training rows per centre, and wants at least 39.
const MOST_PER_CENTRE: u64 = 256;
const LEAST_PER_CENTRE: u64 = 39;
/// Bytes of training rows, unless the centres need more.
const SAMPLE_BYTES: u64 = 1 << 30;

/// Builds what stdin asks for; `args` are those after the subcommand. Progress goes to stdout as lines of JSON,
/// a failure to stderr as one sentence. Ends when stdin closes, for then the parent is gone.
pub fn child_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let paths: Vec<PathBuf> = args.map(PathBuf::from).collect();
    let [rows_file, out] = &paths[..] else {
        told!("{SAYS}it is for simile itself: give a file of rows and a file to write");
        return ExitCode::from(2);
    };
    let mut line = String::new();
    let request = io::stdin().lock().read_line(&mut line).map(|_| serde_json::from_str::<Request>(&line));
    let request = match request {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => {
            told!("{SAYS}no request on stdin ({error})");
            return ExitCode::from(2);
        }
        Err(error) => {
            told!("{SAYS}stdin cannot be read ({error})");
            return ExitCode::from(2);
        }
    };
    let part = part_of(out);
    stand_back();
    end_with_parent(part.clone());
    match build(rows_file, &part, out, &request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing else can be done about a leftover; the next build removes it.
            let _ = std::fs::remove_file(&part);
            told!("{SAYS}{error}");
            ExitCode::FAILURE
        }
    }
}

fn part_of(out: &Path) -> PathBuf {
    let mut part = out.as_os_str().to_owned();
    part.push(format!(".{}{PART}", std::process::id()));
    part.into()
}

/// Searches go first; and when memory runs out, it is the build that is ended.
fn stand_back() {
    simile_faiss::lower_priority();
    // Only Linux has it, and only there is it needed.
    let _ = std::fs::write("/proc/self/oom_score_adj", "800");
}

fn end_with_parent(part: PathBuf) {
    std::thread::spawn(move || {
        // Until end of file, or an error: either way nobody is there.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = std::fs::remove_file(part);
        simile_faiss::exit_now(3);
    });
}

fn build(rows_file: &Path, part: &Path, out: &Path, request: &Request) -> Result<(), IndexError> {
    let about = &request.about;
    let (recipe, dim) = (about.recipe, about.dim.get());
    if !super::faiss_usable() {
        return Err(IndexError::Processor);
    }
    recipe.check(about.dim, usize::try_from(about.rows).unwrap_or(usize::MAX))?;
    let faiss = |source: FaissError| IndexError::Faiss { recipe, source };
    simile_faiss::set_build_threads(request.threads);
    let mut rows = Rows::open(rows_file, request).map_err(IndexError::io(rows_file, "opened"))?;
    let unreadable = |e| IndexError::io(rows_file, "read")(e);

    let mut index = Index::factory(dim, &recipe.factory()).map_err(faiss)?;
    let wanted = sample_size(recipe, about.rows, dim as u64);
    if wanted > 0 {
        say(Stage::Train, 0, wanted);
        let sample = rows.sample(wanted, request.seed).map_err(unreadable)?;
        index.train(&sample).map_err(faiss)?;
        say(Stage::Train, wanted, wanted);
    }
    let mut at = 0;
    while at < about.rows {
        let to = about.rows.min(at + BLOCK);
        index.add(rows.read(at, to).map_err(unreadable)?).map_err(faiss)?;
        say(Stage::Add, to, about.rows);
        at = to;
    }
    say(Stage::Write, 0, about.rows);
    index.write(part).map_err(faiss)?;
    drop(index);
    seal::seal(part, about)?;
    std::fs::rename(part, out).map_err(IndexError::io(out, "put in place"))?;
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(IndexError::io(folder, "synced"))?;
    say(Stage::Write, about.rows, about.rows);
    Ok(())
}

fn say(stage: Stage, done: u64, total: u64) {
    let line = serde_json::to_string(&Progress { stage, done, total }).expect("progress is plain JSON");
    // A parent that no longer listens has closed stdin too, which ends this process.
    let _ = writeln!(io::stdout(), "{line}");
}

/// Rows to train on; 0 for what needs no training.
fn sample_size(recipe: Recipe, rows: u64, dim: u64) -> u64 {
    let Some(nlist) = recipe.nlist() else { return 0 };
    let centres = match recipe {
        Recipe::IvfPq { bits, .. } => u64::from(nlist).max(1 << bits),
        _ => u64::from(nlist),
    };
    let fits = (SAMPLE_BYTES / (4 * dim)).max(LEAST_PER_CENTRE * centres);
    rows.min(MOST_PER_CENTRE * centres).min(fits)
}

/// The rows of a segment, read in blocks.
struct Rows {
    file: File,
    offset: u64,
    count: u64,
    row_bytes: u64,
    bytes: Vec<u8>,
    floats: Vec<f32>,
}

impl Rows {
    fn open(path: &Path, request: &Request) -> io::Result<Self> {
        let file = File::open(path)?;
        let (count, row_bytes) = (request.about.rows, 4 * request.about.dim.get() as u64);
        let needed = count.checked_mul(row_bytes).and_then(|b| b.checked_add(request.byte_offset));
        if needed.is_none_or(|needed| file.metadata().is_ok_and(|m| m.len() < needed)) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than its rows"));
        }
        Ok(Self { file, offset: request.byte_offset, count, row_bytes, bytes: vec![], floats: vec![] })
    }

    /// The rows `from..to`.
    fn read(&mut self, from: u64, to: u64) -> io::Result<&[f32]> {
        self.bytes.resize(((to - from) * self.row_bytes) as usize, 0);
        self.file.seek(SeekFrom::Start(self.offset + from * self.row_bytes))?;
        self.file.read_exact(&mut self.bytes)?;
        self.floats.clear();
        self.floats.extend(self.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
        Ok(&self.floats)
    }

    /// `wanted` different rows, each as likely as any, in the order of the file.
    fn sample(&mut self, wanted: u64, seed: u64) -> io::Result<Vec<f32>> {
        let dim = (self.row_bytes / 4) as usize;
        let mut sample = Vec::with_capacity(wanted as usize * dim);
        let (mut random, mut missing, count) = (SplitMix(seed), wanted, self.count);
        let mut at = 0;
        while at < count && missing > 0 {
            let to = count.min(at + BLOCK);
            for (row, values) in (at..to).zip(self.read(at, to)?.chunks_exact(dim)) {
                // Knuth's algorithm S: of those left, just as many as are missing.
                if random.next() % (count - row) < missing {
                    sample.extend_from_slice(values);
                    missing -= 1;
                }
            }
            at = to;
        }
        Ok(sample)
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::About;
    use crate::types::Dim;

    #[test]
    fn a_sample_holds_different_rows_and_as_many_as_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        let (rows, dim) = (5000u64, 2usize);
        let mut bytes = vec![0xee; 100];
        (0..rows).for_each(|i| (0..dim).for_each(|_| bytes.extend((i as f32).to_le_bytes())));
        std::fs::write(&path, bytes).unwrap();
        let about =
            About { segment: "s".to_owned(), recipe: Recipe::Flat, rows, dim: Dim::new(dim).unwrap() };
        let mut request = Request { byte_offset: 100, about, seed: 1, threads: 1 };
        let mut file = Rows::open(&path, &request).unwrap();
        for wanted in [0, 1, 700, 5000] {
            let sample = file.sample(wanted, 9).unwrap();
            let firsts: Vec<f32> = sample.chunks(dim).map(|row| row[0]).collect();
            assert_eq!(firsts.len() as u64, wanted);
            assert!(firsts.is_sorted_by(|a, b| a < b), "different rows in order");
            assert!(sample.chunks(dim).all(|row| row[0] == row[1]), "whole rows");
        }
        let mean = file.sample(700, 9).unwrap().iter().sum::<f32>() / 1400.0;
        assert!((2200.0..2800.0).contains(&mean), "from all over: {mean}");
        assert_ne!(file.sample(700, 9).unwrap(), file.sample(700, 10).unwrap());
        request.about.rows += 1;
        assert!(Rows::open(&path, &request).is_err(), "shorter than its rows");
    }

    #[test]
    fn training_takes_what_the_centres_can_use_and_memory_can_hold() {
        let of = |recipe: &str, rows, dim| sample_size(recipe.parse().unwrap(), rows, dim);
        assert_eq!(of("HNSW32", 1 << 20, 768), 0);
        assert_eq!(of("IVF100,Flat", 5000, 768), 5000);
        assert_eq!(of("IVF100,Flat", 1 << 20, 768), 25_600);
        assert_eq!(of("IVF16,PQ64", 1 << 20, 768), 65_536);
        assert_eq!(of("IVF65536,Flat", 100_000_000, 768), 65_536 * 39);
    }
}
