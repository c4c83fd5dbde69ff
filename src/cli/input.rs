//! What an argument is: a text, a photo, or a folder of photos.

use std::path::{Path, PathBuf};

use super::{CliError, exit, output};
use crate::files;
use crate::photo::{self, Class};

/// Decides what inputs are taken for; without one, an existing file is a photo.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct As {
    /// Take every input as text
    #[arg(long, conflicts_with = "photo")]
    pub text: bool,
    /// Take every input as the path of a photo
    #[arg(long)]
    pub photo: bool,
}

/// One input, told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Text(String),
    Photo(PathBuf),
    Folder(PathBuf),
}

impl Input {
    pub fn of(given: &std::ffi::OsStr, told: As) -> Result<Self, CliError> {
        let path = Path::new(given);
        if !told.text {
            if path.is_dir() {
                return Ok(Self::Folder(path.to_owned()));
            }
            if told.photo || path.exists() {
                return Ok(Self::Photo(path.to_owned()));
            }
        }
        match given.to_str() {
            Some(text) => {
                if !told.text && is_like_a_path(text) {
                    let text = output::one_line(text);
                    tell!(
                        "note: there is no file {text}, so it is taken as a text (--text says that it is one)"
                    );
                }
                Ok(Self::Text(text.to_owned()))
            }
            None => {
                let message =
                    format!("{given:?} is no file, and as a text it is not UTF-8; check its spelling");
                Err(CliError::new(exit::INPUT, "input.not_text", message))
            }
        }
    }
}

/// Whether somebody probably meant a file: it begins as a path does, or ends as a picture's name does.
fn is_like_a_path(text: &str) -> bool {
    let begins = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    begins || photo::classify(text, &[]) != Class::Other
}

/// The bytes of a photo file, refused before reading if it is no regular file or larger than the limit.
pub fn read_photo(path: &Path, limits: &photo::Limits) -> Result<Vec<u8>, CliError> {
    let fail = |e: std::io::Error| {
        let (exit, code) = match e.kind() {
            std::io::ErrorKind::NotFound => (exit::NOT_FOUND, "path.missing"),
            std::io::ErrorKind::InvalidInput => (exit::INPUT, "path.special"),
            _ => (exit::INPUT, "path.unreadable"),
        };
        CliError::new(exit, code, format!("{}: {e}; check the path", path.display()))
    };
    let meta = path.metadata().map_err(fail)?;
    if !meta.is_file() {
        let message = format!("{}: is no regular file; give a photo", path.display());
        return Err(CliError::new(exit::INPUT, "path.special", message));
    }
    limits.check_bytes(meta.len())?;
    files::read(path, limits.bytes).map_err(fail)
}
