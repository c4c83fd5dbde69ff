//! ResNet as torchvision builds it (V1.5), without the classifier: pixels to features.

use candle_core::{Result, Tensor};

use super::conv::{Conv, Shape};
use super::error::Loaded;
use super::weights::{Scope, Weights};
use super::{Block, ResNetConfig};

/// A loaded ResNet; its classifier, if stored, is never read.
pub struct ResNet {
    stem: Conv,
    blocks: Vec<Residual>,
}

struct Residual {
    path: Vec<Conv>,
    /// Where size or channels change.
    shortcut: Option<Conv>,
}

impl ResNet {
    /// Names as torchvision and timm store them.
    pub fn load(weights: &Weights, c: &ResNetConfig) -> Loaded<Self> {
        let root = weights.root("");
        let stem = Shape { from: 3, to: c.width, kernel: 7, stride: 2 };
        let mut blocks = Vec::new();
        let mut from = c.width;
        for (stage, &depth) in c.layers.iter().enumerate() {
            let width = c.width << stage;
            for i in 0..depth {
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                let scope = root.sub(format_args!("layer{}", stage + 1)).sub(i);
                let block = Residual::load(&scope, c.block, from, width, stride)?;
                blocks.push(block);
                from = width * c.block.expansion();
            }
        }
        Ok(Self { stem: Conv::load(&root, "conv1", "bn1", stem)?, blocks })
    }

    /// Normalised pixels `[n, 3, side, side]` → features `[n, dim]`
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let x = self.stem.forward(pixels, None, true)?;
        // Zeros are as good as minus infinity: nothing is negative after the ReLU.
        let x = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?.max_pool2d_with_stride(3, 2)?;
        self.blocks.iter().try_fold(x, |x, block| block.forward(&x))?.flatten_from(2)?.mean(2)
    }
}

impl Residual {
    fn load(scope: &Scope, block: Block, from: usize, width: usize, stride: usize) -> Loaded<Self> {
        let to = width * block.expansion();
        let shapes = match block {
            Block::Basic => vec![
                Shape { from, to: width, kernel: 3, stride },
                Shape { from: width, to, kernel: 3, stride: 1 },
            ],
            Block::Bottleneck => vec![
                Shape { from, to: width, kernel: 1, stride: 1 },
                Shape { from: width, to: width, kernel: 3, stride },
                Shape { from: width, to, kernel: 1, stride: 1 },
            ],
        };
        let conv = |(i, shape)| Conv::load(scope, &format!("conv{}", i + 1), &format!("bn{}", i + 1), shape);
        let path = shapes.into_iter().enumerate().map(conv).collect::<Loaded<_>>()?;
        let shortcut = (stride != 1 || from != to)
            .then(|| Conv::load(scope, "downsample.0", "downsample.1", Shape { from, to, kernel: 1, stride }))
            .transpose()?;
        Ok(Self { path, shortcut })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(x, None, false)?,
            None => x.clone(),
        };
        let (last, first) = self.path.split_last().expect("two or three convolutions");
        let inner = first.iter().try_fold(x.clone(), |x, conv| conv.forward(&x, None, true))?;
        last.forward(&inner, Some(&shortcut), true)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use candle_core::Device;
    use safetensors::SafeTensors;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(name)
    }

    fn load(name: &str) -> ResNet {
        let config =
            serde_json::from_slice(&std::fs::read(folder(name).join("resnet.json")).unwrap()).unwrap();
        let weights = Weights::open(&folder(name).join("model.safetensors"), Device::Cpu).unwrap();
        ResNet::load(&weights, &config).unwrap()
    }

    /// Largest difference of normalised features from torchvision's.
    fn error(resnet: &ResNet, name: &str, side: usize) -> f32 {
        let file = std::fs::read(folder(name).join("expected.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        let crops = file.tensor(&format!("crops_{side}")).unwrap();
        let n = crops.shape()[0];
        let crops = Tensor::from_slice(crops.data(), (n, side, side, 3), &Device::Cpu).unwrap();
        let mean = Tensor::new(&[0.485f32, 0.456, 0.406], &Device::Cpu).unwrap();
        let std = Tensor::new(&[0.229f32, 0.224, 0.225], &Device::Cpu).unwrap();
        let pixels = (crops.to_dtype(candle_core::DType::F32).unwrap() / 255.0).unwrap();
        let pixels = pixels.broadcast_sub(&mean).unwrap().broadcast_div(&std).unwrap();
        let features = resnet.forward(&pixels.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()).unwrap();
        let norm = features.sqr().unwrap().sum_keepdim(1).unwrap().sqrt().unwrap();
        let got = features.broadcast_div(&norm).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let want = file.tensor(&format!("features_{side}")).unwrap();
        let want = want.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b));
        assert_eq!(want.len(), got.len());
        got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn features_are_torchvisions() {
        for name in ["resnet_basic", "resnet_bottleneck", "resnet_int8"] {
            let resnet = load(name);
            for side in [64, 57] {
                let error = error(&resnet, name, side);
                assert!(error <= 1e-5, "{name} at {side}: {error}");
            }
        }
    }

    #[test]
    fn both_ways_of_a_convolution_agree() {
        let resnet = load("resnet_bottleneck");
        let x = Tensor::rand(-1f32, 1.0, (2, 3, 37, 43), &Device::Cpu).unwrap();
        let ours = resnet.stem.forward(&x, None, true).unwrap();
        let candles = resnet.stem.forward_elsewhere(&x, None, true).unwrap();
        let error = (ours - candles).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(error <= 1e-5, "{error}");
    }
}
