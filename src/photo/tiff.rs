//! TIFF with a palette, which the decoder refuses: read as grey numbers, then looked up.

use std::io::Cursor;

use image::RgbImage;
use tiff::decoder::{Decoder, DecodingResult, Limits as TiffLimits};
use tiff::tags::Tag;

const PHOTOMETRIC: u16 = 262;
const PALETTE: u8 = 3;
const GREY: u8 = 1;

/// The file with its palette numbers declared as grey, if the first directory says that it has a palette.
pub(super) fn as_grey(bytes: &[u8]) -> Option<Vec<u8>> {
    let little = bytes.starts_with(b"II\x2a\0");
    if !little && !bytes.starts_with(b"MM\0\x2a") {
        return None; // BigTIFF lays its directories out otherwise, and has no old scans with palettes
    }
    let short = |at: usize| {
        let pair = *bytes.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    };
    let four = *bytes.get(4..)?.first_chunk()?;
    let directory = if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) } as usize;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries).map(|i| directory + 2 + 12 * i).find(|&at| short(at) == Some(PHOTOMETRIC))?;
    (short(entry + 8)? == u16::from(PALETTE)).then(|| {
        let mut grey = bytes.to_vec();
        grey[if little { entry + 8 } else { entry + 9 }] = GREY;
        grey
    })
}

/// Decodes what [`as_grey`] made; only 8-bit numbers are looked up. `None` if there is no such palette.
///
/// # Errors
/// Those of the decoder.
pub(super) fn decode(grey: &[u8], allowed: u64) -> tiff::TiffResult<Option<RgbImage>> {
    let mut limits = TiffLimits::default();
    limits.decoding_buffer_size = usize::try_from(allowed).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new(Cursor::new(grey))?.with_limits(limits);
    let (width, height) = decoder.dimensions()?;
    let map = decoder.get_tag_u16_vec(Tag::ColorMap)?;
    let DecodingResult::U8(numbers) = decoder.read_image()? else { return Ok(None) };
    if map.len() != 3 * 256 {
        return Ok(None);
    }
    // All reds, then all greens, then all blues, each of 16 bits.
    let colour = |n: u8| [0, 256, 512].map(|plane| (map[plane + usize::from(n)] >> 8) as u8);
    Ok(RgbImage::from_raw(width, height, numbers.into_iter().flat_map(colour).collect()))
}
