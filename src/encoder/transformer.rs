//! A text network in memory: our kernels on the CPU, candle elsewhere.

use std::cell::OnceCell;

use candle_core::Result;
use simile_compute::Isa;
use simile_compute::transformer::{self as kernels, Arithmetic};

use super::blueprint::{Blueprint, Shape};
use super::error::Loaded;
use super::layers::Layers;
use super::precision::How;
use super::tokens::Ids;
use super::{Pooling, Precision, precision, processor};

pub enum Transformer {
    Kernels(Box<kernels::Transformer>),
    Candle(Layers),
}

impl Transformer {
    /// A network of this shape, packed before if the shelf has it, else as `read` finds it in its file. `samples` are what
    /// `auto` checks bf16 on.
    pub fn load<'a>(
        shape: &Shape,
        read: impl Fn() -> Loaded<Blueprint<'a>>,
        How { device, setting, shelf }: How<'_>,
        samples: impl Fn() -> Loaded<Vec<Ids>>,
    ) -> Loaded<Self> {
        if !device.is_cpu() {
            return Ok(Self::Candle(Layers::new(read()?, device)?));
        }
        // Where `auto` packs a network twice, both share what was read.
        let blueprint = OnceCell::new();
        let pack = |arithmetic| {
            if blueprint.get().is_none() {
                let _ = blueprint.set(read()?);
            }
            let Blueprint { shape, embeddings, layers } = blueprint.get().expect("set above");
            let (sizes, order) = (shape.sizes, shape.order.clone());
            kernels::Transformer::new(arithmetic, sizes, embeddings.clone(), layers.read(), order)
        };
        let make = |arithmetic| {
            let Some(shelf) = shelf else { return pack(arithmetic) };
            let again = |kept| kernels::Transformer::again(arithmetic, shape.sizes, &shape.order, kept);
            let pack = || pack(arithmetic);
            shelf.kept_or_packed(precision::name(arithmetic), again, pack, kernels::Transformer::pieces)
        };
        let encode = |network: &kernels::Transformer| {
            let samples = samples()?;
            let texts: Vec<&[u32]> = samples.iter().map(|t| t.ids.as_slice()).collect();
            Ok(by_kernels(network, &texts, Pooling::Mean))
        };
        Ok(Self::Kernels(Box::new(precision::choose(setting, shelf, make, encode)?)))
    }

    /// The class of its vectors, and what it computes in.
    pub fn precision(&self) -> (Precision, &'static str) {
        let Self::Kernels(network) = self else { return (Precision::F32, "f32") };
        let class = match network.arithmetic() {
            Arithmetic::F32 | Arithmetic::Bf16 => Precision::F32,
            Arithmetic::Int8 => Precision::Int8,
        };
        (class, precision::name(network.arithmetic()))
    }

    /// One vector per text, in their order; the plain mean where the root of the length is wanted.
    pub fn encode(&self, texts: &[&[u32]], pooling: Pooling) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Kernels(network) => Ok(by_kernels(network, texts, pooling)),
            Self::Candle(layers) => layers.encode(texts, pooling),
        }
    }
}

fn by_kernels(network: &kernels::Transformer, texts: &[&[u32]], pooling: Pooling) -> Vec<Vec<f32>> {
    let rows = network.encode(Isa::current(), processor::pool(), texts, pooling.into());
    rows.chunks(network.dim()).map(<[f32]>::to_vec).collect()
}

impl From<Pooling> for simile_compute::Pooling {
    fn from(pooling: Pooling) -> Self {
        match pooling {
            Pooling::Cls => Self::First,
            // The root is the caller's.
            Pooling::Mean | Pooling::MeanSqrtLen => Self::Mean,
            Pooling::Max => Self::Max,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;
    use crate::config::PrecisionSetting;
    use crate::encoder::weights::Weights;
    use crate::encoder::{BertConfig, albert, bert};

    /// candle's network runs on cards only; here it runs where the tests are.
    #[test]
    fn candle_and_the_kernels_give_the_same_vectors() {
        let texts: [&[u32]; 4] = [&[2, 9, 4, 3], &[2, 3], &[2, 5, 6, 7, 8, 9, 10, 11, 3], &[2, 0, 7, 3]];
        for name in ["bert", "bert_prefixed", "albert_g1", "albert_g2", "multilingual"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(name);
            let config = std::fs::read(folder.join("config.json")).unwrap();
            let weights = Weights::open(&folder.join("model.safetensors"), Device::Cpu).unwrap();
            let read = || match name {
                "albert_g1" | "albert_g2" => {
                    albert::read(&weights, &serde_json::from_slice(&config).unwrap())
                }
                _ => {
                    let mut config: BertConfig = serde_json::from_slice(&config).unwrap();
                    let xlm = name == "multilingual";
                    config.position_offset = if xlm { 2 } else { 0 };
                    bert::read(&weights, &config, if xlm { "roberta." } else { "bert." })
                }
            };
            let exact = PrecisionSetting::F32;
            let shape = read().unwrap().shape;
            let kernels = Transformer::load(&shape, read, How::plain(exact), || Ok(Vec::new())).unwrap();
            let candle = Transformer::Candle(Layers::new(read().unwrap(), &Device::Cpu).unwrap());
            for pooling in [Pooling::Cls, Pooling::Mean, Pooling::Max] {
                let [ours, theirs] = [&kernels, &candle].map(|t| t.encode(&texts, pooling).unwrap());
                for (a, b) in ours.iter().flatten().zip(theirs.iter().flatten()) {
                    assert!((a - b).abs() <= 2e-5, "{name} {pooling:?}: {a} and {b}");
                }
            }
        }
    }
}
