//! Bytes of any picture format become one upright 8-bit RGB picture.

use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::LimitErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

#[cfg(feature = "heic")]
use super::heic;
use super::sniff::foreign;
use super::{Format, Limits, PhotoError, header, jpeg, tiff};

/// A decoded picture: upright as EXIF says, alpha laid on white, 8-bit RGB.
#[derive(Debug, Clone)]
pub struct Photo {
    pub pixels: RgbImage,
    pub format: Format,
}

/// Reads a picture, by its content and never by its name; of an animation, the first frame.
///
/// # Errors
/// Every refusal is an error of the item, never a panic; sizes beyond `limits` are refused from the header.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Photo, PhotoError> {
    limits.check_bytes(bytes.len() as u64)?;
    let format = format_of(bytes)?;
    // Decoders are not ours: one that panics on a hostile file must not take the process along.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        #[cfg(feature = "heic")]
        Format::Heic => heic::decode(bytes, limits).map(|pixels| (pixels, Orientation::NoTransforms)),
        _ => decode_other(bytes, format, limits),
    }));
    let (pixels, orientation) =
        decoded.unwrap_or_else(|_| Err(PhotoError::Damaged { what: "its decoder gave up".to_owned() }))?;
    Ok(Photo { pixels: upright(pixels, orientation), format })
}

fn format_of(bytes: &[u8]) -> Result<Format, PhotoError> {
    if bytes.is_empty() {
        return Err(PhotoError::Empty);
    }
    if let Some(format) = Format::of(bytes) {
        return Ok(format);
    }
    if let Some((class, what)) = foreign(bytes) {
        let cure = class.cure().unwrap_or("save it as JPEG");
        return Err(PhotoError::Unsupported { what: what.to_owned(), cure });
    }
    let what = match bytes.iter().take(512).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        true => "it is text",
        false => "its first bytes are of no format known here",
    };
    Err(PhotoError::NotAPicture { what: what.to_owned() })
}

fn decode_other(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
) -> Result<(RgbImage, Orientation), PhotoError> {
    let fault = |e| fault_of(e, format);
    header::check(bytes, format, limits)?;
    let palette = if format == Format::Tiff { tiff::as_grey(bytes) } else { None };
    let bytes = palette.as_deref().unwrap_or(bytes);
    let Some(kind) = image_format(format) else {
        return Err(PhotoError::Unsupported { what: format!("a {format} picture"), cure: "save it as JPEG" });
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    reader.limits(allowed(limits.allowance(0, 0)));
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    decoder.set_limits(allowed(limits.allowance(width, height))).map_err(fault)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    if palette.is_some() {
        return Ok((with_palette(bytes, limits.allowance(width, height))?, orientation));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(fault)?;
    Ok((on_white(picture), orientation))
}

fn with_palette(grey: &[u8], allowed: u64) -> Result<RgbImage, PhotoError> {
    let picture = tiff::decode(grey, allowed).map_err(|e| match ends_early(&e) {
        true => PhotoError::Truncated { format: Format::Tiff },
        false => PhotoError::Damaged { what: e.to_string() },
    })?;
    picture.ok_or_else(|| PhotoError::Unsupported {
        what: "a TIFF whose palette has not 256 colours".to_owned(),
        cure: "open it in an image program and save it as PNG",
    })
}

fn allowed(bytes: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// `None`: image itself does not read it.
fn image_format(format: Format) -> Option<ImageFormat> {
    Some(match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
        Format::Heic => return None,
    })
}

fn fault_of(error: ImageError, format: Format) -> PhotoError {
    match error {
        ImageError::Unsupported(e) => PhotoError::Unsupported {
            what: format!("this kind of {format} ({e})"),
            cure: "open it in an image program and save it as JPEG or PNG",
        },
        ImageError::Limits(e) => {
            let what = match e.kind() {
                LimitErrorKind::InsufficientMemory => "it asks for more memory than its size allows",
                _ => "its header claims more than it may",
            };
            PhotoError::Damaged { what: what.to_owned() }
        }
        other if ends_early(&other) => PhotoError::Truncated { format },
        other => PhotoError::Damaged { what: other.to_string() },
    }
}

/// Whether the decoder ran out of bytes; each wraps that in errors of its own.
fn ends_early(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = cause {
        if e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = e.source();
    }
    // The PNG decoder has a variant of its own for it, which does not get through.
    let said = error.to_string().to_ascii_lowercase();
    said.contains("end of file") || said.contains("unexpectedeof") || said.contains("fill whole buffer")
}

/// Grey, palette and 16-bit become 8-bit RGB; what is transparent shows white.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    let mut out = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in out.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, a] = from.0.map(u32::from);
        to.0 = [r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8);
    }
    out
}

fn upright(pixels: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return pixels;
    }
    let mut picture = DynamicImage::ImageRgb8(pixels);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}
