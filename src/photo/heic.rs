//! HEIC and HEIF by Debian's libheif (feature `heic`): what iPhones and many cameras write. Knows only bytes and limits.

use image::RgbImage;
use libheif_rs::{
    ColorSpace, HeifContext, HeifError, HeifErrorCode, HeifErrorSubCode, ImageHandle, RgbChroma,
};

use super::{Format, Limits, PhotoError};

/// Reads the primary picture of a file, upright: the file's own turning (irot, imir) is applied, and the turning in its
/// EXIF, which tells the same once more, is not.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, PhotoError> {
    // It points into `bytes`, which outlive it.
    let context = HeifContext::read_from_bytes(bytes).map_err(fault)?;
    let handle = context.primary_image_handle().map_err(fault)?;
    check_size(&handle, limits)?;
    let (chroma, channels) = match handle.has_alpha_channel() {
        true => (RgbChroma::Rgba, 4),
        false => (RgbChroma::Rgb, 3),
    };
    // No decoding options: libheif-rs 0.18 frees them before they are used. Deeper colours come out in 8 bits without.
    let picture = handle.decode(ColorSpace::Rgb(chroma), None).map_err(fault)?;
    let plane = picture.planes().interleaved.ok_or_else(|| damaged("its decoder gave no pixels"))?;
    // What was decoded is what counts, whatever the header said.
    limits.check_size(plane.width, plane.height)?;
    let (width, height) = (plane.width as usize, plane.height as usize);
    let mut out = Vec::with_capacity(width * height * 3);
    for line in plane.data.chunks(plane.stride.max(1)).take(height) {
        let line = line.get(..width * channels).ok_or_else(|| damaged("its decoder gave too few pixels"))?;
        match channels {
            4 => out.extend(line.chunks_exact(4).flat_map(on_white)),
            _ => out.extend_from_slice(line),
        }
    }
    RgbImage::from_raw(plane.width, plane.height, out)
        .ok_or_else(|| damaged("its decoder gave too few pixels"))
}

/// Judges the size that the header claims, as stored and as shown, before anything is decoded.
fn check_size(handle: &ImageHandle, limits: &Limits) -> Result<(), PhotoError> {
    limits.check_size(handle.width(), handle.height())?;
    match (u32::try_from(handle.ispe_width()), u32::try_from(handle.ispe_height())) {
        (Ok(width), Ok(height)) => limits.check_size(width, height),
        _ => Err(damaged("its header claims a size below zero")),
    }
}

fn on_white(pixel: &[u8]) -> [u8; 3] {
    let alpha = u32::from(pixel[3]);
    let over = |channel: u8| ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
    [over(pixel[0]), over(pixel[1]), over(pixel[2])]
}

fn damaged(what: &str) -> PhotoError {
    PhotoError::Damaged { what: what.trim().to_owned() }
}

fn fault(error: HeifError) -> PhotoError {
    match (error.code, error.sub_code) {
        (_, HeifErrorSubCode::EndOfData | HeifErrorSubCode::NoMetaBox) => {
            PhotoError::Truncated { format: Format::Heic }
        }
        (HeifErrorCode::UnsupportedFeature | HeifErrorCode::UnsupportedFileType, _) => {
            PhotoError::Unsupported {
                what: format!("this kind of HEIC ({})", error.message.trim()),
                cure: "open it in an image program and save it as JPEG",
            }
        }
        _ => damaged(&error.message),
    }
}
