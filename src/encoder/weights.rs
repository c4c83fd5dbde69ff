//! A safetensors file, checked from its header before anything is read, tensor by tensor. Knows no architecture.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::{Device, Tensor};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::EncoderError;

/// The same bound as in the safetensors crate.
const MAX_HEADER: u64 = 100_000_000;

/// An open file of weights. Everything read becomes f32.
pub struct Weights {
    path: PathBuf,
    file: Mutex<File>,
    /// Where the tensors begin.
    start: u64,
    header: Metadata,
    device: Device,
}

impl Weights {
    /// Opens `path` and checks that its header is sound and that every tensor it names lies within the file.
    ///
    /// # Errors
    /// `Unreadable`, or `Damaged` for a file that is no safetensors or was cut off.
    pub fn open(path: &Path, device: Device) -> Result<Self, EncoderError> {
        let unreadable = |source| EncoderError::Unreadable { file: path.to_owned(), source };
        let damaged = |why: String| EncoderError::Damaged { file: path.to_owned(), why };
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size < 8 {
            return Err(damaged(format!("it has only {size} bytes")));
        }
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(unreadable)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size - 8 {
            return Err(damaged(format!("its header would have {length} bytes, the file has {size}")));
        }
        let mut json = vec![0; length as usize];
        file.read_exact(&mut json).map_err(unreadable)?;
        let header: Metadata =
            serde_json::from_slice(&json).map_err(|e| damaged(format!("its header: {e}")))?;
        let start = 8 + length;
        let want = start.saturating_add(header.data_len() as u64);
        if want != size {
            return Err(damaged(format!("it should have {want} bytes and has {size}")));
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), start, header, device })
    }

    pub fn has(&self, tensor: &str) -> bool {
        self.header.info(tensor).is_some()
    }

    /// The tensors whose names begin with `prefix`.
    pub fn root<'a>(&'a self, prefix: &str) -> Scope<'a> {
        Scope { weights: self, prefix: prefix.to_owned() }
    }

    /// Whether a tensor is there in this shape; its values are not read.
    ///
    /// # Errors
    /// `MissingTensor`, `WrongShape`.
    pub fn expect_shape(&self, tensor: &str, shape: &[usize]) -> Result<(), EncoderError> {
        let info = self.info(tensor)?;
        if info.shape == shape {
            return Ok(());
        }
        Err(EncoderError::WrongShape {
            file: self.path.clone(),
            tensor: tensor.to_owned(),
            got: info.shape.clone(),
            want: shape.to_vec(),
        })
    }

    /// That candle could make no tensor of it.
    pub fn failed(&self, e: &candle_core::Error) -> EncoderError {
        EncoderError::Damaged { file: self.path.clone(), why: e.to_string() }
    }

    fn info(&self, tensor: &str) -> Result<&TensorInfo, EncoderError> {
        let missing = || EncoderError::MissingTensor { file: self.path.clone(), tensor: tensor.to_owned() };
        self.header.info(tensor).ok_or_else(missing)
    }

    /// All values, row-major, as f32. I8 is decoded with the F32 `{tensor}_scale`, one per row of the first axis.
    fn values(&self, tensor: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        self.expect_shape(tensor, shape)?;
        let info = self.info(tensor)?;
        let wide =
            |v: Vec<u8>, decode: fn([u8; 2]) -> f32| v.as_chunks().0.iter().map(|&b| decode(b)).collect();
        match info.dtype {
            Dtype::F32 => {
                Ok(self.bytes(info)?.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
            }
            Dtype::F16 => Ok(wide(self.bytes(info)?, |b| f16::from_le_bytes(b).to_f32())),
            Dtype::BF16 => Ok(wide(self.bytes(info)?, |b| bf16::from_le_bytes(b).to_f32())),
            Dtype::I8 if !shape.is_empty() => {
                let scales = self.scales(&format!("{tensor}_scale"), shape[0])?;
                let codes = self.bytes(info)?;
                let row = (codes.len() / scales.len().max(1)).max(1);
                let decode =
                    |(row, s): (&[u8], &f32)| row.iter().map(|&c| f32::from(c as i8) * s).collect::<Vec<_>>();
                Ok(codes.chunks(row).zip(&scales).flat_map(decode).collect())
            }
            other => Err(self.wrong_type(tensor, other)),
        }
    }

    fn scales(&self, tensor: &str, rows: usize) -> Result<Vec<f32>, EncoderError> {
        match self.info(tensor)?.dtype {
            Dtype::F32 => self.values(tensor, &[rows]),
            other => Err(self.wrong_type(tensor, other)),
        }
    }

    fn wrong_type(&self, tensor: &str, dtype: Dtype) -> EncoderError {
        EncoderError::WrongType {
            file: self.path.clone(),
            tensor: tensor.to_owned(),
            got: format!("{dtype:?}"),
        }
    }

    fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>, EncoderError> {
        let (from, to) = info.data_offsets;
        // Bounded by the file's length, which was checked against the header.
        let mut bytes = vec![0; to - from];
        let mut file = self.file.lock().expect("no reader panics");
        file.seek(SeekFrom::Start(self.start + from as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| EncoderError::Unreadable { file: self.path.clone(), source })?;
        Ok(bytes)
    }
}

/// A part of a file's tensors, by the beginning of their names.
#[derive(Clone)]
pub struct Scope<'a> {
    weights: &'a Weights,
    prefix: String,
}

impl Scope<'_> {
    /// Appends `name` and a dot.
    pub fn sub(&self, name: impl std::fmt::Display) -> Self {
        Self { weights: self.weights, prefix: format!("{}{name}.", self.prefix) }
    }

    pub fn has(&self, name: &str) -> bool {
        self.weights.has(&format!("{}{name}", self.prefix))
    }

    /// The values of a tensor that must have this shape.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        self.weights.values(&format!("{}{name}", self.prefix), shape)
    }

    /// Values of this shape as a tensor on the device.
    pub fn upload(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor, EncoderError> {
        Tensor::from_vec(values, shape, &self.weights.device).map_err(|e| self.weights.failed(&e))
    }
}
