//! A file of weights, checked from its header before anything is read, tensor by tensor: safetensors, or PyTorch's
//! zip form. Knows no architecture.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::{Device, Tensor};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::EncoderError;
use super::pytorch::{self, Refused};
use super::stored::Stored;

/// The same bound as in the safetensors crate.
const MAX_HEADER: u64 = 100_000_000;

/// An open file of weights. Everything read becomes f32.
pub struct Weights {
    path: PathBuf,
    file: Mutex<File>,
    tensors: BTreeMap<String, Stored>,
    device: Device,
}

/// A file that is opened when it is first asked for: where packed weights are kept, it never is.
pub struct Unopened<'a> {
    path: &'a Path,
    device: &'a Device,
    opened: OnceCell<Weights>,
}

impl<'a> Unopened<'a> {
    pub fn new(path: &'a Path, device: &'a Device) -> Self {
        Self { path, device, opened: OnceCell::new() }
    }

    /// # Errors
    /// Those of [`Weights::open`].
    pub fn weights(&self) -> Result<&Weights, EncoderError> {
        match self.opened.get() {
            Some(weights) => Ok(weights),
            None => {
                let weights = Weights::open(self.path, self.device.clone())?;
                Ok(self.opened.get_or_init(|| weights))
            }
        }
    }
}

impl Weights {
    /// Opens `path` and checks that its header is sound and that every tensor it names lies within the file. A name
    /// that ends in `bin`, `pth` or `pt` is PyTorch's.
    ///
    /// # Errors
    /// `Unreadable`; `LegacyPickle`; `Damaged` for a file that is neither form or was cut off.
    pub fn open(path: &Path, device: Device) -> Result<Self, EncoderError> {
        let unreadable = |source| EncoderError::Unreadable { file: path.to_owned(), source };
        let damaged = |why: String| EncoderError::Damaged { file: path.to_owned(), why };
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size < 8 {
            return Err(damaged(format!("it has only {size} bytes")));
        }
        let mut head = [0; 8];
        file.read_exact(&mut head).map_err(unreadable)?;
        let tensors = if is_pytorch(path) {
            pytorch::index(&file, size, head).map_err(|refused| match refused {
                Refused::Legacy => EncoderError::LegacyPickle { file: path.to_owned() },
                Refused::Damaged(why) => damaged(why),
            })?
        } else {
            safetensors(&mut file, size, head).map_err(|e| e.map_or_else(damaged, unreadable))?
        };
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), tensors, device })
    }

    pub fn has(&self, tensor: &str) -> bool {
        self.tensors.contains_key(tensor)
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

    fn info(&self, tensor: &str) -> Result<&Stored, EncoderError> {
        let missing = || EncoderError::MissingTensor { file: self.path.clone(), tensor: tensor.to_owned() };
        self.tensors.get(tensor).ok_or_else(missing)
    }

    /// All values, row-major, as f32. I8 is decoded with the F32 `{tensor}_scale`, one per row of the first axis.
    fn values(&self, tensor: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        self.expect_shape(tensor, shape)?;
        let info = self.info(tensor)?;
        if !info.plain {
            return Err(self.wrong_type(tensor, "a transposed view"));
        }
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
            other => Err(self.wrong_type(tensor, &format!("{other:?}"))),
        }
    }

    fn scales(&self, tensor: &str, rows: usize) -> Result<Vec<f32>, EncoderError> {
        match self.info(tensor)?.dtype {
            Dtype::F32 => self.values(tensor, &[rows]),
            other => Err(self.wrong_type(tensor, &format!("{other:?}"))),
        }
    }

    fn wrong_type(&self, tensor: &str, got: &str) -> EncoderError {
        EncoderError::WrongType { file: self.path.clone(), tensor: tensor.to_owned(), got: got.to_owned() }
    }

    fn bytes(&self, info: &Stored) -> Result<Vec<u8>, EncoderError> {
        // Bounded by the file's length, which was checked against the header.
        let mut bytes = vec![0; (info.to - info.from) as usize];
        let mut file = self.file.lock().expect("no reader panics");
        file.seek(SeekFrom::Start(info.from))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| EncoderError::Unreadable { file: self.path.clone(), source })?;
        Ok(bytes)
    }
}

/// Whether a file of that name is PyTorch's.
pub fn is_pytorch(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "bin" || end == "pth" || end == "pt")
}

/// `Err(Ok)`: it cannot be read; `Err(Err)`: what is wrong with it.
fn safetensors(
    file: &mut File,
    size: u64,
    head: [u8; 8],
) -> Result<BTreeMap<String, Stored>, Result<std::io::Error, String>> {
    let length = u64::from_le_bytes(head);
    if length > MAX_HEADER || length > size - 8 {
        return Err(Err(format!("its header would have {length} bytes, the file has {size}")));
    }
    let mut json = vec![0; length as usize];
    file.read_exact(&mut json).map_err(Ok)?;
    let header: Metadata = serde_json::from_slice(&json).map_err(|e| Err(format!("its header: {e}")))?;
    let start = 8 + length;
    let want = start.saturating_add(header.data_len() as u64);
    if want != size {
        return Err(Err(format!("it should have {want} bytes and has {size}")));
    }
    let stored = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (from, to) = (start + info.data_offsets.0 as u64, start + info.data_offsets.1 as u64);
        (name, Stored { dtype: info.dtype, shape: info.shape.clone(), from, to, plain: true })
    };
    Ok(header.tensors().into_iter().map(stored).collect())
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
