//! resnet50 with real ImageNet weights, against torchvision's features of twelve photos.

use std::fs;

use safetensors::SafeTensors;
use simile::encoder::{
    Architecture, Digests, Encoder, EncoderSpec, Filter, Modality, ModelFiles, Pooling, Preprocess,
    ResNetConfig,
};

fn encoder() -> Encoder {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("models/resnet50-pqf");
    let spec = EncoderSpec {
        name: "resnet50-pqf".parse().unwrap(),
        modality: Modality::Photo,
        architecture: Architecture::ResNet(ResNetConfig::of_depth(50).unwrap()),
        pooling: Pooling::Mean,
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
    Encoder::open(&spec, &Digests::default()).unwrap()
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
    let crops: Vec<&[u8]> = file.tensor("crop_u8").unwrap().data().chunks(224 * 224 * 3).collect();
    let got = encoder().encode_pixels(&crops).unwrap();
    for (got, which) in got.iter().zip(which) {
        let cosine = super::cosine(got.vector.as_slice(), &want[which * 2048..][..2048]);
        println!("crop of photo {which}: {cosine:.7}");
        assert!(cosine >= 0.9999, "photo {which}: {cosine}");
    }
}

/// Prints milliseconds for one photo, alone and of sixteen.
#[test]
fn speed() {
    let encoder = encoder();
    let crop: Vec<u8> = (0..224 * 224 * 3u32).map(|i| (i * 7919 % 251) as u8).collect();
    for (n, rounds) in [(1, 15), (16, 3)] {
        let crops = vec![crop.as_slice(); n];
        let mut times: Vec<f64> = (0..rounds)
            .map(|_| {
                let start = std::time::Instant::now();
                encoder.encode_pixels(&crops).unwrap();
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
