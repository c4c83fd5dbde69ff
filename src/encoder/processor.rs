//! The threads of all encoders on this processor.

use std::sync::{LazyLock, OnceLock};

use simile_compute::Pool;

static THREADS: OnceLock<usize> = OnceLock::new();

/// One pool for all: a second one would wait for the same cores.
static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    Pool::new(THREADS.get().copied().unwrap_or_else(cores))
});

/// How many threads encoders compute with, told once before the first encodes; `None`: one per core.
pub fn use_threads(threads: Option<usize>) {
    if let Some(threads) = threads {
        // A second, like call changes nothing.
        THREADS.set(threads).ok();
    }
}

pub fn pool() -> &'static Pool {
    &POOL
}
