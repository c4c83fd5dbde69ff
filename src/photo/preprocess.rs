//! A picture becomes the crop that an encoder looks at, byte for byte as Pillow and torchvision cut it.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// How pixels are weighed when a picture is scaled; both widen with the scale (antialiased).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    Bilinear,
    Bicubic,
}

impl Filter {
    fn kernel(self) -> FilterType {
        match self {
            Self::Bilinear => FilterType::Bilinear,
            Self::Bicubic => FilterType::CatmullRom, // a = -0.5, which is Pillow's bicubic
        }
    }
    /// Half the kernel's width, in source pixels when enlarging, in target pixels when shrinking.
    fn reach(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }
}

/// What an encoder wants of a picture: its short side scaled to `short`, the middle `crop` x `crop` of that,
/// then `(value / 255 - mean) / std` for R, G, B (the encoder's own step).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    pub short: u32,
    pub crop: u32,
    pub filter: Filter,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// A square of 8-bit RGB, `[side, side, 3]`, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crop {
    side: u32,
    pixels: Vec<u8>,
}

impl Crop {
    /// `None` unless there are `side * side * 3` bytes.
    pub fn new(side: u32, pixels: Vec<u8>) -> Option<Self> {
        (pixels.len() == side as usize * side as usize * 3).then_some(Self { side, pixels })
    }
    /// Rows of R, G, B.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
    /// Left and right exchanged.
    pub fn mirrored(&self) -> Self {
        let row = |row: &[u8]| row.rchunks_exact(3).flatten().copied().collect::<Vec<_>>();
        Self {
            side: self.side,
            pixels: self.pixels.chunks_exact(self.side as usize * 3).flat_map(row).collect(),
        }
    }
    pub fn side(&self) -> u32 {
        self.side
    }
}

impl Preprocess {
    /// Scales and cuts. A `short` below `crop` is taken as `crop`. Any size works, and memory is bounded by the picture
    /// and the crop even for a line of pixels: no more of the long side is scaled than the crop needs.
    pub fn apply(&self, picture: &RgbImage) -> Crop {
        let side = self.crop.max(1);
        let (width, height) = scaled_size(picture.dimensions(), self.short.max(side));
        let reach = self.filter.reach();
        let across = Window::of(picture.width(), width, side, reach);
        let down = Window::of(picture.height(), height, side, reach);

        let scaled = resize(picture, &across, &down, self.filter);
        let mut pixels = Vec::with_capacity(side as usize * side as usize * 3);
        for row in
            scaled.chunks_exact(across.length as usize * 3).skip(down.skip as usize).take(side as usize)
        {
            pixels.extend_from_slice(&row[across.skip as usize * 3..][..side as usize * 3]);
        }
        Crop { side, pixels }
    }
}

/// torchvision's `Resize(short)`: the long side is cut down to whole pixels.
fn scaled_size((width, height): (u32, u32), short: u32) -> (u32, u32) {
    let long = |long: u32, of: u32| {
        u32::try_from(u64::from(short) * u64::from(long) / u64::from(of)).unwrap_or(u32::MAX)
    };
    match width <= height {
        true => (short, long(height, width)),
        false => (long(width, height), short),
    }
}

/// One axis: which part of the source is scaled to which length, and how much of that lies before the crop.
struct Window {
    start: f64,
    span: f64,
    length: u32,
    skip: u32,
}

impl Window {
    /// All of an axis, at its own length.
    fn whole(source: u32) -> Self {
        Self { start: 0.0, span: f64::from(source), length: source, skip: 0 }
    }

    fn of(source: u32, scaled: u32, crop: u32, reach: f64) -> Self {
        let offset = centre(scaled - crop);
        let scale = f64::from(source) / f64::from(scaled);
        // Beyond this margin no source pixel touches the crop.
        let margin = (reach * (1.0 / scale).max(1.0)).ceil() + 2.0;
        // The usual picture is scaled whole, exactly as the originals do it.
        if f64::from(scaled) <= f64::from(crop) * 4.0 + 2.0 * margin {
            return Self { length: scaled, skip: offset, ..Self::whole(source) };
        }
        let before = offset.min(margin as u32);
        let after = (scaled - offset - crop).min(margin as u32);
        let first = offset - before;
        let length = before + crop + after;
        let start = f64::from(first) * scale;
        let span = (f64::from(length) * scale).min(f64::from(source) - start);
        Self { start, span, length, skip: before }
    }
}

/// torchvision's `int(round(extra / 2))`, where Python rounds a half to the even neighbour.
fn centre(extra: u32) -> u32 {
    let half = extra / 2;
    half + (extra & half & 1)
}

/// Across first and then down, rounding to bytes between, as Pillow does; the other order is off by up to 3 of 255.
fn resize(picture: &RgbImage, across: &Window, down: &Window, filter: Filter) -> Vec<u8> {
    let rows = Window::whole(picture.height());
    let columns = Window::whole(across.length);
    let wide = pass(picture.as_raw(), picture.dimensions(), across, &rows, filter);
    pass(&wide, (across.length, picture.height()), &columns, down, filter)
}

fn pass(
    pixels: &[u8],
    (width, height): (u32, u32),
    across: &Window,
    down: &Window,
    filter: Filter,
) -> Vec<u8> {
    let source = ImageRef::new(width, height, pixels, PixelType::U8x3)
        .expect("an RGB picture has three bytes for each pixel");
    let mut target = Image::new(across.length, down.length, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter.kernel())).crop(
        across.start,
        down.start,
        across.span,
        down.span,
    );
    Resizer::new().resize(&source, &mut target, &options).expect("the window lies within the picture");
    target.into_vec()
}

/// The whole picture at another size, antialiased.
pub(super) fn scale(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let across = Window { length: width, ..Window::whole(picture.width()) };
    let down = Window { length: height, ..Window::whole(picture.height()) };
    let pixels = resize(picture, &across, &down, Filter::Bilinear);
    RgbImage::from_raw(width, height, pixels).expect("three bytes for each pixel")
}
