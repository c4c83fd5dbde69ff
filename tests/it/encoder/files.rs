//! The files that an encoder is opened from: other forms of them, and what is told of harmed ones.

use std::collections::HashMap;

use serde_json::Value;
use simile::encoder::{Digests, Encoder, EncoderError, Pooling, Role};
use simile::types::Coded;

use super::{fixture, json, open, spec, texts};

/// A copy of the small BERT whose files can be harmed.
struct Broken(tempfile::TempDir);

impl Broken {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in ["model.safetensors", "tokenizer.json", "config.json"] {
            std::fs::copy(fixture("bert").join(file), folder.path().join(file)).unwrap();
        }
        Self(folder)
    }
    fn harm(&self, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let path = self.0.path().join(file);
        let bytes = change(std::fs::read(&path).unwrap());
        std::fs::write(path, bytes).unwrap();
    }
    /// Rewrites the header of the weights, keeping the data.
    fn header(&self, change: impl FnOnce(&mut HashMap<String, Value>)) {
        self.harm("model.safetensors", |bytes| {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let mut header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
            change(&mut header);
            let json = serde_json::to_vec(&header).unwrap();
            [&(json.len() as u64).to_le_bytes()[..], &json, &bytes[8 + length..]].concat()
        });
    }
    fn config(&self, field: &str, value: Value) {
        self.harm("config.json", |bytes| {
            let mut config: Value = serde_json::from_slice(&bytes).unwrap();
            config[field] = value;
            serde_json::to_vec(&config).unwrap()
        });
    }
    fn error(&self) -> EncoderError {
        Encoder::open(&spec(self.0.path(), Pooling::Cls), &Digests::default()).err().expect("no encoder")
    }
}

#[test]
fn harmed_weights_are_told_by_file_and_tensor() {
    let tensor = "encoder.layer.1.output.dense.weight";
    let code = |harm: &dyn Fn(&Broken)| {
        let broken = Broken::new();
        harm(&broken);
        let e = broken.error();
        (e.code(), e.to_string())
    };
    let rename = |b: &Broken| b.header(|h| drop(h.remove(tensor).map(|t| h.insert("other".to_owned(), t))));
    let (missing, message) = code(&rename);
    assert_eq!(missing, "model.tensor_missing");
    assert!(message.contains(tensor) && message.contains("model.safetensors"), "{message}");
    let reshape =
        |b: &Broken| b.header(|h| h.get_mut(tensor).unwrap()["shape"] = serde_json::json!([48, 32]));
    assert_eq!(code(&reshape).0, "model.tensor_shape");
    let retype = |b: &Broken| b.header(|h| h.get_mut(tensor).unwrap()["dtype"] = "I16".into());
    assert_eq!(code(&retype).0, "model.tensor_type");
    let vast = |b: &Broken| {
        b.header(|h| h.get_mut(tensor).unwrap()["shape"] = serde_json::json!([1u64 << 62, 1u64 << 62]))
    };
    assert_eq!(code(&vast).0, "model.damaged");

    type Change = fn(Vec<u8>) -> Vec<u8>;
    let cuts: [Change; 6] = [
        |b| b[..b.len() - 1].to_vec(),
        |b| b[..b.len() / 2].to_vec(),
        |b| b[..200].to_vec(),
        |_| b"PK\x03\x04 not weights at all".to_vec(),
        |_| Vec::new(),
        |b| [b, vec![0]].concat(),
    ];
    for cut in cuts {
        let broken = Broken::new();
        broken.harm("model.safetensors", cut);
        assert_eq!(broken.error().code(), "model.damaged");
    }
    let gone = Broken::new();
    std::fs::remove_file(gone.0.path().join("model.safetensors")).unwrap();
    assert_eq!(gone.error().code(), "model.unreadable");
}

#[test]
fn a_flipped_byte_never_panics() {
    let whole = std::fs::read(fixture("bert/model.safetensors")).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let places = (0..header).step_by(23).chain((header..whole.len()).step_by(997));
    let broken = Broken::new();
    for (i, at) in places.enumerate() {
        let mut bytes = whole.clone();
        bytes[at] ^= [0x01, 0x40, 0xff][i % 3];
        broken.harm("model.safetensors", |_| bytes);
        let opened = Encoder::open(&spec(broken.0.path(), Pooling::Mean), &Digests::default());
        if let Ok(encoder) = opened {
            // A flip in the data may go unseen or give NaN, which is told.
            let _ = encoder.encode_texts(&["red car"], Role::Query);
        }
    }
}

#[test]
fn configs_and_tokenizers_that_cannot_be_are_refused() {
    for (field, value) in [
        ("num_attention_heads", 5),
        ("num_attention_heads", 0),
        ("num_hidden_layers", 0),
        ("hidden_size", 0),
        ("type_vocab_size", 0),
        ("intermediate_size", 1i64 << 40),
    ] {
        let broken = Broken::new();
        broken.config(field, value.into());
        let e = broken.error();
        assert_eq!(e.code(), "model.config", "{e}");
    }
    let relative = Broken::new();
    relative.config("position_embedding_type", "relative_key".into());
    assert_eq!(relative.error().code(), "model.config");
    let deeper = Broken::new();
    deeper.config("num_hidden_layers", 3.into());
    assert_eq!(deeper.error().code(), "model.tensor_missing");

    for junk in ["", "{}", "[CLS]\n[SEP]\n"] {
        let broken = Broken::new();
        broken.harm("tokenizer.json", |_| junk.into());
        assert_eq!(broken.error().code(), "model.tokenizer", "{junk:?}");
    }
    let more = Broken::new();
    more.harm("tokenizer.json", |b| {
        String::from_utf8(b).unwrap().replace("\"##z\": 66", "\"##z\": 4000").into()
    });
    let e = more.error();
    assert!(e.to_string().contains("4000"), "{e}");
    let mut short = spec(&fixture("bert"), Pooling::Cls);
    short.max_tokens = Some(2);
    assert_eq!(Encoder::open(&short, &Digests::default()).err().unwrap().code(), "model.tokenizer");
}

#[test]
fn pytorchs_file_gives_the_same_vectors() {
    let mut spec = spec(&fixture("bert"), Pooling::Mean);
    let usual = open(&spec);
    spec.files.weights = fixture("pickle").join("pytorch_model.bin");
    let other = open(&spec);
    let texts = ["where is the red car", "卡车"];
    let [a, b] = [usual, other].map(|e| e.encode_texts(&texts, Role::Query).unwrap());
    assert_eq!(a, b);
}

#[test]
fn a_word_list_serves_as_tokenizer() {
    let folder = Broken::new();
    let vocab = json(&fixture("bert").join("tokenizer.json"))["model"]["vocab"].clone();
    let mut vocab: Vec<(String, u64)> =
        serde_json::from_value::<HashMap<_, _>>(vocab).unwrap().into_iter().collect();
    vocab.sort_by_key(|(_, id)| *id);
    let lines: Vec<_> = vocab.into_iter().map(|(token, _)| token).collect();
    std::fs::write(folder.0.path().join("vocab.txt"), lines.join("\n")).unwrap();
    let mut spec = spec(folder.0.path(), Pooling::Mean);
    let usual = open(&spec);
    spec.files.tokenizer = Some(folder.0.path().join("vocab.txt"));
    let expected = json(&fixture("bert").join("expected.json"));
    let texts = texts(&expected);
    let [a, b] = [usual, open(&spec)].map(|e| e.encode_texts(&texts, Role::Query).unwrap());
    assert_eq!(a, b);
}
