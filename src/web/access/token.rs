//! The token's file: small, of this user alone, and long enough to be no guess.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::files;
use crate::types::{Coded, Fault, Secret};

/// Fewest characters of a token.
const SHORTEST: usize = 16;
const LARGEST: u64 = 4096;

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{}: the token cannot be read ({source}); check the path", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: other users can read or change the token; run: chmod 600 {}", .path.display(), .path.display())]
    Shared { path: PathBuf },
    #[error(
        "{}: the token is empty or has fewer than {SHORTEST} characters; make one: openssl rand -hex 32 > {}",
        .path.display(), .path.display()
    )]
    Short { path: PathBuf },
    #[error("{}: the token has spaces or other characters than letters, digits and signs; write it on one line", .path.display())]
    Odd { path: PathBuf },
}

impl Coded for TokenError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "token.unreadable",
            Self::Shared { .. } => "token.shared",
            Self::Short { .. } => "token.short",
            Self::Odd { .. } => "token.character",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
}

/// Reads a token, without what surrounds it.
///
/// # Errors
/// What is wrong with the file, with what to do.
pub fn read(path: &Path) -> Result<Secret, TokenError> {
    let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
    let mode = files::open(path).map_err(unreadable)?.1.permissions().mode();
    // A group may read it: services are handed their secrets so.
    if mode & 0o027 != 0 {
        return Err(TokenError::Shared { path: path.to_owned() });
    }
    let bytes = files::read(path, LARGEST).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| TokenError::Odd { path: path.to_owned() })?;
    let token = text.trim();
    if token.chars().count() < SHORTEST {
        return Err(TokenError::Short { path: path.to_owned() });
    }
    // It has to fit into a header and into a form's one line.
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TokenError::Odd { path: path.to_owned() });
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_token_is_long_and_nobody_else_s() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let code = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            read(&path).map_or_else(|e| e.code(), |_| "ok")
        };
        let good = "0123456789abcdef";
        assert_eq!(code(&format!(" {good}\r\n"), 0o600), "ok");
        assert!(read(&path).unwrap().matches(good));
        assert_eq!(code(good, 0o440), "ok");
        for mode in [0o644, 0o604, 0o660, 0o602] {
            assert_eq!(code(good, mode), "token.shared", "{mode:o}");
        }
        for short in ["", "\n \n", "0123456789abcde"] {
            assert_eq!(code(short, 0o600), "token.short", "{short:?}");
        }
        assert_eq!(code("two words are too odd", 0o600), "token.character");
        assert_eq!(code(&good.repeat(1000), 0o600), "token.unreadable");
        assert_eq!(read(Path::new("/nowhere")).unwrap_err().code(), "token.unreadable");
        assert_eq!(read(folder.path()).unwrap_err().code(), "token.unreadable");
    }
}
