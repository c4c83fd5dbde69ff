//! What a header claims, where the decoder would refuse it without saying why.

use super::{Format, Limits, PhotoError};

/// Judges the size of a BMP or WebP, and whether all of a WebP is there. Other formats' decoders tell these things.
pub(super) fn check(bytes: &[u8], format: Format, limits: &Limits) -> Result<(), PhotoError> {
    let size = match format {
        Format::Bmp => bmp_size(bytes),
        Format::WebP => webp_size(bytes),
        _ => return Ok(()),
    };
    if let Some((width, height)) = size {
        limits.check_size(width, height)?;
    }
    let ends_early = match format {
        Format::WebP => u32_at(bytes, 4).is_none_or(|riff| u64::from(riff) + 8 > bytes.len() as u64 + 1),
        _ => size.is_none(),
    };
    if ends_early { Err(PhotoError::Truncated { format }) } else { Ok(()) }
}

fn bmp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.get(14) == Some(&12) {
        // OS/2's first header has sides of 16 bits.
        let sides = u32_at(bytes, 18)?;
        return Some((sides & 0xffff, sides >> 16));
    }
    // A negative height means rows from the top.
    Some((u32_at(bytes, 18)?.cast_signed().unsigned_abs(), u32_at(bytes, 22)?.cast_signed().unsigned_abs()))
}

/// The canvas of an extended WebP; a simple one has 14 bits for each side.
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let extended = bytes.get(12..16)? == b"VP8X";
    let side = |at: usize| Some((u32_at(bytes, at)? & 0x00ff_ffff) + 1);
    if extended { Some((side(24)?, u32_at(bytes, 26).map(|n| (n >> 8) + 1)?)) } else { None }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&b| u32::from_le_bytes(b))
}
