//! CPU kernels of simile: one safe function per operation, each with its scalar twin. Knows nothing of files or items.

mod attention;
mod buffer;
pub mod convnet;
mod each;
mod isa;
pub mod kept;
pub mod limits;
mod math;
pub mod matrix;
mod norm;
pub mod number;
mod pool;
mod pooling;
mod quantise;
pub mod scan;
mod simd;
mod softmax;
#[cfg(test)]
mod testing;
mod top;
pub mod transformer;

pub use buffer::Buffer;
pub use isa::Isa;
pub use norm::LayerNorm;
pub use pool::Pool;
pub use pooling::{Pooling, pool};
pub use quantise::{ZERO, quantise, round};
pub use softmax::softmax;
pub use top::TopK;
