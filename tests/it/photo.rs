//! Pictures of every kind, whole, cut off, damaged and hostile; crops against Pillow's.

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use simile::photo::{
    Class, Filter, Format, Limits, PhotoError, Preprocess, classify, decode, display, thumbnail,
};
use simile::types::{Coded, Fault};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos").join(folder)
}

fn pixels(path: &Path) -> RgbImage {
    decode(&fs::read(path).unwrap(), &Limits::default())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .pixels
}

/// Largest and mean difference of two pictures of one size.
fn difference(a: &RgbImage, b: &RgbImage) -> (u8, f64) {
    assert_eq!(a.dimensions(), b.dimensions());
    let each = || a.as_raw().iter().zip(b.as_raw()).map(|(&a, &b)| a.abs_diff(b));
    (each().max().unwrap(), each().map(f64::from).sum::<f64>() / a.as_raw().len() as f64)
}

/// Every picture that Pillow made, in the order of their names.
fn made() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(fixtures("formats"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name.matches('.').count() == 1)
        .collect();
    all.sort();
    assert!(all.len() > 20);
    all
}

#[test]
fn every_format_decodes_as_with_pillow() {
    for (name, bytes) in made() {
        let got = decode(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}")).pixels;
        let want = image::open(fixtures("formats").join(format!("{name}.png"))).unwrap().into_rgb8();
        let (max, mean) = difference(&got, &want);
        // Lossy decoders differ by their inverse transforms and by how they widen colour.
        let (most, average) = match name.rsplit('.').next().unwrap() {
            "jpg" => (6, 1.0),
            "webp" if name.starts_with("lossy") => (8, 1.0),
            "tiff" if name.starts_with("cmyk") => (2, 1.0),
            _ => (1, 0.5),
        };
        assert!(max <= most && mean <= average, "{name}: differs by up to {max}, {mean:.2} on average");
    }
}

#[test]
fn every_orientation_comes_out_upright() {
    let want = image::open(fixtures("orientation/upright.png")).unwrap().into_rgb8();
    for name in ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg", "8.jpg", "6.png", "6.webp"] {
        let (_, mean) = difference(&pixels(&fixtures("orientation").join(name)), &want);
        assert!(mean < 6.0, "{name}: {mean}");
    }
}

#[test]
fn a_jpeg_cut_anywhere_is_truncated() {
    for name in ["baseline.jpg", "progressive.jpg", "restart.jpg", "grey.jpg", "cmyk.jpg"] {
        let whole = fs::read(fixtures("formats").join(name)).unwrap();
        for end in 3..whole.len() {
            let error = decode(&whole[..end], &Limits::default()).map(|p| p.format).unwrap_err();
            assert_eq!(error, PhotoError::Truncated { format: Format::Jpeg }, "{name} cut at {end}");
        }
        // A download that was given its length first: the rest is zeros.
        let mut zeros = whole.clone();
        zeros[whole.len() * 2 / 3..].fill(0);
        assert_eq!(
            decode(&zeros, &Limits::default()).map(|p| p.format).unwrap_err().code(),
            "photo.truncated",
            "{name}"
        );
        // What follows the picture does not matter.
        let more = [whole.as_slice(), b"trailing bytes of a phone"].concat();
        assert!(decode(&more, &Limits::default()).is_ok(), "{name}");
    }
}

#[test]
fn a_jpeg_with_a_spoilt_table_is_damaged() {
    for name in ["baseline.jpg", "progressive.jpg"] {
        let mut spoilt = fs::read(fixtures("formats").join(name)).unwrap();
        let table = spoilt.windows(2).position(|w| w == [0xff, 0xc4]).unwrap();
        spoilt[table + 5..table + 15].fill(0xee);
        let error = decode(&spoilt, &Limits::default()).map(|p| p.format).unwrap_err();
        assert_eq!(error.code(), "photo.damaged", "{name}");
    }
}

#[test]
fn other_formats_cut_in_half_are_truncated() {
    for (name, whole) in made().into_iter().filter(|(name, _)| !name.ends_with(".jpg")) {
        let half = whole.len() / 2;
        // The first frame of a GIF may lie in its first half.
        if name == "animated.gif" {
            continue;
        }
        let error = decode(&whole[..half], &Limits::default()).map(|p| p.format).unwrap_err();
        assert_eq!(error.code(), "photo.truncated", "{name}: {error}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let mut state = 1u64;
    let mut next = move |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let limits = Limits { pixels: 1 << 20, ..Limits::default() };
    for (name, whole) in made() {
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
            bytes.truncate(bytes.len() - if next(4) == 0 { next(bytes.len()) } else { 0 });
            if let Ok(photo) = decode(&bytes, &limits) {
                assert!(photo.pixels.width() > 0, "{name}");
            }
        }
    }
}

#[test]
fn what_is_no_picture_says_so() {
    let code = |bytes: &[u8]| decode(bytes, &Limits::default()).map(|p| p.format).unwrap_err().code();
    assert_eq!(code(b""), "photo.empty");
    assert_eq!(code(b"just words, named photo.jpg"), "photo.not_a_picture");
    assert_eq!(code(&[0; 100]), "photo.not_a_picture");
    assert_eq!(code(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"), "photo.unsupported");
    assert_eq!(code(b"\0\0\0\x18ftypisom\0\0\0\0"), "photo.unsupported");
    let heic = decode(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", &Limits::default()).unwrap_err();
    assert_eq!(heic.fault(), Fault::Unsupported);
    assert!(heic.to_string().contains("export it as JPEG"), "{heic}");
    assert_eq!(classify("IMG_1.AVIF", b"\0\0\0\x18ftypavif\0\0\0\0"), Class::Heic);
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// A PNG of a few bytes that claims a size.
fn png(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[0; 8]), chunk(b"IEND", &[])]
        .concat()
}

#[test]
fn a_bomb_of_each_format_is_refused_from_its_header() {
    let bmp = {
        let mut b = fs::read(fixtures("formats/rgb.bmp")).unwrap();
        b[18..22].copy_from_slice(&100_000i32.to_le_bytes());
        b[22..26].copy_from_slice(&100_000i32.to_le_bytes());
        b
    };
    let gif = {
        let mut b = fs::read(fixtures("formats/animated.gif")).unwrap();
        b[6..10].copy_from_slice(&[0xff; 4]);
        b
    };
    let jpeg = {
        let mut b = fs::read(fixtures("formats/baseline.jpg")).unwrap();
        let frame = b.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        b[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        b
    };
    let webp = {
        let mut b = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0".to_vec();
        b.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0, 0]);
        b
    };
    let tiff = {
        // Little-endian; one directory: width, height, 8 bits, no compression, grey, one strip.
        let entry = |tag: u16, value: u32| {
            [&tag.to_le_bytes()[..], &4u16.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let entries = [
            (256, 100_000),
            (257, 100_000),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8),
            (278, 100_000),
            (279, 8),
        ];
        let mut b = b"II\x2a\0\x08\0\0\0\x08\0".to_vec();
        entries.iter().for_each(|&(tag, value)| b.extend(entry(tag, value)));
        b.extend([0; 4]);
        b
    };
    for (name, bomb) in [
        ("png", png(100_000, 100_000)),
        ("png, long", png(4, 2_000_000_000)),
        ("png, square", png(20_000, 20_000)),
        ("bmp", bmp),
        ("gif", gif),
        ("jpeg", jpeg),
        ("webp", webp),
        ("tiff", tiff),
    ] {
        let error = decode(&bomb, &Limits::default()).map(|p| p.format).unwrap_err();
        assert_eq!(error.code(), "photo.too_large", "{name}: {error}");
        assert_eq!(error.fault(), Fault::TooLarge, "{name}");
    }
    let said = decode(&png(100_000, 100_000), &Limits::default()).unwrap_err().to_string();
    assert!(said.contains("100000 x 100000") && said.contains("32767"), "{said}");
}

#[test]
fn limits_hold_for_bytes_and_pixels() {
    let whole = fs::read(fixtures("formats/rgb.png")).unwrap();
    let code = |limits| decode(&whole, &limits).map(|p| p.format).unwrap_err().code();
    assert_eq!(code(Limits { bytes: whole.len() as u64 - 1, ..Limits::default() }), "photo.too_large");
    assert_eq!(code(Limits { side: 39, ..Limits::default() }), "photo.too_large");
    assert_eq!(code(Limits { pixels: 1199, ..Limits::default() }), "photo.too_large");
    assert!(decode(&whole, &Limits { bytes: whole.len() as u64, side: 40, pixels: 1200 }).is_ok());
}

#[test]
fn a_photo_of_48_megapixels_passes() {
    let large = RgbImage::from_fn(8000, 6000, |x, y| image::Rgb([x as u8, y as u8, (x / 8000) as u8]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 60).encode_image(&large).unwrap();
    let photo = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!(photo.pixels.dimensions(), (8000, 6000));
    let small = image::load_from_memory(&thumbnail(&photo.pixels, 256)).unwrap();
    assert_eq!((small.width(), small.height()), (256, 192));
}

#[test]
fn large_pictures_of_the_other_formats_pass() {
    let large = image::DynamicImage::ImageRgb8(RgbImage::from_pixel(6000, 4000, image::Rgb([9, 99, 199])));
    for format in
        [image::ImageFormat::Png, image::ImageFormat::WebP, image::ImageFormat::Bmp, image::ImageFormat::Tiff]
    {
        let mut bytes = std::io::Cursor::new(Vec::new());
        large.write_to(&mut bytes, format).unwrap();
        let limits = Limits { bytes: 1 << 30, ..Limits::default() };
        let photo = decode(bytes.get_ref(), &limits).unwrap_or_else(|e| panic!("{format:?}: {e}"));
        assert_eq!(photo.pixels.dimensions(), (6000, 4000), "{format:?}");
    }
    // A small frame on a large screen.
    let mut gif = fs::read(fixtures("formats/animated.gif")).unwrap();
    gif[6..10].copy_from_slice(&[0x70, 0x17, 0xa0, 0x0f]);
    assert_eq!(decode(&gif, &Limits::default()).unwrap().pixels.dimensions(), (6000, 4000));
}

fn preprocess(short: u32, crop: u32, filter: Filter) -> Preprocess {
    Preprocess { short, crop, filter, mean: [0.0; 3], std: [1.0; 3] }
}

#[test]
fn crops_are_pillows_within_one() {
    for name in ["source", "line"] {
        let picture = pixels(&fixtures("pillow").join(format!("{name}.png")));
        for (kind, filter) in [("bilinear", Filter::Bilinear), ("bicubic", Filter::Bicubic)] {
            for (short, side) in [(64, 56), (32, 31), (120, 100)] {
                let want = pixels(&fixtures("pillow").join(format!("{name}-{kind}-{short}-{side}.png")));
                let crop = preprocess(short, side, filter).apply(&picture);
                assert_eq!(crop.side(), side);
                let got = RgbImage::from_raw(side, side, crop.pixels().to_vec()).unwrap();
                let (max, mean) = difference(&got, &want);
                println!("{name} {kind} {short}/{side}: up to {max}, {mean:.4} on average");
                assert!(max <= 1, "{name} {kind} {short}/{side}: {max}");
            }
        }
    }
}

#[test]
fn the_smallest_and_the_longest_pictures_have_crops_and_thumbnails() {
    for (width, height) in [(1, 1), (1, 5000), (5000, 1), (2, 32_767), (32_767, 3), (3, 2), (223, 225)] {
        let picture = RgbImage::from_pixel(width, height, image::Rgb([9, 99, 199]));
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let crop = preprocess(256, 224, filter).apply(&picture);
            assert_eq!(crop.pixels().len(), 224 * 224 * 3);
            assert!(crop.pixels().chunks(3).all(|p| p == [9, 99, 199]), "{width} x {height}");
        }
        let small = image::load_from_memory(&thumbnail(&picture, 320)).unwrap();
        assert!(small.width().max(small.height()) <= 320, "{width} x {height}");
    }
}

#[test]
fn what_pages_show_carries_no_metadata() {
    let picture = pixels(&fixtures("orientation/6.jpg"));
    for jpeg in [thumbnail(&picture, 24), display(&picture, 1600)] {
        assert_eq!(Format::of(&jpeg), Some(Format::Jpeg));
        assert!(!jpeg.windows(4).any(|w| w == b"Exif"));
    }
    let shown = image::load_from_memory(&display(&picture, 1600)).unwrap();
    assert_eq!((shown.width(), shown.height()), (48, 32), "never enlarged");
}
