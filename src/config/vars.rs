//! One variable of the environment, read as what it should be.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;

use super::ConfigError;

pub(super) type Vars<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A variable that is set and not empty.
pub(super) fn text(var: Vars<'_>, name: &str) -> Option<String> {
    var(name).map(|v| v.to_string_lossy().trim().to_owned()).filter(|v| !v.is_empty())
}

pub(super) fn path(var: Vars<'_>, name: &str) -> Option<PathBuf> {
    var(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The XDG rules ignore relative paths.
pub(super) fn absolute(var: Vars<'_>, name: &str) -> Option<PathBuf> {
    path(var, name).filter(|p| p.is_absolute())
}

/// A number above 0: the variable's, else the file's.
pub(super) fn number(
    var: Vars<'_>,
    name: &'static str,
    file: Option<NonZeroU64>,
) -> Result<Option<u64>, ConfigError> {
    let Some(value) = text(var, name) else { return Ok(file.map(NonZeroU64::get)) };
    match value.parse::<u64>() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => Err(ConfigError::Value { name, value, want: "whole number above 0" }),
    }
}
