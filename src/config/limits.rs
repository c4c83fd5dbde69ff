//! How much a server takes: settings of one photo, one request, and the disk.

use super::vars::number;
use super::{ConfigError, Vars, file};

/// How much one input may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// SIMILE_MAX_PHOTO_MB, in bytes.
    pub photo_bytes: u64,
    /// SIMILE_MAX_PHOTO_MPIXELS, in pixels.
    pub photo_pixels: u64,
    /// SIMILE_MAX_UPLOAD_MB: one request, in bytes.
    pub upload_bytes: u64,
    /// SIMILE_MIN_FREE_MB: what uploads leave free on the disk, in bytes.
    pub free_bytes: u64,
    /// SIMILE_MAX_DATA_MB: how large uploads may make the data folder, in bytes; `None` means as large as the disk allows.
    pub data_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            photo_bytes: 64 << 20,
            photo_pixels: 120_000_000,
            upload_bytes: 72 << 20,
            free_bytes: 256 << 20,
            data_bytes: None,
        }
    }
}

impl Limits {
    /// # Errors
    /// `Value` for a variable that is no number above 0.
    pub(super) fn from_vars(var: Vars<'_>, file: &file::Limits) -> Result<Self, ConfigError> {
        let default = Self::default();
        let mega = |name, file, unit: u64, default| {
            Ok(number(var, name, file)?.map_or(default, |n: u64| n.saturating_mul(unit)))
        };
        Ok(Self {
            photo_bytes: mega("SIMILE_MAX_PHOTO_MB", file.photo_mb, 1 << 20, default.photo_bytes)?,
            photo_pixels: mega(
                "SIMILE_MAX_PHOTO_MPIXELS",
                file.photo_mpixels,
                1_000_000,
                default.photo_pixels,
            )?,
            upload_bytes: mega("SIMILE_MAX_UPLOAD_MB", file.upload_mb, 1 << 20, default.upload_bytes)?,
            free_bytes: mega("SIMILE_MIN_FREE_MB", file.min_free_mb, 1 << 20, default.free_bytes)?,
            data_bytes: number(var, "SIMILE_MAX_DATA_MB", file.max_data_mb)?
                .map(|n| n.saturating_mul(1 << 20)),
        })
    }
}
