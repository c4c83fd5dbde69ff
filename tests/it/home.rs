//! A data folder, small encoders and the real program, for tests that use simile as a person does.

use std::ffi::OsStr;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::{ImageFormat, Rgb, RgbImage};
use safetensors::tensor::TensorView;
use serde_json::Value;

/// Small seeded encoders: [`TEXT_ENCODER`] and [`PHOTO_ENCODER`], made once for all tests.
pub fn models() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    if !folder.exists() {
        let new = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
        std::os::unix::fs::symlink(bert, new.path().join(TEXT_ENCODER)).unwrap();
        seeded_resnet(&new.path().join(PHOTO_ENCODER));
        // Another test may have been faster; then its folder is the one.
        let _ = std::fs::rename(new.path(), &folder);
    }
    folder
}

pub const PHOTO_ENCODER: &str = "seeded-resnet";
pub const TEXT_ENCODER: &str = "bert";

/// A ResNet-18 in timm's form with weights from a seed: it knows nothing, but one photo is always one vector.
fn seeded_resnet(folder: &Path) {
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: String, shape: &[usize]| tensors.push((name, shape.to_vec()));
    let norm = |add: &mut dyn FnMut(String, &[usize]), name: &str, width: usize| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            add(format!("{name}.{part}"), &[width]);
        }
    };
    add("conv1.weight".to_owned(), &[64, 3, 7, 7]);
    norm(&mut add, "bn1", 64);
    let mut before = 64;
    for (i, width) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..2 {
            let at = format!("layer{}.{block}", i + 1);
            add(format!("{at}.conv1.weight"), &[width, before, 3, 3]);
            norm(&mut add, &format!("{at}.bn1"), width);
            add(format!("{at}.conv2.weight"), &[width, width, 3, 3]);
            norm(&mut add, &format!("{at}.bn2"), width);
            if before != width {
                add(format!("{at}.downsample.0.weight"), &[width, before, 1, 1]);
                norm(&mut add, &format!("{at}.downsample.1"), width);
            }
            before = width;
        }
    }
    let mut state = 1u64;
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape)| {
            let bytes = values(&name, &shape, &mut state).iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::create_dir(folder).unwrap();
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"architecture": "resnet18"}"#).unwrap();
}

/// Batch norms that change nothing; convolutions that keep the size of what passes through.
fn values(name: &str, shape: &[usize], state: &mut u64) -> Vec<f32> {
    let count = shape.iter().product();
    match name.rsplit('.').next() {
        Some("bias" | "running_mean") => return vec![0.0; count],
        Some("running_var") => return vec![1.0; count],
        _ if shape.len() == 1 => return vec![1.0; count],
        _ => {}
    }
    let fan_in: usize = shape[1..].iter().product();
    let bound = (6.0 / fan_in as f32).sqrt();
    (0..count)
        .map(|_| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((*state >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0) * bound
        })
        .collect()
}

/// An empty home folder.
pub struct Home {
    folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The last line of standard output, as JSON.
    pub fn json(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_else(|| panic!("no output: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The program with nothing of this machine's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_simile"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("SIMILE_DATA", self.data())
            .env("SIMILE_MODELS", models())
            .env("HF_HUB_OFFLINE", "1")
            .env("OMP_NUM_THREADS", "1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        let output = self.command().args(args).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Puts a file, and the folders above it.
    pub fn put(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `count` different photos in `folder`, named `0.jpg`, `1.jpg`, ...
    pub fn photos(&self, folder: &str, count: u32) -> PathBuf {
        for i in 0..count {
            self.put(format!("{folder}/{i}.jpg"), &photo(i, ImageFormat::Jpeg));
        }
        self.path(folder)
    }
}

/// A picture that differs from those of other seeds: blocks of colour at places that the seed tells.
pub fn photo(seed: u32, format: ImageFormat) -> Vec<u8> {
    let mut picture = RgbImage::from_pixel(96, 72, Rgb([240, 235, 225]));
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    for _ in 0..6 {
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let (x, y, side) = (next(70), next(50), 12 + next(30));
        let colour = Rgb([next(256) as u8, next(256) as u8, next(256) as u8]);
        for dx in 0..side.min(96 - x) {
            for dy in 0..side.min(72 - y) {
                picture.put_pixel(x + dx, y + dy, colour);
            }
        }
    }
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

pub const FAQ: &str = "\
id,question,answer,tags,wordings
hours,When are you open?,Nine to five on weekdays.,shop,Opening hours?
refund,How do I get my money back?,Send it back within 30 days.,money,\"I want a refund
Can I return this?\"
track,Where is my parcel?,See the link in your mail.,post,
";
