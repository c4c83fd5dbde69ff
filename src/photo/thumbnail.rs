//! Small JPEGs for pages: encoded anew, so nothing of the original file but its pixels gets out.

use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder};

use super::preprocess::scale;

const THUMBNAIL_QUALITY: u8 = 80;
const DISPLAY_QUALITY: u8 = 85;

/// A JPEG whose longer side is at most `max_side`; a smaller picture keeps its size. No metadata.
pub fn thumbnail(picture: &RgbImage, max_side: u32) -> Vec<u8> {
    encode(&fit(picture, max_side), THUMBNAIL_QUALITY)
}

/// The same for a page that shows one picture large; 1600 is a good `max_side`.
pub fn display(picture: &RgbImage, max_side: u32) -> Vec<u8> {
    encode(&fit(picture, max_side), DISPLAY_QUALITY)
}

fn fit(picture: &RgbImage, max_side: u32) -> std::borrow::Cow<'_, RgbImage> {
    let (width, height) = picture.dimensions();
    let long = width.max(height);
    if long <= max_side {
        return std::borrow::Cow::Borrowed(picture);
    }
    let side = |s: u32| {
        let scaled = (u64::from(s) * u64::from(max_side) + u64::from(long) / 2) / u64::from(long);
        u32::try_from(scaled).expect("at most max_side").max(1)
    };
    std::borrow::Cow::Owned(scale(picture, side(width), side(height)))
}

/// JPEG bytes at `quality` 1 to 100.
pub(super) fn encode(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let side = |s: u32| u16::try_from(s).expect("within the limits that a JPEG has too");
    let mut out = Vec::new();
    Encoder::new(&mut out, quality)
        .encode(picture.as_raw(), side(picture.width()), side(picture.height()), ColorType::Rgb)
        .expect("a picture has three bytes for each pixel, and memory takes all bytes");
    out
}
