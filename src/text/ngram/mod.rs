//! Texts as vectors without a model: signed hashing of words and character n-grams. Knows no encoder.

mod features;
mod weights;

pub use weights::{Weights, WeightsError};

use features::Features;

/// Numbers in a vector.
pub const DIM: usize = 768;

/// Raised when the same text and weights give another vector.
pub const REVISION: u32 = 1;

/// The vector of a text, [`DIM`] numbers of length one; `None` if the text has no letter, digit or sign to count.
///
/// Each n-gram goes, with a sign, to four of the places, one in each quarter: its collisions then differ from
/// quarter to quarter. A repeated n-gram counts once.
pub fn vector(text: &str, weights: &Weights) -> Option<Vec<f32>> {
    const SIGNS: usize = 4;
    const QUARTER: u64 = (DIM / SIGNS) as u64;
    let mut sums = vec![0.0f64; DIM];
    for (hash, weight) in Features::of(text).iter() {
        let weight = f64::from(weight * weights.of(hash));
        let mut bits = hash;
        for quarter in 0..SIGNS {
            bits = features::mix(bits.wrapping_add(0x9E37_79B9_7F4A_7C15));
            let place = ((bits >> 32) * QUARTER) >> 32;
            sums[quarter * QUARTER as usize + place as usize] += if bits & 1 == 0 { weight } else { -weight };
        }
    }
    let norm = sums.iter().map(|v| v * v).sum::<f64>().sqrt();
    (norm > 0.0).then(|| sums.iter().map(|v| (v / norm) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str, weights: &Weights) -> f32 {
        let (a, b) = (vector(a, weights).unwrap(), vector(b, weights).unwrap());
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_that_share_words_are_near() {
        let even = Weights::even();
        for (query, near, far) in [
            ("怎么退款", "如何申请退款？", "门店几点开门"),
            ("track my parcels", "How can I track a parcel?", "What are your opening hours?"),
            ("ＷｉＦｉ断线", "wifi 总是断线", "打印机没有纸"),
            ("💥", "💥!", "💤"),
            ("フォルダの追加", "フォルダを追加する", "天気はどうですか"),
        ] {
            let (near, far) = (cosine(query, near, &even), cosine(query, far, &even));
            assert!(near > far + 0.2, "{query}: {near} {far}");
        }
        assert!((cosine("How do I?", "how do i", &even) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_text_of_nothing_has_no_vector() {
        for empty in ["", " \n\t", "\u{200b}\u{feff}"] {
            assert_eq!(vector(empty, &Weights::even()), None, "{empty:?}");
        }
        for something in ["a", "!?", "7", "的", "the", "🚚"] {
            let v = vector(something, &Weights::even()).unwrap();
            let norm = v.iter().map(|v| v * v).sum::<f32>();
            assert!((norm - 1.0).abs() < 1e-5, "{something}");
        }
    }

    /// Vectors lie on disk: the same on every machine, and for as long as `REVISION` stays.
    #[test]
    fn the_hash_never_changes() {
        let v = vector("Pay 退款", &Weights::even()).unwrap();
        let filled = v.iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, v)| format!("{i}:{v:.4}"));
        let digest = blake3::hash(filled.collect::<Vec<_>>().join(" ").as_bytes()).to_hex();
        assert_eq!(&digest[..16], "41d61a7a7b805e12");
    }
}
