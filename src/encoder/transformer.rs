//! A text network in memory: our kernels on the CPU, candle elsewhere.

use candle_core::{Device, Result};
use simile_compute::transformer::{self as kernels, Arithmetic};
use simile_compute::{Isa, Pool};
use std::sync::LazyLock;

use super::Pooling;
use super::blueprint::Blueprint;
use super::error::Loaded;
use super::layers::Layers;

pub enum Transformer {
    Kernels(Box<kernels::Transformer>),
    Candle(Layers),
}

/// The threads of all encoders.
static POOL: LazyLock<Pool> =
    LazyLock::new(|| Pool::new(std::thread::available_parallelism().map_or(1, |n| n.get())));

impl Transformer {
    pub fn load(blueprint: Blueprint, device: &Device) -> Loaded<Self> {
        if !device.is_cpu() {
            return Ok(Self::Candle(Layers::new(blueprint, device)?));
        }
        let Blueprint { sizes, embeddings, layers, order } = blueprint;
        let network = kernels::Transformer::new(Arithmetic::F32, sizes, embeddings, layers.read(), order)?;
        Ok(Self::Kernels(Box::new(network)))
    }

    /// One vector per text, in their order.
    pub fn encode(&self, texts: &[&[u32]], pooling: Pooling) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Kernels(network) => {
                let rows = network.encode(Isa::current(), &POOL, texts, pooling.into());
                Ok(rows.chunks(network.dim()).map(<[f32]>::to_vec).collect())
            }
            Self::Candle(layers) => layers.encode(texts, pooling),
        }
    }
}

impl From<Pooling> for simile_compute::Pooling {
    fn from(pooling: Pooling) -> Self {
        match pooling {
            Pooling::Cls => Self::First,
            Pooling::Mean => Self::Mean,
            Pooling::Max => Self::Max,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
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
            let kernels = Transformer::load(read().unwrap(), &Device::Cpu).unwrap();
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
