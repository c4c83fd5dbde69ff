//! The index: made, trained and filled by one owner, then searched by many.

use std::path::{Path, PathBuf};

use crate::ffi::{Ask, Raw, c_text};
use crate::process;

/// What Faiss, or a check before it, objects to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaissError {
    /// Faiss threw; its own words.
    #[error("Faiss could not {doing}: {message}")]
    Threw { doing: &'static str, message: String },
    #[error("{got} numbers are no whole rows of {dim}")]
    NotRows { got: usize, dim: usize },
    #[error("the index is not trained; train it first")]
    NotTrained,
    #[error("{dim} dimensions are more than Faiss counts")]
    Dimension { dim: usize },
    #[error("{}: the path holds a NUL byte", .0.display())]
    Path(PathBuf),
    #[error("the index description holds a NUL byte")]
    Description,
}

/// How one search is done; it never changes the shared index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchParams<'a> {
    /// Lists that an inverted file looks into; others ignore it.
    pub nprobe: usize,
    /// Candidates that an HNSW graph keeps, at least k; others ignore it.
    pub ef_search: usize,
    /// Bit `row % 8` of byte `row / 8`: only these rows are found. `None`: all.
    pub selector: Option<&'a [u8]>,
    /// Threads that a block of queries is split over; one query is never split.
    pub threads: usize,
}

impl Default for SearchParams<'_> {
    fn default() -> Self {
        Self { nprobe: 8, ef_search: 64, selector: None, threads: 1 }
    }
}

/// The rows found for one query with their inner products, best first.
pub type Hits = Vec<(i64, f32)>;

/// A Faiss index by inner product over rows that are numbered as they were added.
///
/// Building takes `&mut self`, searching `&self`: any number of threads may search one index.
pub struct Index {
    raw: Raw,
    dim: usize,
}

impl Index {
    /// An empty index after Faiss' `index_factory`, such as `IVF256,PQ64`.
    ///
    /// # Errors
    /// `Threw` for a description that Faiss does not know.
    pub fn factory(dim: usize, description: &str) -> Result<Self, FaissError> {
        process::once();
        let too_large = FaissError::Dimension { dim };
        let d = i32::try_from(dim).ok().filter(|&d| d > 0).ok_or(too_large)?;
        let text = c_text(description.as_bytes()).ok_or(FaissError::Description)?;
        let raw = Raw::factory(d, &text).map_err(threw("make the index"))?;
        Ok(Self { raw, dim })
    }

    /// An index from its file. Faiss trusts what it reads: a damaged file may load as nonsense or never return,
    /// so verify a checksum first.
    ///
    /// # Errors
    /// `Threw` if there is no such file or Faiss sees that it is none of its own.
    pub fn read(path: &Path) -> Result<Self, FaissError> {
        process::once();
        let raw = Raw::read(&c_path(path)?).map_err(threw("read the index"))?;
        let dim = raw.dim();
        if dim == 0 {
            return Err(threw("read the index")("it has no dimension".to_owned()));
        }
        Ok(Self { raw, dim })
    }

    /// Writes the file; the caller syncs it.
    ///
    /// # Errors
    /// `Threw` for a full disk or a folder that is not there.
    pub fn write(&self, path: &Path) -> Result<(), FaissError> {
        self.raw.write(&c_path(path)?).map_err(threw("write the index"))
    }

    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows added.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_trained(&self) -> bool {
        self.raw.is_trained()
    }

    /// Sets a parameter by Faiss' name for as long as the index lives, such as `efConstruction`.
    ///
    /// # Errors
    /// `Threw` for a name that this index does not have.
    pub fn set_parameter(&mut self, name: &str, value: f64) -> Result<(), FaissError> {
        let name = c_text(name.as_bytes()).ok_or(FaissError::Description)?;
        self.raw.set_parameter(&name, value).map_err(threw("set a parameter"))
    }

    /// Learns centres and codes from `rows`, `[n, dim]`.
    ///
    /// # Errors
    /// `NotRows`; `Threw` if there are fewer rows than centres.
    pub fn train(&mut self, rows: &[f32]) -> Result<(), FaissError> {
        let n = self.rows(rows)?;
        self.raw.train(n, rows).map_err(threw("train the index"))
    }

    /// Appends `rows`, `[n, dim]`.
    ///
    /// # Errors
    /// `NotRows`; `NotTrained`; `Threw`.
    pub fn add(&mut self, rows: &[f32]) -> Result<(), FaissError> {
        let n = self.rows(rows)?;
        if !self.is_trained() {
            return Err(FaissError::NotTrained);
        }
        if n == 0 {
            return Ok(());
        }
        self.raw.add(n, rows).map_err(threw("add rows"))
    }

    /// For each of `queries`, `[n, dim]`: at most `k` times (row, inner product), best first. A list is shorter than
    /// `k` where the index or the search holds no more.
    ///
    /// # Errors
    /// `NotRows`; `NotTrained`; `Threw`.
    pub fn search(&self, queries: &[f32], k: usize, params: &SearchParams) -> Result<Vec<Hits>, FaissError> {
        let n = self.rows(queries)?;
        if !self.is_trained() {
            return Err(FaissError::NotTrained);
        }
        let k = k.min(self.len());
        if n == 0 || k == 0 {
            return Ok(vec![Vec::new(); n]);
        }
        let ask = Ask {
            k,
            nprobe: params.nprobe.max(1),
            ef_search: params.ef_search.max(k).try_into().unwrap_or(i32::MAX),
            selector: params.selector,
            threads: params.threads.clamp(1, 1024) as i32,
        };
        let (mut scores, mut rows) = (vec![0.0; n * k], vec![-1; n * k]);
        self.raw.search(n, queries, &ask, &mut scores, &mut rows).map_err(threw("search"))?;
        let lists = rows.chunks(k).zip(scores.chunks(k));
        Ok(lists.map(|(rows, scores)| found(rows, scores)).collect())
    }

    fn rows(&self, values: &[f32]) -> Result<usize, FaissError> {
        if !values.len().is_multiple_of(self.dim) {
            return Err(FaissError::NotRows { got: values.len(), dim: self.dim });
        }
        Ok(values.len() / self.dim)
    }
}

/// Faiss pads short lists with row -1.
fn found(rows: &[i64], scores: &[f32]) -> Hits {
    rows.iter().copied().zip(scores.iter().copied()).filter(|&(row, _)| row >= 0).collect()
}

fn threw(doing: &'static str) -> impl Fn(String) -> FaissError {
    move |message| FaissError::Threw { doing, message }
}

#[cfg(unix)]
fn c_path(path: &Path) -> Result<std::ffi::CString, FaissError> {
    use std::os::unix::ffi::OsStrExt;
    c_text(path.as_os_str().as_bytes()).ok_or_else(|| FaissError::Path(path.to_owned()))
}

#[cfg(not(unix))]
fn c_path(path: &Path) -> Result<std::ffi::CString, FaissError> {
    c_text(path.to_string_lossy().as_bytes()).ok_or_else(|| FaissError::Path(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: usize = 24;

    fn rows(n: usize, mut seed: u64) -> Vec<f32> {
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let mut all: Vec<f32> = (0..n * D).map(|_| next()).collect();
        for row in all.chunks_mut(D) {
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter_mut().for_each(|v| *v /= norm);
        }
        all
    }

    fn built(description: &str, n: usize) -> Index {
        let mut index = Index::factory(D, description).unwrap();
        index.train(&rows(n, 1)).unwrap();
        index.add(&rows(n, 1)).unwrap();
        index
    }

    const ALL: [&str; 6] = ["Flat", "IVF16,Flat", "IVF16,PQ12np", "IVF16,PQ12x4np", "IVF16,SQ8", "HNSW16"];
    const WIDE: SearchParams = SearchParams { nprobe: 16, ef_search: 400, selector: None, threads: 1 };

    #[test]
    fn every_kind_finds_its_own_rows_by_parameters_of_the_call() {
        for description in ALL {
            let index = built(description, 2000);
            assert_eq!((index.len(), index.dim(), index.is_trained()), (2000, D, true));
            let queries = &rows(2000, 1)[..50 * D];
            let lists = index.search(queries, 10, &WIDE).unwrap();
            let first = |lists: &[Hits]| {
                lists.iter().enumerate().filter(|(at, l)| l.iter().any(|hit| hit.0 == *at as i64)).count()
            };
            assert!(first(&lists) >= 49, "{description}: {} of 50 rows find themselves", first(&lists));
            assert!(
                lists.iter().all(|l| l.len() == 10 && l.is_sorted_by(|a, b| a.1 >= b.1)),
                "{description}"
            );
            let split = index.search(queries, 10, &SearchParams { threads: 3, ..WIDE }).unwrap();
            let firsts = |lists: &[Hits]| lists.iter().map(|l| l[0].0).collect::<Vec<_>>();
            assert_eq!(firsts(&split), firsts(&lists), "{description}");
        }
        let ivf = built("IVF16,Flat", 2000);
        let found = |nprobe| -> usize {
            let params = SearchParams { nprobe, ..WIDE };
            ivf.search(&rows(20, 5), 2000, &params).unwrap().iter().map(Vec::len).sum()
        };
        assert_eq!(found(16), 20 * 2000);
        assert!(found(1) < 20 * 600 && found(4) > found(1));
    }

    #[test]
    fn hnsw_takes_ef_search_per_call() {
        let hnsw = built("HNSW4", 2000);
        let queries = rows(100, 5);
        let exact = built("Flat", 2000).search(&queries, 10, &WIDE).unwrap();
        let recall = |ef_search| {
            let lists = hnsw.search(&queries, 10, &SearchParams { ef_search, ..WIDE }).unwrap();
            let hits = |(a, b): (&Hits, &Hits)| a.iter().filter(|x| b.iter().any(|y| x.0 == y.0)).count();
            lists.iter().zip(&exact).map(hits).sum::<usize>()
        };
        assert!(recall(10) + 50 < recall(400), "{} and {}", recall(10), recall(400));
    }

    #[test]
    fn only_selected_rows_are_found() {
        let mut selector = vec![0u8; 250];
        (0..2000).step_by(7).for_each(|row| selector[row / 8] |= 1 << (row % 8));
        for description in ALL {
            let index = built(description, 2000);
            let params = SearchParams { selector: Some(&selector), ..WIDE };
            let lists = index.search(&rows(5, 5), 20, &params).unwrap();
            for list in lists {
                assert_eq!(list.len(), 20, "{description}");
                assert!(list.iter().all(|hit| hit.0 % 7 == 0), "{description}");
            }
            // A bitmap shorter than the rows selects none beyond its end; an empty one selects none at all.
            let short = SearchParams { selector: Some(&selector[..10]), ..WIDE };
            assert!(index.search(&rows(1, 5), 20, &short).unwrap()[0].iter().all(|hit| hit.0 < 80));
            let none = SearchParams { selector: Some(&[]), ..WIDE };
            assert!(index.search(&rows(1, 5), 20, &none).unwrap()[0].is_empty(), "{description}");
        }
    }

    #[test]
    fn wrong_sizes_and_faiss_exceptions_become_errors() {
        assert!(matches!(Index::factory(D, "IVF16,Nonsense"), Err(FaissError::Threw { .. })));
        assert_eq!(Index::factory(D, "Fl\0at").err(), Some(FaissError::Description));
        assert_eq!(Index::factory(0, "Flat").err(), Some(FaissError::Dimension { dim: 0 }));
        let mut index = Index::factory(D, "IVF16,Flat").unwrap();
        assert_eq!(index.add(&rows(5, 1)), Err(FaissError::NotTrained));
        assert_eq!(index.search(&rows(1, 1), 5, &WIDE), Err(FaissError::NotTrained));
        assert_eq!(index.train(&[0.0; D + 1]), Err(FaissError::NotRows { got: D + 1, dim: D }));
        let Err(FaissError::Threw { message, .. }) = index.train(&rows(5, 1)) else {
            panic!("5 rows, 16 centres")
        };
        assert!(message.contains("Number of training points (5)"), "{message}");
        assert!(index.set_parameter("efConstruction", 40.0).is_err());

        let index = built("IVF16,Flat", 200);
        assert_eq!(index.search(&[0.0; D - 1], 5, &WIDE), Err(FaissError::NotRows { got: D - 1, dim: D }));
        assert_eq!(index.search(&[], 5, &WIDE), Ok(vec![]));
        assert_eq!(index.search(&rows(2, 1), 0, &WIDE), Ok(vec![vec![]; 2]));
        assert_eq!(index.search(&rows(1, 1), 10_000, &WIDE).unwrap()[0].len(), 200);
        assert!(Index::factory(D, "HNSW16").unwrap().search(&rows(1, 1), 5, &WIDE).unwrap()[0].is_empty());
    }

    #[test]
    fn files_are_written_and_read_back_whatever_their_name() {
        let folder = std::env::temp_dir().join(format!("simile-faiss-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("quote\" 卡车\n.faiss");
        for description in ALL {
            let index = built(description, 600);
            index.write(&path).unwrap();
            let again = Index::read(&path).unwrap();
            assert_eq!((again.len(), again.dim()), (600, D));
            let ask = |i: &Index| i.search(&rows(9, 5), 7, &WIDE).unwrap();
            assert_eq!(ask(&index), ask(&again), "{description}");
        }
        std::fs::write(&path, b"junk that is no index").unwrap();
        assert!(matches!(Index::read(&path), Err(FaissError::Threw { .. })));
        assert!(matches!(Index::read(&folder.join("missing")), Err(FaissError::Threw { .. })));
        assert!(built("Flat", 9).write(&folder.join("missing/x")).is_err());
        assert!(matches!(Index::read(Path::new("a\0b")), Err(FaissError::Path(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn many_threads_search_one_index() {
        for description in ALL {
            let index = built(description, 2000);
            let want = index.search(&rows(20, 5), 10, &WIDE).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        (0..5).for_each(|_| assert_eq!(index.search(&rows(20, 5), 10, &WIDE).unwrap(), want))
                    });
                }
            });
        }
    }

    #[test]
    fn the_blas_is_openblas() {
        let (faiss, blas) = crate::versions();
        assert!(faiss.starts_with("1."), "{faiss}");
        assert!(blas.starts_with("OpenBLAS"), "{blas}");
    }
}
