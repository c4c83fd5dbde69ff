//! simile's own sample photos, which an encoder checks bf16 and calibrates int8 with, and on which it is compared with its
//! original; never photos of the user.

use crate::photo::{Crop, Limits, Preprocess, decode};

macro_rules! photos {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/photos/", $name)).as_slice())),*]
    };
}

/// All below `samples/photos`, one of every kind first.
static PHOTOS: [(&str, &[u8]); 45] = photos![
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
    "boats/blue-fishing-boat.jpg",
    "boats/steamer-at-dusk.jpg",
    "boats/wooden-rowing-boat.jpg",
    "buses/blue-city-bus.jpg",
    "buses/green-night-bus.jpg",
    "buses/yellow-school-bus.jpg",
    "cars/green-estate.jpg",
    "cars/red-sports-car.jpg",
    "cars/yellow-beetle.jpg",
    "cats/ginger-cat-asleep.jpg",
    "cats/grey-cat-lying.jpg",
    "cats/orange-tabby-cat.jpg",
    "cups/red-espresso-cup.jpg",
    "cups/white-teacup.jpg",
    "flowers/poppies.jpg",
    "flowers/red-tulips.jpg",
    "flowers/sunflowers.jpg",
    "fruit/apples.jpg",
    "fruit/oranges-and-lemon.jpg",
    "fruit/pears-and-grapes.jpg",
    "houses/night-house.jpg",
    "houses/red-cottage.jpg",
    "houses/white-town-house.jpg",
    "motorbikes/black-classic-bike.jpg",
    "motorbikes/red-sports-bike.jpg",
    "mountains/mountain-lake.jpg",
    "mountains/snowy-peak.jpg",
    "trees/green-oak.jpg",
    "trees/palm-on-the-beach.jpg",
    "trees/pines.jpg",
    "trucks/blue-tank-truck.jpg",
    "trucks/green-log-truck.jpg",
    "trucks/yellow-dump-truck.jpg",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::Filter;

    #[test]
    fn all_photos_of_the_folder_are_samples_once_and_the_first_are_of_different_kinds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/photos");
        let kinds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|kind| kind.unwrap()).collect();
        let mut there = Vec::new();
        for kind in &kinds {
            for photo in std::fs::read_dir(kind.path()).unwrap() {
                let name = photo.unwrap().file_name();
                there.push(format!("{}/{}", kind.file_name().display(), name.display()));
            }
        }
        let mut known: Vec<_> = PHOTOS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let first: std::collections::HashSet<_> =
            known[..kinds.len()].iter().map(|name| name.split('/').next()).collect();
        assert_eq!(first.len(), kinds.len());
        known.sort();
        there.sort();
        assert_eq!(known, there);
        let (mean, std) = ([0.5; 3], [0.5; 3]);
        let preprocess = Preprocess { short: 16, crop: 16, filter: Filter::Bilinear, mean, std };
        assert_eq!(crops(&preprocess, usize::MAX).len(), known.len());
    }
}
