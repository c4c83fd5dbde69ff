//! Pictures of leaves that fell on one another: edges of all sizes before and behind each other, as in photographs, whose
//! statistics such pictures share (Lee, Mumford & Huang 2001, "Occlusion models for natural images").

use image::{Rgb, RgbImage};

use super::Crop;
use super::augment::Dice;

/// Painted so much larger, and made smaller, so that edges are soft.
const OVER: u32 = 2;
/// How many leaves, at least and at most.
const LEAVES: (f32, f32) = (150.0, 900.0);
/// The smallest half of a leaf's width, in pixels as painted.
const LEAST: f32 = 5.0;
/// The largest, of the picture's side.
const MOST: (f32, f32) = (0.15, 0.5);
/// How far colours stray about the picture's own.
const STRAY: (f32, f32) = (20.0, 110.0);
/// How much lighter one edge is than the middle.
const LIGHT: (f32, f32) = (-0.5, 0.5);
/// Noise at most.
const NOISE: f32 = 12.0;

/// The picture of that number, the same on every machine.
pub fn leaves(side: u32, number: u32) -> Crop {
    let dice = &mut Dice::of(0, b"leaves", number);
    let painted = paint(side.max(1) * OVER, dice);
    let (down, across, noise) = (dice.within(LIGHT), dice.within(LIGHT), dice.within((0.0, NOISE)));
    let place = |at: u32| 2.0 * at as f32 / side.max(2) as f32 - 1.0;
    let mut pixels = Vec::with_capacity((side * side * 3) as usize);
    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
        let light = 1.0 + down * place(y) + across * place(x);
        let noise = noise * dice.normal()[0];
        let own = |i: u32| painted.get_pixel(x * OVER + i % OVER, y * OVER + i / OVER).0;
        for colour in 0..3 {
            let sum: u32 = (0..OVER * OVER).map(|i| u32::from(own(i)[colour])).sum();
            pixels.push((sum as f32 / (OVER * OVER) as f32 * light + noise) as u8);
        }
    }
    Crop::new(side, pixels).expect("a byte for every colour of every pixel")
}

fn paint(side: u32, dice: &mut Dice) -> RgbImage {
    let own = [0; 3].map(|_| dice.within((0.0, 255.0)));
    let mut picture = RgbImage::from_pixel(side, side, Rgb(own.map(|v| v as u8)));
    let (count, stray) = (dice.within(LEAVES) as u32, dice.within(STRAY));
    let most = side as f32 * dice.within(MOST);
    let (small, large) = (LEAST.powi(-2), most.max(LEAST).powi(-2));
    for _ in 0..count {
        // As many times fewer as they are larger in area.
        let half = (large + dice.unit() * (small - large)).powf(-0.5);
        let [x, y] = [0; 2].map(|_| dice.within((0.0, side as f32)));
        let lighter = dice.normal()[0] * stray;
        let colour = Rgb(own.map(|v| (v + dice.normal()[0] * stray + lighter) as u8));
        let high = if dice.unit() < 0.5 { None } else { Some(half * dice.within((0.2, 1.0))) };
        let span = |middle: f32, half: f32| {
            (middle - half).max(0.0) as u32..((middle + half).max(0.0) as u32).min(side)
        };
        for (py, px) in span(y, high.unwrap_or(half)).flat_map(|py| span(x, half).map(move |px| (py, px))) {
            let away = (px as f32 - x).powi(2) + (py as f32 - y).powi(2);
            if high.is_some() || away < half * half {
                picture.put_pixel(px, py, colour);
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_differ_and_come_out_the_same_again() {
        let all: Vec<Crop> = (0..8).map(|i| leaves(32, i)).collect();
        for (i, a) in all.iter().enumerate() {
            assert_eq!(*a, leaves(32, i as u32));
            assert!(all[..i].iter().all(|b| a != b));
        }
        assert_eq!(leaves(1, 0).pixels().len(), 3);
    }

    /// White noise has as much from pixel to pixel as from end to end; photographs and leaves have not.
    #[test]
    fn neighbours_are_alike_and_places_far_apart_are_not() {
        let differs = |crop: &Crop, by: usize| {
            let bytes = crop.pixels();
            let all = bytes.iter().zip(&bytes[by * 3..]).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
            all.sum::<f64>()
        };
        let crops: Vec<Crop> = (0..10).map(|i| leaves(96, i)).collect();
        let [near, far] = [1, 40].map(|by| crops.iter().map(|crop| differs(crop, by)).sum::<f64>());
        assert!(near < far / 2.5, "{near} beside, {far} at a distance");
    }
}
