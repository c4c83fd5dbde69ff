//! Every raw call, each behind a function that is safe or says what it needs.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use faiss_sys as sys;

/// An index that is owned here and freed once.
pub(crate) struct Raw(NonNull<sys::FaissIndex>);

// SAFETY: a CPU index is plain memory without thread affinity; whoever owns it may free it.
unsafe impl Send for Raw {}
// SAFETY: through `&Raw` only const methods of Faiss are reachable (search, write, getters). Faiss documents
// concurrent searches of a CPU index as safe; its global statistics counters are racy integers that nobody here reads.
unsafe impl Sync for Raw {}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the pointer came from Faiss, is owned here and is not used again.
        unsafe { sys::faiss_Index_free(self.0.as_ptr()) }
    }
}

/// Faiss' words for what went wrong on this thread.
fn last_error() -> String {
    // SAFETY: null, or a NUL-terminated text that lives until this thread's next error; it is copied at once.
    let text = unsafe {
        let text = sys::faiss_get_last_error();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    text.unwrap_or_else(|| "no message".to_owned())
}

fn check(code: c_int) -> Result<(), String> {
    if code == 0 { Ok(()) } else { Err(last_error()) }
}

impl Raw {
    fn own(code: c_int, raw: *mut sys::FaissIndex) -> Result<Self, String> {
        check(code)?;
        NonNull::new(raw).map(Self).ok_or_else(|| "Faiss gave no index".to_owned())
    }

    pub fn factory(dim: c_int, description: &CStr) -> Result<Self, String> {
        let mut raw = ptr::null_mut();
        let metric = sys::FaissMetricType_METRIC_INNER_PRODUCT;
        // SAFETY: the out pointer and the text live through the call.
        let code = unsafe { sys::faiss_index_factory(&mut raw, dim, description.as_ptr(), metric) };
        Self::own(code, raw)
    }

    pub fn read(path: &CStr) -> Result<Self, String> {
        let mut raw = ptr::null_mut();
        // SAFETY: the out pointer and the path live through the call.
        let code = unsafe { sys::faiss_read_index_fname(path.as_ptr(), 0, &mut raw) };
        Self::own(code, raw)
    }

    pub fn write(&self, path: &CStr) -> Result<(), String> {
        // SAFETY: the index is alive; writing does not change it.
        check(unsafe { sys::faiss_write_index_fname(self.0.as_ptr(), path.as_ptr()) })
    }

    pub fn dim(&self) -> usize {
        // SAFETY: the index is alive; a getter.
        usize::try_from(unsafe { sys::faiss_Index_d(self.0.as_ptr()) }).unwrap_or(0)
    }

    pub fn len(&self) -> usize {
        // SAFETY: the index is alive; a getter.
        usize::try_from(unsafe { sys::faiss_Index_ntotal(self.0.as_ptr()) }).unwrap_or(0)
    }

    pub fn is_trained(&self) -> bool {
        // SAFETY: the index is alive; a getter.
        unsafe { sys::faiss_Index_is_trained(self.0.as_ptr()) != 0 }
    }

    /// # Panics
    /// If `rows` does not hold `n` rows of the index's dimension.
    pub fn train(&mut self, n: usize, rows: &[f32]) -> Result<(), String> {
        assert_eq!(rows.len(), n * self.dim(), "whole rows");
        // SAFETY: `rows` holds n * d floats, just checked; `&mut` keeps everybody else out.
        check(unsafe { sys::faiss_Index_train(self.0.as_ptr(), n as i64, rows.as_ptr()) })
    }

    /// # Panics
    /// If `rows` does not hold `n` rows of the index's dimension.
    pub fn add(&mut self, n: usize, rows: &[f32]) -> Result<(), String> {
        assert_eq!(rows.len(), n * self.dim(), "whole rows");
        // SAFETY: `rows` holds n * d floats, just checked; `&mut` keeps everybody else out.
        check(unsafe { sys::faiss_Index_add(self.0.as_ptr(), n as i64, rows.as_ptr()) })
    }

    pub fn set_parameter(&mut self, name: &CStr, value: f64) -> Result<(), String> {
        let mut space = ptr::null_mut();
        // SAFETY: the out pointer lives through the call.
        check(unsafe { sys::faiss_ParameterSpace_new(&mut space) })?;
        // SAFETY: `space` was just made and the index is alive and borrowed mutably.
        let code = unsafe {
            sys::faiss_ParameterSpace_set_index_parameter(space, self.0.as_ptr(), name.as_ptr(), value)
        };
        let result = check(code);
        // SAFETY: made above, freed once.
        unsafe { sys::faiss_ParameterSpace_free(space) };
        result
    }

    /// # Panics
    /// If `queries` does not hold `n` rows, or `scores` or `rows` not `n * k` places, or `n` or `k` is 0.
    pub fn search(
        &self,
        n: usize,
        queries: &[f32],
        ask: &Ask,
        scores: &mut [f32],
        rows: &mut [i64],
    ) -> Result<(), String> {
        assert!(n > 0 && ask.k > 0 && queries.len() == n * self.dim(), "whole queries");
        assert!(scores.len() == n * ask.k && rows.len() == n * ask.k, "a place for every answer");
        let (bitmap, bytes) = ask.selector.map_or((ptr::null(), 0), |bits| (bits.as_ptr(), bits.len()));
        let mut message = [0 as c_char; 512];
        // This thread's searches run on this thread: Faiss must not start a team for each.
        // SAFETY: sets a variable of the calling thread.
        unsafe { omp_set_num_threads(ask.threads) };
        // SAFETY: the index is alive and searching is const; all sizes were just checked; the bitmap's size goes with
        // it; the message has its room, NUL included.
        let failed = unsafe {
            simile_faiss_search(
                self.0.as_ptr().cast(),
                n as i64,
                queries.as_ptr(),
                ask.k as i64,
                ask.nprobe,
                ask.ef_search,
                bitmap,
                bytes,
                scores.as_mut_ptr(),
                rows.as_mut_ptr(),
                message.as_mut_ptr(),
                message.len(),
            )
        };
        if failed == 0 {
            return Ok(());
        }
        // SAFETY: snprintf ended it with NUL.
        Err(unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned())
    }
}

/// The numbers of one search, in the types that C++ takes.
pub(crate) struct Ask<'a> {
    pub k: usize,
    pub nprobe: usize,
    pub ef_search: c_int,
    pub selector: Option<&'a [u8]>,
    pub threads: c_int,
}

unsafe extern "C" {
    fn simile_faiss_search(
        index: *const c_void,
        n: i64,
        x: *const f32,
        k: i64,
        nprobe: usize,
        ef_search: c_int,
        bitmap: *const u8,
        bitmap_bytes: usize,
        scores: *mut f32,
        rows: *mut i64,
        message: *mut c_char,
        room: usize,
    ) -> c_int;
    fn omp_set_num_threads(n: c_int);
    fn openblas_set_num_threads(n: c_int);
    fn openblas_get_config() -> *const c_char;
    fn openblas_get_corename() -> *const c_char;
    fn nice(by: c_int) -> c_int;
    fn _exit(code: c_int) -> !;
}

/// OpenMP threads of this thread's calls, OpenBLAS threads of the process.
pub(crate) fn set_threads(openmp: c_int, blas: c_int) {
    // SAFETY: both only set counts, at least 1.
    unsafe {
        omp_set_num_threads(openmp.max(1));
        openblas_set_num_threads(blas.max(1));
    }
}

pub(crate) fn faiss_version() -> String {
    // SAFETY: a static text.
    unsafe { CStr::from_ptr(sys::faiss_get_version()) }.to_string_lossy().into_owned()
}

pub(crate) fn blas_version() -> String {
    // SAFETY: both are static texts.
    let (config, core) =
        unsafe { (CStr::from_ptr(openblas_get_config()), CStr::from_ptr(openblas_get_corename())) };
    format!("{} on {}", config.to_string_lossy().trim(), core.to_string_lossy().trim())
}

pub(crate) fn be_nice() {
    // SAFETY: raises this process's own nice value, which needs no right; a failure changes nothing.
    unsafe { nice(10) };
}

pub(crate) fn exit_now(code: c_int) -> ! {
    // SAFETY: ends the process; there is nothing after it.
    unsafe { _exit(code) }
}

/// A text for C; `None` if it holds a NUL.
pub(crate) fn c_text(bytes: &[u8]) -> Option<CString> {
    CString::new(bytes).ok()
}
