//! JPEG: complete or not, then pixels. A decoder alone would paint what is missing grey and say nothing.

use image::RgbImage;
use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Format, Limits, PhotoError};

/// Encoders make about ten.
const MOST_SCANS: usize = 400;

/// Decodes to RGB, not yet upright; CMYK and YCCK are taken as Adobe writes them (inverted), as Pillow does.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<(RgbImage, Orientation), PhotoError> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_strict_mode(false);
    let (complete, scans) = segments(bytes);
    // Each scan of a progressive JPEG may go over the whole picture: a few bytes of file for much work.
    if scans > MOST_SCANS {
        let what = format!("it has {scans} scans, where at most {MOST_SCANS} make sense");
        return Err(PhotoError::Damaged { what });
    }
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| fault_of(e, complete))?;
    let (width, height) = decoder.dimensions().expect("headers were decoded");
    let (width, height) = (width as u32, height as u32); // at most u16::MAX each
    limits.check_size(width, height)?;
    if !complete {
        return Err(PhotoError::Truncated { format: Format::Jpeg });
    }
    let orientation =
        decoder.exif().and_then(|e| Orientation::from_exif_chunk(e)).unwrap_or(Orientation::NoTransforms);
    // Lenient headers, since cameras leave odd bytes between them; strict pixels, since a lenient decoder fills with grey.
    decoder.set_options(options.set_strict_mode(true));
    let mut pixels = RgbImage::new(width, height);
    decoder.decode_into(&mut pixels).map_err(|e| fault_of(e, complete))?;
    Ok((pixels, orientation))
}

fn fault_of(error: DecodeErrors, complete: bool) -> PhotoError {
    match error {
        DecodeErrors::Unsupported(what) => PhotoError::Unsupported {
            what: format!("this kind of JPEG ({what:?})"),
            cure: "open it in an image program and save it as an ordinary JPEG",
        },
        _ if !complete => PhotoError::Truncated { format: Format::Jpeg },
        other => PhotoError::Damaged { what: format!("{other}") },
    }
}

/// Whether the segments lead to an end-of-image marker, and how many scans are among them. Thumbnails within segments
/// have an end too, so segments are stepped over; what follows the marker (depth maps, films) does not matter.
fn segments(bytes: &[u8]) -> (bool, usize) {
    let (mut at, mut scans) = (2, 0);
    loop {
        let Some(ff) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff)) else {
            return (false, scans);
        };
        at += ff + 1;
        scans += usize::from(bytes.get(at) == Some(&0xda));
        match bytes.get(at) {
            None => return (false, scans),
            Some(0xd9) => return (true, scans),
            // a stuffed zero, a fill byte, restart markers, a marker without length
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            Some(0xff) => {}
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(&[high, low]) => at += 1 + usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return (false, scans),
            },
        }
    }
}
