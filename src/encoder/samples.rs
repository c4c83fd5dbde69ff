//! simile's own sample photos, which an encoder checks bf16 and calibrates int8 with, and on which it is compared with its
//! original; never photos of the user.

use crate::photo::{Crop, Limits, Preprocess, decode};

macro_rules! photos {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/photos/", $name)).as_slice())),*]
    };
}

/// One of every kind, by its path below `samples/photos`.
static PHOTOS: [(&str, &[u8]); 12] = photos![
    "boats/red-sailing-boat.jpg",
    "buses/red-double-decker.jpg",
    "cars/blue-saloon.jpg",
    "cats/black-cat.jpg",
    "cups/blue-mug.jpg",
    "flowers/daisies.jpg",
    "fruit/bananas.jpg",
    "houses/log-cabin-in-snow.jpg",
    "motorbikes/mint-scooter.jpg",
    "mountains/evening-range.jpg",
    "trees/autumn-tree.jpg",
    "trucks/red-truck.jpg",
];

/// The first `n` samples, cut as the encoder wants them.
pub fn crops(preprocess: &Preprocess, n: usize) -> Vec<Crop> {
    PHOTOS.iter().take(n).filter_map(|(_, bytes)| cut(bytes, preprocess)).collect()
}

/// The sample of that name; `None` if there is no such one.
pub fn crop(preprocess: &Preprocess, name: &str) -> Option<Crop> {
    let (_, bytes) = PHOTOS.iter().find(|(own, _)| *own == name)?;
    cut(bytes, preprocess)
}

fn cut(bytes: &[u8], preprocess: &Preprocess) -> Option<Crop> {
    let limits = Limits { bytes: 1 << 20, side: 1 << 11, pixels: 1 << 22 };
    Some(preprocess.apply(&decode(bytes, &limits).ok()?.pixels))
}
