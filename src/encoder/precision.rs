//! Which numbers a text network computes in: what was asked, and what the encoder's own check says to it.

use candle_core::Device;
use simile_compute::Isa;
use simile_compute::transformer::Arithmetic;

use super::Precision;
use super::error::Loaded;
use super::packed::Shelf;
use crate::config::PrecisionSetting;
use crate::text::table::questions::read_questions;

/// Lowest cosine between a text's vectors in bf16 and f32 for which bf16 is taken.
pub const LEAST_COSINE: f64 = 0.9999;

/// Texts per language that the check encodes.
const CHECKED: usize = 4;

/// How a network is to be computed.
#[derive(Clone, Copy)]
pub struct How<'a> {
    pub device: &'a Device,
    pub setting: PrecisionSetting,
    /// Where it may be packed already.
    pub shelf: Option<&'a Shelf<'a>>,
}

impl<'a> How<'a> {
    /// On the CPU, packed anew.
    #[cfg(test)]
    pub fn plain(setting: PrecisionSetting) -> Self {
        Self { device: &Device::Cpu, setting, shelf: None }
    }
}

/// The class of vectors that a setting gives.
pub fn class(setting: PrecisionSetting) -> Precision {
    match setting {
        PrecisionSetting::Auto | PrecisionSetting::F32 | PrecisionSetting::Bf16 => Precision::F32,
        PrecisionSetting::Int8 => Precision::Int8,
    }
}

/// As settings and logs call it.
pub fn name(arithmetic: Arithmetic) -> &'static str {
    match arithmetic {
        Arithmetic::F32 => "f32",
        Arithmetic::Bf16 => "bf16",
        Arithmetic::Int8 => "int8",
    }
}

/// Makes a network in what `setting` asks for. `auto` makes it in both, and takes bf16 if `encode` gives nearly the same
/// for it; what it took is noted on the shelf, and not asked again.
pub fn choose<T>(
    setting: PrecisionSetting,
    shelf: Option<&Shelf<'_>>,
    make: impl Fn(Arithmetic) -> Loaded<T>,
    encode: impl Fn(&T) -> Loaded<Vec<Vec<f32>>>,
) -> Loaded<T> {
    match setting {
        PrecisionSetting::F32 => make(Arithmetic::F32),
        PrecisionSetting::Bf16 => make(Arithmetic::Bf16),
        PrecisionSetting::Int8 => make(Arithmetic::Int8),
        PrecisionSetting::Auto if !Isa::current().has_bf16() => make(Arithmetic::F32),
        PrecisionSetting::Auto => {
            let noted = shelf.and_then(Shelf::choice);
            let both = [Arithmetic::Bf16, Arithmetic::F32];
            if let Some(known) = both.into_iter().find(|&a| noted.as_deref() == Some(name(a))) {
                return make(known);
            }
            let exact = make(Arithmetic::F32)?;
            let want = encode(&exact)?;
            let rounded = make(Arithmetic::Bf16)?;
            let got = encode(&rounded)?;
            let lowest = want.iter().zip(&got).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
            let (taken, network) = match lowest >= LEAST_COSINE {
                true => (Arithmetic::Bf16, rounded),
                false => (Arithmetic::F32, exact),
            };
            if let Some(shelf) = shelf {
                shelf.note_choice(name(taken));
            }
            Ok(network)
        }
    }
}

/// Questions of the samples, some in English and some in Chinese.
pub fn samples() -> Vec<String> {
    let files: [(&[u8], &str); 2] = [
        (include_bytes!("../../samples/questions-en.csv"), "questions-en.csv"),
        (include_bytes!("../../samples/questions-zh.csv"), "questions-zh.csv"),
    ];
    let questions = |(bytes, name)| read_questions(bytes, name).expect("a test reads it").into_iter();
    files.into_iter().flat_map(|file| questions(file).take(CHECKED).map(|q| q.query)).collect()
}

/// NaN, which is below everything, where a vector is not finite.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if cosine.is_nan() { f64::NEG_INFINITY } else { cosine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_taken_only_if_it_gives_nearly_the_same() {
        assert_eq!(samples().len(), 2 * CHECKED);
        let auto = |off: f32| {
            let encode = |made: &Arithmetic| {
                let x = if *made == Arithmetic::F32 { 0.0 } else { off };
                Ok(vec![vec![1.0, 0.0], vec![1.0, x]])
            };
            choose(PrecisionSetting::Auto, None, Ok, encode).unwrap()
        };
        let has = Isa::current().has_bf16();
        assert_eq!(auto(0.001), if has { Arithmetic::Bf16 } else { Arithmetic::F32 });
        assert_eq!(auto(0.1), Arithmetic::F32);
        assert_eq!(auto(f32::NAN), Arithmetic::F32);
        let never = |_: &Arithmetic| panic!("nothing to compare");
        for (setting, want) in
            [(PrecisionSetting::F32, Arithmetic::F32), (PrecisionSetting::Int8, Arithmetic::Int8)]
        {
            assert_eq!(choose(setting, None, Ok, never).unwrap(), want);
        }
    }
}
