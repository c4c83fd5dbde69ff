//! PyTorch's zip form of weights: where in the file each tensor lies. Nothing in it is run: candle's unpickler makes
//! plain objects, one step at a time and within bounds, and only objects that rebuild a tensor are understood.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};

use candle_core::pickle::{Object, Stack};
use safetensors::Dtype;
use zip::{CompressionMethod, ZipArchive};

use super::stored::Stored;

/// Of a state dict of a thousand tensors it has some 300 KB.
const MAX_PICKLE: u64 = 16 << 20;
/// Objects looked at while reading it: what is nested or repeated without end stops here. A thousand tensors need a
/// million.
const MAX_OBJECTS: usize = 8_000_000;
/// Of objects within objects; a tensor has five.
const MAX_DEPTH: usize = 40;

/// Why a file gives no tensors.
pub enum Refused {
    /// PyTorch's form from before 1.6, which is one pickle.
    Legacy,
    Damaged(String),
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

/// A tensor as the pickle tells of it.
struct View {
    storage: String,
    dtype: Dtype,
    /// Elements before its first.
    offset: u64,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// The tensors of a state dict: bare, or within a checkpoint under `state_dict`; without DataParallel's `module.`.
pub fn index(file: &File, size: u64, head: [u8; 8]) -> Result<BTreeMap<String, Stored>, Refused> {
    if !head.starts_with(b"PK") {
        // A pickle of protocol 2 or later, or a tar from before that.
        let pickle = head[0] == 0x80 && (2..=5).contains(&head[1]);
        return Err(if pickle { Refused::Legacy } else { "it is no zip".to_owned().into() });
    }
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let mut zip = Archive { zip, size };
    let folder = zip.folder()?;
    if zip.text(&format!("{folder}byteorder"))?.is_some_and(|order| order != b"little") {
        return Err("its numbers are big-endian; save it again on another machine".to_owned().into());
    }
    let pickle = zip.text(&format!("{folder}data.pkl"))?.unwrap_or_default();
    let views = views(state(unpickle(&pickle)?)?);
    if views.is_empty() {
        return Err("it holds no tensors; save the model's state_dict()".to_owned().into());
    }
    let parallel = views.iter().all(|(name, _)| name.starts_with("module."));
    let mut tensors = BTreeMap::new();
    for (name, view) in views {
        let name = if parallel { name["module.".len()..].to_owned() } else { name };
        let stored = zip.place(&folder, view).map_err(|why| format!("tensor {name}: {why}"))?;
        tensors.insert(name, stored);
    }
    Ok(tensors)
}

struct Archive<'a> {
    zip: ZipArchive<BufReader<&'a File>>,
    size: u64,
}

impl Archive<'_> {
    /// What stands before `data.pkl`, with its slash.
    fn folder(&self) -> Result<String, String> {
        let names: Vec<String> = self
            .zip
            .file_names()
            .map(|n| n.map(|n| n.into_owned()))
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        if names.iter().any(|name| name.ends_with("/constants.pkl")) {
            return Err("it is a TorchScript program; save the model's state_dict()".to_owned());
        }
        let mut folders = names.iter().filter_map(|name| name.strip_suffix("data.pkl"));
        match (folders.next(), folders.next()) {
            (Some(folder), None) if folder.is_empty() || folder.ends_with('/') => Ok(folder.to_owned()),
            _ => Err("it holds no data.pkl, or several".to_owned()),
        }
    }

    /// A small file's bytes; `None` if it is not there.
    fn text(&mut self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let entry = match self.zip.by_name(name) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(e) => return Err(format!("{name}: {e}")),
        };
        let mut bytes = Vec::new();
        entry.take(MAX_PICKLE + 1).read_to_end(&mut bytes).map_err(|e| format!("{name}: {e}"))?;
        if bytes.len() as u64 > MAX_PICKLE {
            return Err(format!("{name} has more than {} MiB", MAX_PICKLE >> 20));
        }
        Ok(Some(bytes))
    }

    /// Where the tensor's bytes lie, within the file and within their own storage.
    fn place(&mut self, folder: &str, view: View) -> Result<Stored, String> {
        let name = format!("{folder}data/{}", view.storage);
        let entry = self.zip.by_name(&name).map_err(|e| format!("{name}: {e}"))?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(format!("{name} is compressed; save it again with torch.save"));
        }
        let outside = || format!("{name} is shorter than the tensor");
        let width = (view.dtype.bitsize() / 8) as u64;
        let count =
            view.shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side as u64)).ok_or_else(outside)?;
        let bytes = count.checked_mul(width).ok_or_else(outside)?;
        let before = view.offset.checked_mul(width).ok_or_else(outside)?;
        if before.checked_add(bytes).is_none_or(|end| end > entry.size()) {
            return Err(outside());
        }
        let from = entry.data_start().and_then(|start| start.checked_add(before)).ok_or_else(outside)?;
        let to = from.checked_add(bytes).filter(|&end| end <= self.size).ok_or_else(outside)?;
        let plain = contiguous(&view.shape, &view.strides);
        Ok(Stored { dtype: view.dtype, shape: view.shape, from, to, plain })
    }
}

fn contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut want = 1usize;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(&side, &stride)| {
            let fits = side <= 1 || stride == want;
            want = want.saturating_mul(side);
            fits
        })
}

/// Runs candle's unpickler step by step; each step's object is measured, so that no pickle of a few bytes grows
/// without end, or nests so deep that its objects cannot be dropped.
fn unpickle(bytes: &[u8]) -> Result<Object, String> {
    let (mut rest, mut stack, mut left) = (bytes, Stack::empty(), MAX_OBJECTS);
    loop {
        guard(rest)?;
        // candle may add a backtrace.
        let plain = |e: candle_core::Error| e.to_string().lines().next().unwrap_or_default().to_owned();
        if stack.read(&mut rest).map_err(plain)? {
            return stack.finalize().map_err(plain);
        }
        if let Some(top) = stack.stack().last() {
            measure(top, MAX_DEPTH, &mut left)?;
        }
    }
}

/// Steps that would allocate what the file does not hold, or shift numbers out of their type.
fn guard(rest: &[u8]) -> Result<(), String> {
    match rest {
        [b'X', a, b, c, d, text @ ..] if u32::from_le_bytes([*a, *b, *c, *d]) as usize > text.len() => {
            Err("a text is cut off".to_owned())
        }
        [0x8a, bytes, ..] if *bytes > 8 => Err("a number has more than 64 bits".to_owned()),
        _ => Ok(()),
    }
}

fn measure(object: &Object, depth: usize, left: &mut usize) -> Result<(), String> {
    let size = if let Object::Unicode(text) = object { 1 + text.len() / 64 } else { 1 };
    *left = left.checked_sub(size).ok_or("it has too many objects")?;
    let depth = depth.checked_sub(1).ok_or("its objects nest too deep")?;
    match object {
        Object::Tuple(all) | Object::List(all) => all.iter().try_for_each(|o| measure(o, depth, left)),
        Object::Dict(all) => all.iter().try_for_each(|(key, value)| {
            measure(key, depth, left)?;
            measure(value, depth, left)
        }),
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            measure(callable, depth, left)?;
            measure(args, depth, left)
        }
        Object::PersistentLoad(inner) => measure(inner, depth, left),
        _ => Ok(()),
    }
}

/// The state dict itself.
fn state(object: Object) -> Result<Vec<(Object, Object)>, String> {
    const WITHIN: [&str; 4] = ["state_dict", "model_state_dict", "model", "teacher"];
    let Object::Dict(mut entries) = object else {
        return Err("it holds a Python object, not a state dict; save the model's state_dict()".to_owned());
    };
    if entries.iter().any(|(_, value)| view(value).is_some()) {
        return Ok(entries);
    }
    let inner = entries.iter().position(|(key, value)| {
        matches!((key, value), (Object::Unicode(key), Object::Dict(_)) if WITHIN.contains(&key.as_str()))
    });
    match inner.map(|i| entries.swap_remove(i).1) {
        Some(Object::Dict(inner)) => Ok(inner),
        _ => Ok(entries),
    }
}

fn views(entries: Vec<(Object, Object)>) -> Vec<(String, View)> {
    let named = |(key, value): (Object, Object)| match key {
        Object::Unicode(name) => view(&value).map(|view| (name, view)),
        _ => None,
    };
    entries.into_iter().filter_map(named).collect()
}

/// What one of PyTorch's three ways to rebuild a tensor tells; `None` for anything else.
fn view(object: &Object) -> Option<View> {
    let Object::Reduce { callable, args } = object else { return None };
    let (Object::Class { module_name, class_name }, Object::Tuple(args)) = (&**callable, &**args) else {
        return None;
    };
    match (module_name.as_str(), class_name.as_str(), args.as_slice()) {
        ("torch._utils", "_rebuild_parameter", [tensor, ..]) => view(tensor),
        ("torch._utils", "_rebuild_tensor_v2", [storage, offset, shape, strides, ..]) => {
            let Object::PersistentLoad(id) = storage else { return None };
            let Object::Tuple(id) = &**id else { return None };
            let [_, Object::Class { class_name, .. }, Object::Unicode(storage), ..] = id.as_slice() else {
                return None;
            };
            Some(View {
                storage: storage.clone(),
                dtype: dtype(class_name)?,
                offset: number(offset)? as u64,
                shape: numbers(shape)?,
                strides: numbers(strides)?,
            })
        }
        _ => None,
    }
}

fn numbers(object: &Object) -> Option<Vec<usize>> {
    let Object::Tuple(all) = object else { return None };
    all.iter().map(number).collect()
}

fn number(object: &Object) -> Option<usize> {
    match object {
        Object::Int(n) => usize::try_from(*n).ok(),
        Object::Long(n) => usize::try_from(*n).ok(),
        _ => None,
    }
}

fn dtype(storage: &str) -> Option<Dtype> {
    Some(match storage {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use candle_core::Device;

    use super::*;
    use crate::encoder::weights::Weights;
    use crate::types::Coded;

    fn why(pickle: &[u8]) -> String {
        unpickle(pickle).err().unwrap_or_default()
    }

    #[test]
    fn pickles_that_would_grow_without_end_are_refused() {
        let nested = [vec![0x80, 2, b')'], vec![0x85; 1_000_000], vec![b'.']].concat();
        assert!(why(&nested).contains("deep"), "{}", why(&nested));
        // Each step doubles what the one before made: 30 of them would be a thousand million objects.
        let mut doubled = vec![0x80, 2, b')', b'q', 0];
        for i in 0..30 {
            doubled.extend([b'h', i, b'h', i, 0x86, b'q', i + 1]);
        }
        assert!(why(&doubled).contains("too many"), "{}", why(&doubled));
        assert!(why(b"\x80\x02X\xff\xff\xff\xffabc").contains("cut off"));
        assert!(why(b"\x80\x02\x8a\x10aaaaaaaaaaaaaaaa.").contains("64 bits"));
        for junk in
            [&b""[..], b"\x80", b"\x80\x02u.", b"\x80\x02(}s.", b"\x80\x02R.", b"\x80\x02\x87.", b"\xff"]
        {
            assert!(unpickle(junk).is_err(), "{junk:?}");
        }
    }

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(name)
    }

    #[test]
    fn a_state_dict_has_the_numbers_of_its_safetensors() {
        let open = |path: PathBuf| Weights::open(&path, Device::Cpu).unwrap();
        let want = open(folder("resnet_basic/model.safetensors"));
        for file in ["plain.pth", "checkpoint.pth"] {
            let got = open(folder("torchvision").join(file));
            for (tensor, shape) in [
                ("conv1.weight", &[8, 3, 7, 7][..]),
                ("layer4.0.conv2.weight", &[64, 64, 3, 3]),
                ("bn1.running_var", &[8]),
            ] {
                let [a, b] = [&got, &want].map(|weights| weights.root("").values(tensor, shape).unwrap());
                assert_eq!(a, b, "{file}: {tensor}");
            }
        }
        let strided = open(folder("torchvision/strided.pth"));
        let e = strided.root("").values("conv1.weight", &[8, 3, 7, 7]).err().unwrap();
        assert!(e.code() == "model.tensor_type" && e.to_string().contains("transposed"), "{e}");
    }

    #[test]
    fn files_of_other_forms_are_refused_with_what_to_do() {
        for (file, code, says) in [
            ("old.pth", "model.legacy_pickle", "torch.save(torch.load("),
            ("module.pth", "model.damaged", "state_dict()"),
        ] {
            let e = Weights::open(&folder("torchvision").join(file), Device::Cpu).err().unwrap();
            assert!(e.code() == code && e.to_string().contains(says), "{file}: {e}");
        }
    }

    #[test]
    fn a_harmed_file_is_an_error() {
        let whole = std::fs::read(folder("torchvision/plain.pth")).unwrap();
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("harmed.pth");
        let open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Weights::open(&path, Device::Cpu)
        };
        for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
            assert_eq!(open(&whole[..length]).err().unwrap().code(), "model.damaged", "{length} bytes");
        }
        // The pickle lies in front, the directory at the end; between them are numbers.
        let places = (0..8000).step_by(41).chain((8000..whole.len()).step_by(3001));
        let places = places.chain((whole.len() - 9000..whole.len()).step_by(61));
        for (i, at) in places.enumerate() {
            let mut bytes = whole.clone();
            bytes[at] ^= [0x01, 0x40, 0xff][i % 3];
            if let Ok(weights) = open(&bytes) {
                let _ = weights.root("").values("conv1.weight", &[8, 3, 7, 7]);
            }
        }
    }

    #[test]
    fn a_tensor_must_lie_in_rows() {
        assert!(contiguous(&[2, 3, 4], &[12, 4, 1]) && contiguous(&[], &[]));
        assert!(contiguous(&[2, 1, 4], &[4, 99, 1]), "the stride of a side of 1 is never used");
        assert!(!contiguous(&[2, 3], &[1, 2]) && !contiguous(&[2, 3], &[3]));
    }
}
