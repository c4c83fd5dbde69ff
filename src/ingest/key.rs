//! Keys of what comes in: a prefix before them, an uploaded folder's name off them. A path's text is the store's matter.

use super::IngestError;
use crate::types::ItemKey;

/// A prefix that was typed: relative, without empty parts, `.` and `..`.
pub fn check_prefix(prefix: &str) -> Result<String, IngestError> {
    let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
    let bad = trimmed.split('/').any(|part| matches!(part, "" | "." | "..")) || trimmed.contains('\0');
    if bad { Err(IngestError::Prefix { prefix: prefix.to_owned() }) } else { Ok(trimmed.to_owned()) }
}

/// A key with its root's prefix before it.
pub fn with_prefix(prefix: Option<&str>, key: &str) -> Result<ItemKey, IngestError> {
    let key = match prefix {
        Some(prefix) => format!("{prefix}/{key}"),
        None => key.to_owned(),
    };
    Ok(key.try_into()?)
}

/// The key of an uploaded file: its relative path without the picked folder's name, which comes first.
pub fn key_of_upload(relative: &str) -> Result<String, IngestError> {
    let bad = || IngestError::Path { path: relative.to_owned() };
    let parts: Vec<&str> = relative.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..") || part.contains('\0')) {
        return Err(bad());
    }
    match parts.as_slice() {
        [name] => Ok((*name).to_owned()),
        [_folder, rest @ ..] => Ok(rest.join("/")),
        [] => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_leave_the_picked_folder_out() {
        assert_eq!(key_of_upload("trucks/red/a.jpg").unwrap(), "red/a.jpg");
        assert_eq!(key_of_upload("a.jpg").unwrap(), "a.jpg");
        for bad in ["", "/etc/passwd", "a/../b.jpg", "a//b.jpg", "./a.jpg", ".."] {
            assert!(key_of_upload(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_stays_inside() {
        assert_eq!(check_prefix("2024/").unwrap(), "2024");
        for bad in ["", "/", "/x", "..", "a/../b", "a//b"] {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
    }
}
