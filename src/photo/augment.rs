//! Seeded variations of a photo, as if it had been taken again, cut and sent on: crop, turn, light, blur, noise, JPEG.

use image::{Rgb, RgbImage};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::thumbnail::encode;

/// Part of the area that the crop keeps.
const AREA: (f32, f32) = (0.60, 1.0);
/// Degrees, to either side.
const TURN: f32 = 15.0;
/// Brightness, contrast and saturation, each: times 1 - this to 1 + this.
const LIGHT: f32 = 0.4;
/// Standard deviation of the Gaussian blur, in pixels.
const BLUR: (f32, f32) = (0.0, 2.0);
/// Standard deviation of the noise, of 255.
const NOISE: (f32, f32) = (0.0, 12.0);
const QUALITY: (u8, u8) = (50, 95);

/// Chances that come out the same on every machine: ChaCha8, and floats made of its bits here.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// For one copy of one photo: independent of every other, so that copies can be made in any order.
    pub fn of(seed: u64, photo: &[u8], copy: u32) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(&seed.to_le_bytes()).update(&copy.to_le_bytes()).update(photo);
        Self(ChaCha8Rng::from_seed(*hash.finalize().as_bytes()))
    }

    /// 0 to 1, without 1, in steps of 2^-24.
    pub(super) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    pub(super) fn within(&mut self, (low, high): (f32, f32)) -> f32 {
        low + self.unit() * (high - low)
    }

    /// Two of the normal distribution (Box and Muller).
    pub(super) fn normal(&mut self) -> [f32; 2] {
        let far = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (self.unit() * std::f32::consts::TAU).sin_cos();
        [far * cos, far * sin]
    }
}

/// A variation: crop of 60 to 100 % of the area, mirrored or not, turned by up to 15 degrees (edges are reflected into
/// the corners), brightness, contrast and saturation by up to 40 %, blur of sigma 0 to 2, noise of sigma 0 to 12 of 255.
pub fn augment(picture: &RgbImage, dice: &mut Dice) -> RgbImage {
    let cut = cut_and_turn(picture, dice);
    let lit = relight(cut, dice);
    let sigma = dice.within(BLUR);
    // Below a tenth of a pixel a blur changes nothing.
    let mut out = if sigma < 0.1 { lit } else { image::imageops::blur(&lit, sigma) };
    add_noise(&mut out, dice);
    out
}

/// The same as a JPEG of quality 50 to 95.
pub fn augmented_jpeg(picture: &RgbImage, dice: &mut Dice) -> Vec<u8> {
    let out = augment(picture, dice);
    let (low, high) = QUALITY;
    let quality = dice.within((f32::from(low), f32::from(high) + 1.0)) as u8;
    encode(&out, quality.min(high))
}

fn cut_and_turn(picture: &RgbImage, dice: &mut Dice) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = dice.within(AREA).sqrt();
    let kept = |s: u32| ((s as f32 * side).round() as u32).clamp(1, s);
    let (w, h) = (kept(width), kept(height));
    let middle = |s: u32, kept: u32, at: f32| (s - kept) as f32 * at + kept as f32 / 2.0;
    let (cx, cy) = (middle(width, w, dice.unit()), middle(height, h, dice.unit()));
    let mirror = if dice.unit() < 0.5 { -1.0 } else { 1.0 };
    let (sin, cos) = dice.within((-TURN, TURN)).to_radians().sin_cos();
    RgbImage::from_fn(w, h, |x, y| {
        let dx = (x as f32 + 0.5 - w as f32 / 2.0) * mirror;
        let dy = y as f32 + 0.5 - h as f32 / 2.0;
        between(picture, cx + dx * cos - dy * sin, cy + dx * sin + dy * cos)
    })
}

/// The colour at a place, bilinear; beyond the edge the picture is mirrored.
fn between(picture: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let at = |dx: i64, dy: i64| {
        let x = reflected(left as i64 + dx, picture.width());
        picture.get_pixel(x, reflected(top as i64 + dy, picture.height())).0.map(f32::from)
    };
    let (a, b, c, d) = (at(0, 0), at(1, 0), at(0, 1), at(1, 1));
    Rgb(std::array::from_fn(|i| {
        let (upper, lower) = (a[i] + (b[i] - a[i]) * fx, c[i] + (d[i] - c[i]) * fx);
        (upper + (lower - upper) * fy).round() as u8
    }))
}

fn reflected(at: i64, length: u32) -> u32 {
    let length = i64::from(length);
    let folded = at.rem_euclid(2 * length);
    (if folded < length { folded } else { 2 * length - 1 - folded }) as u32
}

fn luma(p: [f32; 3]) -> f32 {
    0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]
}

fn relight(mut picture: RgbImage, dice: &mut Dice) -> RgbImage {
    let [brightness, contrast, saturation] = [(); 3].map(|()| dice.within((1.0 - LIGHT, 1.0 + LIGHT)));
    let sum: f64 = picture.pixels().map(|p| f64::from(luma(p.0.map(f32::from)))).sum();
    let mean = (sum / f64::from(picture.width()) / f64::from(picture.height())) as f32 * brightness;
    for pixel in picture.pixels_mut() {
        let lit = pixel.0.map(|v| (f32::from(v) * brightness - mean) * contrast + mean);
        let grey = luma(lit);
        pixel.0 = lit.map(|v| (grey + (v - grey) * saturation).round() as u8); // `as` keeps within 0 to 255
    }
    picture
}

fn add_noise(picture: &mut RgbImage, dice: &mut Dice) {
    let sigma = dice.within(NOISE);
    for pair in picture.chunks_mut(2) {
        for (value, noise) in pair.iter_mut().zip(dice.normal()) {
            *value = (f32::from(*value) + noise * sigma).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> RgbImage {
        RgbImage::from_fn(120, 80, |x, y| Rgb([(x * 2) as u8, (y * 3) as u8, ((x + y) % 256) as u8]))
    }

    #[test]
    fn one_seed_makes_one_picture() {
        let jpeg = |seed, copy| augmented_jpeg(&scene(), &mut Dice::of(seed, b"a.jpg", copy));
        assert_eq!(jpeg(7, 1), jpeg(7, 1));
        assert_ne!(jpeg(7, 1), jpeg(7, 2));
        assert_ne!(jpeg(7, 1), jpeg(8, 1));
        // Written down, so that a copy of today can be made again after an update.
        assert_eq!(Dice::of(7, b"a.jpg", 1).0.next_u32(), 943_965_985);
    }

    #[test]
    fn copies_stay_within_the_ranges() {
        for copy in 0..60 {
            let out = augment(&scene(), &mut Dice::of(1, b"x", copy));
            let area = f64::from(out.width() * out.height()) / (120.0 * 80.0);
            assert!((0.58..=1.0).contains(&area), "copy {copy}: {area}");
        }
        let mut dice = Dice::of(3, b"", 0);
        let normals: Vec<f32> = (0..20_000).flat_map(|_| dice.normal()).collect();
        let mean = normals.iter().sum::<f32>() / normals.len() as f32;
        let deviation = (normals.iter().map(|n| n * n).sum::<f32>() / normals.len() as f32).sqrt();
        assert!(mean.abs() < 0.02 && (deviation - 1.0).abs() < 0.02, "{mean}, {deviation}");
    }

    #[test]
    fn the_smallest_pictures_can_be_varied() {
        for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 2)] {
            let picture = RgbImage::from_pixel(width, height, Rgb([10, 20, 30]));
            for copy in 0..8 {
                let out = augment(&picture, &mut Dice::of(0, b"", copy));
                assert!(out.width() >= 1 && out.height() >= 1);
            }
        }
    }

    #[test]
    fn beyond_the_edge_the_picture_is_mirrored() {
        assert_eq!([-3, -1, 0, 4, 5, 9, 10].map(|at| reflected(at, 5)), [2, 0, 0, 4, 4, 0, 0]);
        assert_eq!(reflected(-7, 1), 0);
    }
}
