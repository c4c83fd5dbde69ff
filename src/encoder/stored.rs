//! Where a tensor lies, whatever the form of its file.

use safetensors::Dtype;

/// One tensor's place in the file; within the file's length.
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub from: u64,
    pub to: u64,
    /// Row-major, without gaps.
    pub plain: bool,
}
