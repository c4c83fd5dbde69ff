//! How large a picture may be, asked before anything is allocated for it.

use super::PhotoError;

/// The largest picture that is read. A photo of 48 megapixels passes the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Width and height, each, in pixels.
    pub side: u32,
    /// Width times height.
    pub pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, side: 32_767, pixels: 120_000_000 }
    }
}

impl Limits {
    /// Judges the size of a file.
    pub fn check_bytes(&self, got: u64) -> Result<(), PhotoError> {
        match got > self.bytes {
            true => Err(PhotoError::TooManyBytes { got, max: self.bytes }),
            false => Ok(()),
        }
    }

    /// Judges the size that a header claims.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), PhotoError> {
        if width == 0 || height == 0 {
            return Err(PhotoError::Damaged { what: format!("it claims {width} x {height} pixels") });
        }
        if width.max(height) > self.side {
            return Err(PhotoError::SideTooLong { width, height, max: self.side });
        }
        if u64::from(width) * u64::from(height) > self.pixels {
            return Err(PhotoError::TooManyPixels { width, height, max: self.pixels });
        }
        Ok(())
    }

    /// What a decoder may allocate for a picture of this size: sixteen bytes for each pixel (four 32-bit channels
    /// are the widest that any format has), a second picture beside it, and room for tables and metadata.
    pub(super) fn allowance(&self, width: u32, height: u32) -> u64 {
        let pixels = u64::from(width) * u64::from(height);
        pixels.saturating_mul(32).saturating_add(self.bytes).saturating_add(16 << 20)
    }
}
