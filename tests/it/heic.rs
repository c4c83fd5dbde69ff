//! HEIC, where this program reads it: equal to its source, upright once, within limits, hostile files refused; and a plain
//! sentence where it does not.

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::json;
use simile::photo::{Class, Format, Limits, READS_HEIC, classify, decode};
use simile::types::Coded;

use super::home::{Home, PHOTO_ENCODER};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos/heic").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum();
    sum / a.as_raw().len() as f64
}

#[test]
fn without_the_feature_a_sentence_says_what_to_do() {
    if READS_HEIC {
        return assert_eq!(classify("a.heic", b""), Class::Picture);
    }
    let refused = decode(&bytes("plain.heic"), &Limits::default()).unwrap_err();
    assert_eq!((refused.code(), classify("a.heic", b"")), ("photo.unsupported", Class::Heic));
    assert!(refused.to_string().contains("export it as JPEG"), "{refused}");
}

#[test]
fn every_heic_comes_out_as_it_went_in_and_upright_once() {
    if !READS_HEIC {
        return;
    }
    for name in ["plain", "turned", "mirrored", "alpha", "ten_bit"] {
        let photo = decode(&bytes(&format!("{name}.heic")), &Limits::default()).unwrap();
        let want = image::open(fixture(&format!("{name}.heic.png"))).unwrap().into_rgb8();
        let mean = mean_difference(&photo.pixels, &want);
        assert!(photo.format == Format::Heic && mean < 4.0, "{name}: differs by {mean:.2} on average");
    }
}

#[test]
fn a_heic_that_is_cut_huge_or_spoilt_is_an_error_of_the_item() {
    if !READS_HEIC {
        return;
    }
    let whole = bytes("plain.heic");
    for end in (12..whole.len()).step_by(37).chain([whole.len() - 1]) {
        let code = decode(&whole[..end], &Limits::default()).map(drop).unwrap_err().code();
        assert!(
            matches!(code, "photo.truncated" | "photo.damaged" | "photo.unsupported"),
            "cut at {end}: {code}"
        );
    }
    // The size that the header claims is judged before anything is decoded.
    let small = Limits { pixels: 1000, ..Limits::default() };
    assert_eq!(decode(&whole, &small).map(drop).unwrap_err().code(), "photo.too_large");
    let narrow = Limits { side: 79, ..Limits::default() };
    assert_eq!(decode(&whole, &narrow).map(drop).unwrap_err().code(), "photo.too_large");
    for claim in [[0xff_u8; 4], [0x00, 0x00, 0xff, 0xff], [0x7f, 0xff, 0xff, 0xff]] {
        let mut huge = whole.clone();
        let at = huge.windows(4).position(|w| w == b"ispe").unwrap() + 8;
        huge[at..at + 4].copy_from_slice(&claim);
        huge[at + 4..at + 8].copy_from_slice(&claim);
        let code = decode(&huge, &Limits::default()).map(drop).unwrap_err().code();
        assert!(matches!(code, "photo.too_large" | "photo.damaged"), "{claim:?}: {code}");
    }
    // A byte here and there: a picture or an error, never a panic.
    for at in (8..whole.len()).step_by(11) {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x5a;
        if let Err(e) = decode(&spoilt, &Limits::default()) {
            assert!(e.code().starts_with("photo."), "{at}: {e}");
        }
    }
}

#[test]
fn a_phone_s_folder_is_indexed_and_searched() {
    let home = Home::new();
    home.put("pics/IMG_0001.HEIC", &bytes("turned.heic"));
    home.put("pics/IMG_0002.jpg", &bytes("plain.heic"));
    home.put("pics/cut.heic", &bytes("plain.heic")[..3000]);
    let ran = home.run(["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"]);
    if !READS_HEIC {
        assert_eq!(ran.json()["skipped_kinds"], json!({"heic": 2}));
        return assert!(ran.err.contains("built without HEIC"), "{}", ran.err);
    }
    assert_eq!((ran.code, &ran.json()["indexed"]), (3, &json!(2)), "{ran:?}");
    assert_eq!(ran.json()["rejected"][0]["path"], "cut.heic");
    let answer = home.run(["search", "pics/IMG_0002.jpg", "--collection", "photos", "--json"]).ok().json();
    assert_eq!(answer["hits"].as_array().unwrap().len(), 2);
    assert!(answer["hits"][1]["score"].as_f64().unwrap() > 0.9, "the same scene, turned upright: {answer}");
    assert_eq!((&answer["hits"][1]["width"], &answer["hits"][1]["height"]), (&json!(80), &json!(60)));
}
