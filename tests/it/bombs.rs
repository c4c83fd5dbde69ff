//! Small files that would become huge: each format's bomb costs what the limits allow, not what it claims.

use std::time::{Duration, Instant};

use image::ImageFormat;
use simile::photo::{Limits, decode};
use simile::types::Coded;

use crate::home::photo;

/// Four megapixels: what may be allocated for them is small enough to be measured.
const LIMITS: Limits = Limits { bytes: 16 << 20, side: 32_767, pixels: 4_000_000 };
/// What the limits allow (32 bytes for each pixel, the file, tables), and twice as much again for the measuring process.
const MIB: u64 = 500;

/// The most memory that this process has ever held.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

/// Deflate's densest form, a zlib stream of zeros: thirteen bits for 258 bytes.
fn zeros(bytes: usize) -> Vec<u8> {
    let mut out = vec![0x78, 0x9c];
    let (mut bits, mut held) = (0u64, 0);
    let mut put = |value: u64, count: u32, out: &mut Vec<u8>| {
        bits |= value << held;
        held += count;
        while held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    };
    put(0b011, 3, &mut out); // last block, fixed codes
    put(0b0000_1100, 8, &mut out); // a zero (codes go in from their highest bit)
    for _ in 0..bytes.div_ceil(258) {
        put(0b1010_0011, 8, &mut out); // 258 bytes
        put(0, 5, &mut out); // from one byte before
    }
    put(0, 7 + 8, &mut out); // end, and what fills the byte
    let sum = adler_of_zeros(bytes.div_ceil(258) * 258 + 1);
    out.extend(sum.to_be_bytes());
    out
}

fn adler_of_zeros(bytes: usize) -> u32 {
    ((bytes % 65_521) as u32) << 16 | 1
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = (data.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(data);
    out.extend(crc32fast::hash(&out[4..]).to_be_bytes());
    out
}

fn png(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 0, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    out.extend(chunk(b"IHDR", &head));
    chunks.iter().for_each(|c| out.extend(c));
    out.extend(chunk(b"IEND", b""));
    out
}

fn tiff(side: u32, strip: &[u8]) -> Vec<u8> {
    let entries: [(u16, u32); 9] = [
        (256, side),
        (257, side),
        (258, 8),
        (259, 8), // deflate
        (262, 1),
        (273, 8 + 2 + 9 * 12 + 4),
        (277, 1),
        (278, side),
        (279, strip.len() as u32),
    ];
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    out.extend(9u16.to_le_bytes());
    for (tag, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(4u16.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend([0; 4]);
    out.extend(strip);
    out
}

/// A GIF of many frames, each of which claims the whole canvas.
fn gif(side: u16, frames: usize) -> Vec<u8> {
    let [low, high] = side.to_le_bytes();
    let mut out = [&b"GIF89a"[..], &[low, high, low, high, 0x80, 0, 0], &[0; 6]].concat();
    for _ in 0..frames {
        out.extend([0x2c, 0, 0, 0, 0, low, high, low, high, 0, 2, 2, 0x4c, 0x01, 0]);
    }
    out.push(0x3b);
    out
}

fn bmp(width: i32, height: i32) -> Vec<u8> {
    let mut out = b"BM".to_vec();
    out.extend(1000u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(1078u32.to_le_bytes());
    out.extend(40u32.to_le_bytes());
    out.extend(width.to_le_bytes());
    out.extend(height.to_le_bytes());
    out.extend([1, 0, 8, 0, 1, 0, 0, 0]); // run lengths
    out.extend([0; 20]);
    out.extend([0; 1024]);
    out.extend([0, 1]); // the end, at once
    out
}

/// A progressive JPEG whose last scan comes again and again.
fn jpeg(scans: usize) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos/formats");
    let whole = std::fs::read(folder.join("progressive.jpg")).unwrap();
    let at = whole.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap();
    let end = whole.len() - 2;
    let mut out = whole[..end].to_vec();
    (0..scans).for_each(|_| out.extend(&whole[at..end]));
    out.extend(&whole[end..]);
    out
}

fn webp(frames: usize) -> Vec<u8> {
    let side = |n: u32| n.to_le_bytes()[..3].to_vec();
    let mut body = b"WEBPVP8X\x0a\0\0\0\x02\0\0\0".to_vec();
    body.extend([side(1999), side(1999)].concat());
    body.extend(b"ANIM\x06\0\0\0\0\0\0\0\0\0");
    for _ in 0..frames {
        // A frame as large as the canvas: lossless, its header alone.
        let vp8l = [&b"VP8L\x08\0\0\0\x2f"[..], &((1999u32 | 1999 << 14).to_le_bytes()), &[0; 3]].concat();
        let head = [side(0), side(0), side(1999), side(1999), side(100), vec![0]].concat();
        body.extend(b"ANMF");
        body.extend(((head.len() + vp8l.len()) as u32).to_le_bytes());
        body.extend(head);
        body.extend(vp8l);
    }
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

#[test]
fn no_bomb_costs_more_than_the_limits_allow() {
    const GB: usize = 1 << 30;
    let inflates = zeros(GB);
    let profile = [b"icc\0\0", inflates.as_slice()].concat();
    let text = [b"Comment\0\0", inflates.as_slice()].concat();
    let long = [b"Comment\0\x01\0\0\0", inflates.as_slice()].concat();
    let small = || chunk(b"IDAT", &zeros(200 * 201));
    let bombs = [
        ("png rows beyond its height", png(200, 200, &[chunk(b"IDAT", &inflates)])),
        ("png claims more than it has", png(2000, 2000, &[chunk(b"IDAT", &zeros(9))])),
        ("png profile", png(200, 200, &[chunk(b"iCCP", &profile), small()])),
        ("png text", png(200, 200, &[chunk(b"zTXt", &text), small()])),
        ("png long text", png(200, 200, &[chunk(b"iTXt", &long), small()])),
        ("tiff strip", tiff(200, &inflates)),
        ("tiff claims more than it has", tiff(1999, &zeros(9))),
        ("gif frames", gif(1999, 200_000)),
        ("bmp run lengths", bmp(1999, -1999)),
        ("jpeg scans", jpeg(20_000)),
        ("webp frames", webp(10_000)),
        // What is wide or high beyond all measure.
        ("png 2^31 wide", png(i32::MAX as u32, 1, &[small()])),
        ("tiff 2^32 wide", tiff(u32::MAX, &zeros(9))),
        ("gif 65535", gif(u16::MAX, 1)),
        ("bmp 2^31 wide", bmp(i32::MAX, 1)),
        ("bmp 2^31 high", bmp(1, i32::MIN)),
    ];
    let before = peak_mib();
    for (name, bytes) in bombs {
        let begin = Instant::now();
        // A picture or a refusal: both are answers.
        let said = decode(&bytes, &LIMITS).map_or_else(|e| e.code(), |_| "decoded");
        assert!(begin.elapsed() < Duration::from_secs(20), "{name} ({said}) took {:?}", begin.elapsed());
        assert!(peak_mib() < before + MIB, "{name} ({said}): {} MiB, {before} before", peak_mib());
    }
}

#[test]
fn scans_have_a_bound_and_ordinary_pictures_are_below_it() {
    assert_eq!(decode(&jpeg(20_000), &LIMITS).unwrap_err().code(), "photo.damaged");
    decode(&jpeg(0), &LIMITS).unwrap();
    decode(&photo(1, ImageFormat::Jpeg), &LIMITS).unwrap();
}
