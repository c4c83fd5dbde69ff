//! What sentence-transformers computes behind pooling: dense layers, and unit length between them.

use candle_core::Device;

use super::error::Loaded;
use super::weights::Weights;
use super::{Squash, Step};

/// Loaded steps, in order; none leaves a vector as it is.
pub struct Head(Vec<Part>);

enum Part {
    Normalize,
    /// `weight` is `[out, in]`.
    Dense {
        weight: Vec<f32>,
        bias: Vec<f32>,
        squash: Squash,
    },
}

impl Head {
    pub fn load(steps: &[Step]) -> Loaded<Self> {
        let part = |step: &Step| match step {
            Step::Normalize => Ok(Part::Normalize),
            Step::Dense { input, output, bias, squash, weights } => {
                let weights = Weights::open(weights, Device::Cpu)?;
                let linear = weights.root("linear.");
                let weight = linear.values("weight", &[*output, *input])?;
                let bias = if *bias { linear.values("bias", &[*output])? } else { vec![0.0; *output] };
                Ok(Part::Dense { weight, bias, squash: *squash })
            }
        };
        Ok(Self(steps.iter().map(part).collect::<Loaded<_>>()?))
    }

    /// A pooled vector, `[in]` → `[out]`.
    pub fn forward(&self, row: Vec<f32>) -> Vec<f32> {
        self.0.iter().fold(row, |mut row, part| match part {
            Part::Normalize => {
                let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
                row.iter_mut().for_each(|v| *v /= length);
                row
            }
            // Less than a hundredth of the network's work.
            Part::Dense { weight, bias, squash } => {
                let dot = |w: &[f32]| w.iter().zip(&row).map(|(w, v)| w * v).sum::<f32>();
                let out = weight.chunks(row.len()).zip(bias).map(|(w, b)| dot(w) + b);
                match squash {
                    Squash::Identity => out.collect(),
                    Squash::Tanh => out.map(f32::tanh).collect(),
                }
            }
        })
    }
}
