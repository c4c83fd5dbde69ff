//! The threads of all encoders on this processor.

use std::sync::LazyLock;

use simile_compute::Pool;

/// One pool for all: a second one would wait for the same cores.
static POOL: LazyLock<Pool> =
    LazyLock::new(|| Pool::new(std::thread::available_parallelism().map_or(1, |n| n.get())));

pub fn pool() -> &'static Pool {
    &POOL
}
