//! simile's own sample photos, which an encoder checks bf16 and calibrates int8 with; never photos of the user.

use crate::photo::{Crop, Limits, Preprocess, decode};

macro_rules! photos {
    ($($name:literal),* $(,)?) => {
        [$(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/photos/", $name)).as_slice()),*]
    };
}

/// One of every kind.
static PHOTOS: [&[u8]; 12] = photos![
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
    let limits = Limits { bytes: 1 << 20, side: 1 << 11, pixels: 1 << 22 };
    let photos = PHOTOS.iter().take(n).filter_map(|bytes| decode(bytes, &limits).ok());
    photos.map(|photo| preprocess.apply(&photo.pixels)).collect()
}
