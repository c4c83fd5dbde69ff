//! A data folder, small encoders and the real program, for tests that use simile as a person does.

use std::ffi::OsStr;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

/// The small seeded encoders; `bert` reads texts, `tiny-resnet` photos.
pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders")
}

pub const PHOTO_ENCODER: &str = "resnet_basic";
pub const TEXT_ENCODER: &str = "bert";

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
