//! Real photos: all decode, all are known when cut off, and crops are torchvision's but for the JPEG decoder's rounding.

use std::fs;
use std::time::Instant;

use safetensors::SafeTensors;
use simile::photo::{self, Filter, Limits, Preprocess};
use simile::types::Coded;

const RESNET: Preprocess =
    Preprocess { short: 256, crop: 224, filter: Filter::Bilinear, mean: [0.0; 3], std: [1.0; 3] };

#[test]
fn crops_are_torchvisions_but_for_the_jpeg_decoder() {
    let shared = super::folder("SIMILE_SHARED", "../shared");
    let file = fs::read(shared.join("models/resnet50-pqf/reference.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let names: Vec<String> = serde_json::from_str(&header.metadata().as_ref().unwrap()["names"]).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let index = file.tensor("crop_index").unwrap();
    let which = index.data().chunks(index.data().len() / index.shape()[0]).map(|b| usize::from(b[0]));
    for (which, want) in which.zip(file.tensor("crop_u8").unwrap().data().chunks(224 * 224 * 3)) {
        let bytes = fs::read(shared.join("data/photos").join(&names[which])).unwrap();
        let crop = RESNET.apply(&photo::decode(&bytes, &Limits::default()).unwrap().pixels);
        let each = || want.iter().zip(crop.pixels()).map(|(a, b)| a.abs_diff(*b));
        let (max, mean) = (each().max().unwrap(), each().map(f64::from).sum::<f64>() / want.len() as f64);
        println!("{}: up to {max} of 255, {mean:.4} on average", names[which]);
        assert!(max <= 8 && mean < 0.5, "{}: {max}, {mean}", names[which]);
    }
}

/// Prints what decoding and cutting cost.
#[test]
fn every_photo_decodes_and_none_that_is_cut_off() {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("data/photos");
    let mut files: Vec<_> =
        walkdir::WalkDir::new(folder).into_iter().map(|e| e.unwrap().into_path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "jpg"));
    assert!(files.len() > 300);
    let (mut decoding, mut cutting, mut thumbs, mut pixels) = (0.0, 0.0, 0.0, 0);
    for path in &files {
        let bytes = fs::read(path).unwrap();
        let timed = |sum: &mut f64, start: Instant| *sum += start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let photo =
            photo::decode(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        timed(&mut decoding, start);
        pixels += photo.pixels.width() as usize * photo.pixels.height() as usize;
        let start = Instant::now();
        RESNET.apply(&photo.pixels);
        timed(&mut cutting, start);
        let start = Instant::now();
        photo::thumbnail(&photo.pixels, 320);
        timed(&mut thumbs, start);
        for part in [0.1, 0.5, 0.9, 0.999] {
            let end = (bytes.len() as f64 * part) as usize;
            let error = photo::decode(&bytes[..end], &Limits::default()).map(|p| p.format).unwrap_err();
            assert_eq!(error.code(), "photo.truncated", "{} at {end}", path.display());
        }
    }
    let n = files.len() as f64;
    println!(
        "{n} photos of {:.2} megapixels: decode {:.2} ms, resize and crop {:.2} ms, thumbnail {:.2} ms each",
        pixels as f64 / n / 1e6,
        decoding / n,
        cutting / n,
        thumbs / n
    );
}

/// Prints what a photo of twelve megapixels costs, as a phone makes it.
#[test]
fn twelve_megapixels() {
    let scene = image::RgbImage::from_fn(4000, 3000, |x, y| {
        let wave = (f64::from(x) / 37.0).sin() * (f64::from(y) / 23.0).cos() * 60.0;
        image::Rgb([(128.0 + wave) as u8, (x / 16) as u8, ((x * 7 + y * 13) % 97) as u8 + (y / 20) as u8])
    });
    let bytes = photo::display(&scene, 4000);
    let time = |name: &str, work: &dyn Fn()| {
        let mut times: Vec<f64> = (0..7)
            .map(|_| {
                let start = Instant::now();
                work();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "12 megapixels ({} kB), {name}: median {:.1} ms, best {:.1} ms",
            bytes.len() / 1000,
            times[3],
            times[0]
        );
    };
    time("decode", &|| drop(photo::decode(&bytes, &Limits::default()).unwrap()));
    time("resize and crop", &|| drop(RESNET.apply(&scene)));
    time("thumbnail of 320", &|| drop(photo::thumbnail(&scene, 320)));
    time("display picture of 1600", &|| drop(photo::display(&scene, 1600)));
}
