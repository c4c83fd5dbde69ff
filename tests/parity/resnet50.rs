//! resnet50 with real ImageNet weights, against torchvision's features of twelve photos.

use std::fs;

use safetensors::SafeTensors;
use simile::config::PrecisionSetting;
use simile::encoder::{
    Architecture, Digests, Encoder, EncoderSpec, Modality, ModelFiles, Pooling, ResNetConfig,
};
use simile::photo::{self, Crop, Filter, Limits, Preprocess};

pub fn encoder() -> Encoder {
    encoder_in(PrecisionSetting::F32)
}

fn encoder_in(setting: PrecisionSetting) -> Encoder {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("models/resnet50-pqf");
    let spec = EncoderSpec {
        name: "resnet50-pqf".parse().unwrap(),
        modality: Modality::Photo,
        architecture: Architecture::ResNet(ResNetConfig::of_depth(50).unwrap()),
        pooling: Pooling::Mean,
        head: Vec::new(),
        max_tokens: None,
        query_prefix: String::new(),
        passage_prefix: String::new(),
        preprocess: Some(Preprocess {
            short: 256,
            crop: 224,
            filter: Filter::Bilinear,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }),
        languages: Vec::new(),
        files: ModelFiles { weights: folder.join("model.safetensors"), tokenizer: None },
    };
    Encoder::open_in(&spec, &Digests::default(), setting).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[test]
fn stored_crops_encode_as_with_torchvision() {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("models/resnet50-pqf");
    let file = fs::read(folder.join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let want = floats(file.tensor("embedding").unwrap().data());
    let which: Vec<usize> = {
        let index = file.tensor("crop_index").unwrap();
        let width = index.data().len() / index.shape()[0];
        index.data().chunks(width).map(|b| usize::from(b[0])).collect()
    };
    let crops = file.tensor("crop_u8").unwrap().data().chunks(224 * 224 * 3);
    let crops: Vec<Crop> = crops.map(|pixels| Crop::new(224, pixels.to_vec()).unwrap()).collect();
    let got = encoder().encode_crops(&crops).unwrap();
    for (got, which) in got.iter().zip(which) {
        let cosine = super::cosine(got.vector.as_slice(), &want[which * 2048..][..2048]);
        println!("crop of photo {which}: {cosine:.7}");
        assert!(cosine >= 0.9999, "photo {which}: {cosine}");
    }
}

/// Cosine of every crop's vector with that in f32.
#[test]
fn other_numbers_are_near_f32() {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("models/resnet50-pqf");
    let file = fs::read(folder.join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let crops = file.tensor("crop_u8").unwrap().data().chunks(224 * 224 * 3);
    let crops: Vec<Crop> = crops.map(|pixels| Crop::new(224, pixels.to_vec()).unwrap()).collect();
    let exact = encoder().encode_crops(&crops).unwrap();
    let settings =
        [(PrecisionSetting::Bf16, 0.9999), (PrecisionSetting::Auto, 0.9999), (PrecisionSetting::Int8, 0.99)];
    for (setting, least) in settings {
        let encoder = encoder_in(setting);
        let got = encoder.encode_crops(&crops).unwrap();
        let pairs = got.iter().zip(&exact);
        let cosines = pairs.map(|(a, b)| super::cosine(a.vector.as_slice(), b.vector.as_slice()));
        let worst = cosines.fold(1.0, f64::min);
        println!("{setting:?}, computed in {}: {worst:.6}", encoder.computes_in());
        assert!(worst >= least, "{setting:?}: {worst}");
    }
}

#[test]
fn int8_gathers_photos_by_class_as_f32_does() {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("data/photos");
    let report = |setting| {
        simile::eval::photos::run(&encoder_in(setting), &folder, &Limits::default(), &|_, _| {}).unwrap()
    };
    let (exact, byte) = (report(PrecisionSetting::F32), report(PrecisionSetting::Int8));
    println!("precision@10 in f32 {:.4}, in int8 {:.4}", exact.precision_at_10, byte.precision_at_10);
    assert!((exact.precision_at_10 - byte.precision_at_10).abs() <= 0.005);
}

#[test]
fn photos_encode_as_with_pillow_and_torchvision() {
    let shared = super::folder("SIMILE_SHARED", "../shared");
    let file = fs::read(shared.join("models/resnet50-pqf/reference.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let names = header.metadata().as_ref().unwrap()["names"].clone();
    let names: Vec<String> = serde_json::from_str(&names).unwrap();
    let want = floats(SafeTensors::deserialize(&file).unwrap().tensor("embedding").unwrap().data());
    let encoder = encoder();
    let crop = |name: &String| {
        let bytes = fs::read(shared.join("data/photos").join(name)).unwrap();
        let photo = photo::decode(&bytes, &Limits::default()).unwrap();
        encoder.preprocess().unwrap().apply(&photo.pixels)
    };
    let got = encoder.encode_crops(&names.iter().map(crop).collect::<Vec<_>>()).unwrap();
    for ((got, want), name) in got.iter().zip(want.chunks(2048)).zip(&names) {
        let cosine = super::cosine(got.vector.as_slice(), want);
        println!("{name}: {cosine:.7}");
        assert!(cosine >= 0.998, "{name}: {cosine}");
    }
}

/// Prints milliseconds for one photo, alone and of sixteen.
#[test]
fn speed() {
    let encoder = encoder();
    let pixels = (0..224 * 224 * 3u32).map(|i| (i * 7919 % 251) as u8).collect();
    let crop = Crop::new(224, pixels).unwrap();
    for (n, rounds) in [(1, 15), (16, 3)] {
        let crops = vec![crop.clone(); n];
        let mut times: Vec<f64> = (0..rounds)
            .map(|_| {
                let start = std::time::Instant::now();
                encoder.encode_crops(&crops).unwrap();
                start.elapsed().as_secs_f64() * 1e3 / n as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "resnet50, {n} at once: median {:.0} ms a photo, best {:.0} ms",
            times[rounds / 2],
            times[0]
        );
    }
}
