//! CPU kernels of simile: one safe function per operation, each with its scalar twin. Knows nothing of files or items.

mod isa;
pub mod scan;
mod top;

pub use isa::Isa;
pub use top::TopK;
