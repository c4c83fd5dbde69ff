//! CPU kernels of simile: one safe function per operation, each with its scalar twin. Knows nothing of files or items.

mod buffer;
mod isa;
mod math;
pub mod matrix;
pub mod number;
mod pool;
pub mod scan;
mod simd;
mod top;

pub use buffer::Buffer;
pub use isa::Isa;
pub use pool::Pool;
pub use top::TopK;
