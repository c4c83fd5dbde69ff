//! Encoders against transformers, and what they do with what they are given.

mod files;

use std::path::{Path, PathBuf};

use serde_json::Value;
use simile::config::PrecisionSetting;
use simile::encoder::{
    Architecture, BertConfig, Digests, Encoder, EncoderError, EncoderSpec, Modality, ModelFiles, Pooling,
    ResNetConfig, Role,
};
use simile::photo::{Crop, Filter, Preprocess};
use simile::types::{Coded, Vector};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(name)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn spec(folder: &Path, pooling: Pooling) -> EncoderSpec {
    let config = json(&folder.join("config.json"));
    let architecture = match config["model_type"].as_str().unwrap() {
        "albert" => Architecture::Albert(serde_json::from_value(config).unwrap()),
        "xlm-roberta" => {
            let offset = config["pad_token_id"].as_u64().unwrap() as usize + 1;
            let network: BertConfig = serde_json::from_value(config).unwrap();
            Architecture::XlmRoberta(BertConfig { position_offset: offset, ..network })
        }
        _ => Architecture::Bert(serde_json::from_value(config).unwrap()),
    };
    EncoderSpec {
        name: "small".parse().unwrap(),
        modality: Modality::Text,
        architecture,
        pooling,
        head: Vec::new(),
        max_tokens: None,
        query_prefix: String::new(),
        passage_prefix: String::new(),
        preprocess: None,
        languages: vec!["en".to_owned()],
        files: ModelFiles {
            weights: folder.join("model.safetensors"),
            tokenizer: Some(folder.join("tokenizer.json")),
        },
    }
}

fn open(spec: &EncoderSpec) -> Encoder {
    Encoder::open(spec, &Digests::default()).unwrap()
}

fn distance(a: &Vector, b: &[f32]) -> f32 {
    assert_eq!(a.as_slice().len(), b.len());
    a.as_slice().iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn texts(expected: &Value) -> Vec<&str> {
    expected["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect()
}

#[test]
fn texts_encode_as_with_transformers() {
    for name in ["bert", "bert_prefixed", "albert_g1", "albert_g2", "multilingual"] {
        let expected = json(&fixture(name).join("expected.json"));
        let texts = texts(&expected);
        for (pooling, key) in [(Pooling::Cls, "cls"), (Pooling::Mean, "mean"), (Pooling::Max, "max")] {
            let encoder = open(&spec(&fixture(name), pooling));
            let want: Vec<Vec<f32>> = serde_json::from_value(expected[key].clone()).unwrap();
            let batch = encoder.encode_texts(&texts, Role::Query).unwrap();
            for (i, text) in texts.iter().enumerate() {
                let alone = encoder.encode_texts(&[text], Role::Passage).unwrap().remove(0);
                for (how, got) in [("in a batch", &batch[i]), ("alone", &alone)] {
                    let error = distance(&got.vector, &want[i]);
                    assert!(error <= 2e-5, "{name} {key} {text:?} {how}: {error}");
                    assert_eq!(got.truncated, expected["truncated"][i].as_bool().unwrap(), "{text:?}");
                }
            }
        }
    }
}

#[test]
fn bf16_shares_the_vectors_of_f32_and_int8_has_its_own() {
    let cosine = |a: &Vector, b: &Vector| {
        a.as_slice().iter().zip(b.as_slice()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>()
    };
    for name in ["bert", "albert_g2", "multilingual"] {
        let spec = spec(&fixture(name), Pooling::Mean);
        let expected = json(&fixture(name).join("expected.json"));
        let texts = texts(&expected);
        let made = |setting| {
            let encoder = Encoder::open_in(&spec, &Digests::default(), setting).unwrap();
            let rows = encoder.encode_texts(&texts, Role::Query).unwrap();
            // A text's vector does not depend on the texts beside it, in any numbers.
            for (i, row) in rows.iter().enumerate() {
                assert_eq!(&encoder.encode_texts(&texts[i..=i], Role::Query).unwrap()[0], row, "{name} {i}");
            }
            (encoder, rows)
        };
        let (exact, want) = made(PrecisionSetting::F32);
        for (setting, least) in [
            (PrecisionSetting::Bf16, 0.9999),
            (PrecisionSetting::Auto, 0.9999),
            (PrecisionSetting::Int8, 0.99),
        ] {
            let (encoder, got) = made(setting);
            let own = setting == PrecisionSetting::Int8;
            assert_eq!(encoder.space_id() != exact.space_id(), own, "{name} {setting:?}");
            for ((a, b), text) in want.iter().zip(&got).zip(&texts) {
                let cosine = cosine(&a.vector, &b.vector);
                assert!(cosine >= least, "{name} {setting:?} {text:?}: {cosine}");
            }
        }
        assert_eq!(exact.computes_in(), "f32");
        assert_eq!(made(PrecisionSetting::Int8).0.computes_in(), "int8");
    }
}

#[test]
fn a_large_batch_keeps_its_order() {
    let encoder = open(&spec(&fixture("bert"), Pooling::Mean));
    let words = ["red", "blue", "car", "password", "please", "where", "卡车", "unknown"];
    let texts: Vec<String> = (0..700).map(|i| vec![words[i % 8]; 1 + i % 19].join(" ")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let batch = encoder.encode_texts(&texts, Role::Query).unwrap();
    for i in (0..700).step_by(61) {
        let alone = encoder.encode_texts(&texts[i..=i], Role::Query).unwrap();
        assert!(distance(&batch[i].vector, alone[0].vector.as_slice()) <= 2e-5, "text {i}");
    }
    assert!(encoder.encode_texts(&[], Role::Query).unwrap().is_empty());
}

#[test]
fn the_cards_length_and_prefixes_count() {
    let mut spec = spec(&fixture("bert"), Pooling::Mean);
    let plain = open(&spec);
    let [long, short] = ["the red car is blue", "the red"];
    spec.max_tokens = Some(4);
    let cut = open(&spec);
    let got = cut.encode_texts(&[long, short], Role::Query).unwrap();
    let want = plain.encode_texts(&[short], Role::Query).unwrap();
    assert_eq!([got[0].truncated, got[1].truncated], [true, false]);
    assert!(distance(&got[0].vector, want[0].vector.as_slice()) <= 1e-6);

    spec.max_tokens = Some(1000); // more than there are positions
    spec.query_prefix = "where is ".to_owned();
    let prefixed = open(&spec);
    let query = prefixed.encode_texts(&["the car"], Role::Query).unwrap();
    let passage = prefixed.encode_texts(&["where is the car"], Role::Passage).unwrap();
    assert_eq!(query, passage);
    assert!(prefixed.encode_texts(&["car ".repeat(100).as_str()], Role::Passage).unwrap()[0].truncated);
    let e = prefixed.encode_texts(&["car", " \u{0}\t\u{200b}"], Role::Query).unwrap_err();
    assert!(matches!(e, EncoderError::EmptyText { at: 1 }), "{e}");
    assert_eq!((e.code(), e.field()), ("text.empty", Some("text")));

    let ids: Vec<_> = [&plain, &cut, &prefixed].map(|e| e.space_id().clone()).into();
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "what changes a vector changes the space"
    );
    spec.query_prefix.clear();
    assert_eq!(open(&spec).space_id(), &ids[0], "24 positions are the limit either way");
}

#[test]
fn a_megabyte_of_text_is_cut_not_refused() {
    let encoder = open(&spec(&fixture("bert"), Pooling::Mean));
    for unit in ["where is the red car? ", "红色的卡车在哪里", "x"] {
        let text = unit.repeat((1 << 20) / unit.len());
        let got = encoder.encode_texts(&[text.as_str(), "red"], Role::Passage).unwrap();
        // One endless word is one unknown token, so nothing of it is cut off.
        assert_eq!(got[0].truncated, unit.len() > 2, "{unit:?}");
    }
}

#[test]
fn tokens_give_the_vectors_of_their_texts() {
    let folder = fixture("bert");
    let encoder = open(&spec(&folder, Pooling::Mean));
    let mut tokenizer = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
    tokenizer.with_padding(None);
    let texts = ["red truck", "a", "how do i pay"];
    let tokens: Vec<Vec<u32>> =
        texts.iter().map(|text| tokenizer.encode(*text, true).unwrap().get_ids().to_vec()).collect();
    let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
    let want = encoder.encode_texts(&texts, Role::Query).unwrap();
    for (got, want) in encoder.encode_tokens(&tokens).unwrap().iter().zip(&want) {
        assert_eq!(got, &want.vector);
    }
    for bad in [&[][..], &[1_000_000], &[1; 100_000]] {
        let e = encoder.encode_tokens(&[tokens[0], bad]).unwrap_err();
        assert!(matches!(e, EncoderError::Tokens { at: 1, .. }), "{e}");
    }
    let none = Encoder::ngram_hash(None).encode_tokens(&[&[1]]).unwrap_err();
    assert_eq!(none.code(), "encoder.modality");
}

#[test]
fn a_photo_encoder_wants_crops_of_its_size() {
    let folder = fixture("resnet_basic");
    let preprocess =
        Preprocess { short: 64, crop: 64, filter: Filter::Bilinear, mean: [0.5; 3], std: [0.25; 3] };
    let mut spec = EncoderSpec {
        modality: Modality::Photo,
        architecture: Architecture::ResNet(
            serde_json::from_value(json(&folder.join("resnet.json"))).unwrap(),
        ),
        preprocess: Some(preprocess),
        languages: Vec::new(),
        files: ModelFiles { weights: folder.join("model.safetensors"), tokenizer: None },
        ..spec(&fixture("bert"), Pooling::Mean)
    };
    let encoder = open(&spec);
    let crop = |k: u32, side: u32| {
        Crop::new(side, (0..side * side * 3).map(|i| (i * (k + 3) % 251) as u8).collect()).unwrap()
    };
    let crops: Vec<Crop> = (0..5).map(|k| crop(k, 64)).collect();
    let batch = encoder.encode_crops(&crops).unwrap();
    for (i, got) in batch.iter().enumerate() {
        assert_eq!(got, &encoder.encode_crops(&crops[i..=i]).unwrap()[0]);
    }
    let e = encoder.encode_crops(&[crop(0, 64), crop(1, 63)]).unwrap_err();
    assert!(matches!(e, EncoderError::WrongCrop { at: 1, .. }), "{e}");
    assert_eq!(encoder.encode_texts(&["red"], Role::Query).unwrap_err().code(), "encoder.modality");
    assert_eq!(
        open(&self::spec(&fixture("bert"), Pooling::Mean)).encode_crops(&crops).unwrap_err().code(),
        "encoder.modality"
    );
    assert!(!encoder.reads("red"));

    spec.architecture = Architecture::ResNet(ResNetConfig::of_depth(18).unwrap());
    let e = Encoder::open(&spec, &Digests::default()).err().unwrap();
    assert_eq!(e.code(), "model.tensor_shape", "{e}");
    spec.preprocess = None;
    assert_eq!(Encoder::open(&spec, &Digests::default()).err().unwrap().code(), "model.config");
}

#[test]
fn an_encoder_tells_what_it_reads() {
    let encoder = open(&spec(&fixture("bert"), Pooling::Cls));
    for (text, reads) in
        [("red car", true), ("12 + 3 🚗", true), ("卡车", false), ("我的 iPad 坏了怎么办呢", false)]
    {
        assert_eq!(encoder.reads(text), reads, "{text}");
    }
}
