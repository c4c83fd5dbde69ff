//! What concerns the whole process: whether Faiss can run here, its threads, what it was built with.

use std::sync::Once;

use crate::ffi;

/// Whether this processor has what Faiss was compiled for. Where not, nothing else of this crate may be called.
pub fn usable() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("popcnt");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// Versions of Faiss and of the BLAS under it, for people.
pub fn versions() -> (String, String) {
    (ffi::faiss_version(), ffi::blas_version())
}

/// Lets this thread's building use `n` threads. Searches never do: each runs on its caller's thread.
pub fn set_build_threads(n: usize) {
    once();
    let n = n.try_into().unwrap_or(1);
    ffi::set_threads(n, n);
}

/// Lets everybody else go first, for a process that builds in the background.
pub fn lower_priority() {
    ffi::be_nice();
}

/// Ends this process at once: no destructors, which must not run while other threads are within Faiss.
pub fn exit_now(code: u8) -> ! {
    ffi::exit_now(code.into())
}

/// OpenBLAS would start a pool as wide as the machine beside all others: one thread, unless a build asks for more.
pub(crate) fn once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ffi::set_threads(1, 1));
}
