//! Convolution, batch norm, residual and ReLU as one layer.

use candle_core::{Result, Tensor};
use simile_compute::convnet::Layer;

use super::error::Loaded;
use super::weights::Scope;

/// Batch norm's, in torchvision and timm.
const EPS: f32 = 1e-5;

/// What a convolution and its batch norm are called in the file.
pub struct Names {
    pub conv: String,
    pub norm: String,
}

impl Names {
    pub fn new(conv: impl Into<String>, norm: impl Into<String>) -> Self {
        Self { conv: conv.into(), norm: norm.into() }
    }

    /// Weights `[to, from, kernel, kernel]` and bias, with the batch norm folded in.
    pub fn read(&self, scope: &Scope, layer: &Layer) -> Loaded<(Vec<f32>, Vec<f32>)> {
        let Layer { from, to, kernel, .. } = *layer;
        let norm = scope.sub(&self.norm);
        let mut weight = scope.values(&format!("{}.weight", self.conv), &[to, from, kernel, kernel])?;
        let part = |name| norm.values(name, &[to]);
        let (gamma, mut bias) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        for (i, row) in weight.chunks_mut(from * kernel * kernel).enumerate() {
            let scale = gamma[i] / (variance[i] + EPS).sqrt();
            row.iter_mut().for_each(|w| *w *= scale);
            bias[i] -= mean[i] * scale;
        }
        Ok((weight, bias))
    }
}

/// A convolution on a device that has no kernels of ours.
pub struct Conv {
    layer: Layer,
    /// `[to, from, kernel, kernel]`
    weight: Tensor,
    /// `[1, to, 1, 1]`
    bias: Tensor,
}

impl Conv {
    pub fn load(scope: &Scope, names: &Names, layer: Layer) -> Loaded<Self> {
        let (weight, bias) = names.read(scope, &layer)?;
        let weight = scope.upload(weight, &[layer.to, layer.from, layer.kernel, layer.kernel])?;
        Ok(Self { layer, weight, bias: scope.upload(bias, &[1, layer.to, 1, 1])? })
    }

    /// `[n, from, h, w]` → `[n, to, h / stride, w / stride]`, rounded up; `add` before the ReLU.
    pub fn forward(&self, x: &Tensor, add: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        let y = x.conv2d(&self.weight, self.layer.kernel / 2, self.layer.stride, 1, 1)?;
        let y = y.broadcast_add(&self.bias)?;
        let y = match add {
            Some(add) => (y + add)?,
            None => y,
        };
        if relu { y.relu() } else { Ok(y) }
    }
}
