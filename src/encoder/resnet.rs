//! ResNet as torchvision builds it (V1.5), without the classifier: crops to features. Our kernels on the CPU, candle
//! elsewhere.

use candle_core::{DType, Device, Result, Tensor};
use simile_compute::Isa;
use simile_compute::convnet::{Builder, Calibration, Layer, MapId, MapNumber, Net, Normalise};
use simile_compute::number::{B16, F32, U8S8};
use simile_compute::transformer::Arithmetic;

use super::conv::{Conv, Names};
use super::error::Loaded;
use super::packed::Shelf;
use super::precision::How;
use super::weights::{Unopened, Weights};
use super::{Block, EncoderError, Precision, ResNetConfig, precision, processor, samples};
use crate::photo::{Crop, Preprocess, leaves};

/// Crops in one pass on a card.
const PASS: usize = 32;
/// Sample photos that bf16 is checked on.
const CHECKED: usize = 4;

/// A loaded ResNet; its classifier, if stored, is never read.
pub enum ResNet {
    Single(Box<Net<F32>>),
    Brain(Box<Net<B16>>),
    Byte(Box<Net<U8S8>>),
    Candle(Box<Layers>),
}

impl ResNet {
    /// For crops as `preprocess` makes them, packed before if the shelf has it. On a card it is f32, whatever is asked for.
    pub fn load(
        file: &Unopened<'_>,
        c: &ResNetConfig,
        preprocess: &Preprocess,
        How { device, setting, shelf }: How<'_>,
    ) -> Loaded<Self> {
        let normalise = Normalise { mean: preprocess.mean, std: preprocess.std };
        if !device.is_cpu() {
            return Ok(Self::Candle(Box::new(Layers::load(file.weights()?, c, normalise, device)?)));
        }
        let side = preprocess.crop as usize;
        let plan = Plan::new(c, side, normalise);
        let make = |arithmetic| match arithmetic {
            Arithmetic::F32 => {
                Ok(Self::Single(Box::new(plan.kept_or_packed(shelf, || plan.pack(file.weights()?, None))?)))
            }
            Arithmetic::Bf16 => {
                Ok(Self::Brain(Box::new(plan.kept_or_packed(shelf, || plan.pack(file.weights()?, None))?)))
            }
            Arithmetic::Int8 => Ok(Self::Byte(Box::new(plan.kept_or_packed(shelf, || {
                let weights = file.weights()?;
                let crops = samples::crops(preprocess, usize::MAX);
                let mirrored: Vec<_> = crops.iter().map(Crop::mirrored).collect();
                let leaves: Vec<_> = (0..crops.len() as u32).map(|i| leaves(preprocess.crop, i)).collect();
                let photos = crops.iter().chain(&mirrored).map(Crop::pixels);
                let exact = plan.pack(weights, None)?;
                let calibration = plan.calibration(exact, photos, leaves.iter().map(Crop::pixels));
                plan.pack(weights, Some(&calibration))
            })?))),
        };
        let encode = |network: &Self| {
            let crops = samples::crops(preprocess, CHECKED);
            Ok(network.by_kernels(&crops.iter().map(Crop::pixels).collect::<Vec<_>>()).unwrap_or_default())
        };
        precision::choose(setting, shelf, make, encode)
    }

    /// The class of its vectors, and what it computes in.
    pub fn precision(&self) -> (Precision, &'static str) {
        match self {
            Self::Single(_) | Self::Candle(_) => (Precision::F32, "f32"),
            Self::Brain(_) => (Precision::F32, "bf16"),
            Self::Byte(_) => (Precision::Int8, "int8"),
        }
    }

    fn by_kernels(&self, crops: &[&[u8]]) -> Option<Vec<Vec<f32>>> {
        let (isa, pool) = (Isa::current(), processor::pool());
        match self {
            Self::Single(net) => Some(net.run(isa, pool, crops)),
            Self::Brain(net) => Some(net.run(isa, pool, crops)),
            Self::Byte(net) => Some(net.run(isa, pool, crops)),
            Self::Candle(_) => None,
        }
    }

    /// RGB crops, row by row → features, in their order.
    pub fn encode(&self, crops: &[&[u8]], side: usize) -> Result<Vec<Vec<f32>>> {
        if let Self::Candle(layers) = self {
            let passes: Vec<_> = crops.chunks(PASS).map(|c| layers.encode(c, side)).collect::<Result<_>>()?;
            return Ok(passes.into_iter().flatten().collect());
        }
        Ok(self.by_kernels(crops).expect("all others are kernels"))
    }
}

/// One residual block.
struct Residual {
    /// The folder of its tensors, as `layer1.0`.
    scope: String,
    path: Vec<(Names, Layer)>,
    /// Where size or channels change.
    shortcut: Option<(Names, Layer)>,
}

/// The stem and the blocks, with the names that torchvision and timm give them.
fn blueprint(c: &ResNetConfig) -> ((Names, Layer), Vec<Residual>) {
    let stem = (Names::new("conv1", "bn1"), Layer { from: 3, to: c.width, kernel: 7, stride: 2 });
    let (mut blocks, mut from) = (Vec::new(), c.width);
    for (stage, &depth) in c.layers.iter().enumerate() {
        let width = c.width << stage;
        for i in 0..depth {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            let scope = format!("layer{}.{i}", stage + 1);
            blocks.push(Residual::new(scope, c.block, from, width, stride));
            from = width * c.block.expansion();
        }
    }
    (stem, blocks)
}

impl Residual {
    fn new(scope: String, block: Block, from: usize, width: usize, stride: usize) -> Self {
        let to = width * block.expansion();
        let layers = match block {
            Block::Basic => vec![
                Layer { from, to: width, kernel: 3, stride },
                Layer { from: width, to, kernel: 3, stride: 1 },
            ],
            Block::Bottleneck => vec![
                Layer { from, to: width, kernel: 1, stride: 1 },
                Layer { from: width, to: width, kernel: 3, stride },
                Layer { from: width, to, kernel: 1, stride: 1 },
            ],
        };
        let named = |(i, layer)| (Names::new(format!("conv{}", i + 1), format!("bn{}", i + 1)), layer);
        let path = layers.into_iter().enumerate().map(named).collect();
        let shortcut = (stride != 1 || from != to)
            .then(|| (Names::new("downsample.0", "downsample.1"), Layer { from, to, kernel: 1, stride }));
        Self { scope, path, shortcut }
    }
}

/// The network as steps, and whose weights each convolution takes, in their order: scope and names.
struct Plan {
    builder: Builder,
    files: Vec<(String, Names)>,
    normalise: Normalise,
}

impl Plan {
    fn new(c: &ResNetConfig, side: usize, normalise: Normalise) -> Self {
        let (stem, blocks) = blueprint(c);
        let mut builder = Builder::new(side, side);
        let mut files = Vec::new();
        let x = builder.conv(builder.input(), stem.1, None, true);
        files.push((String::new(), stem.0));
        let mut x = builder.max_pool(x);
        for block in blocks {
            let mut conv = |names: Names, from, layer, add: Option<MapId>, relu| {
                files.push((block.scope.clone(), names));
                builder.conv(from, layer, add, relu)
            };
            let shortcut = match block.shortcut {
                Some((names, layer)) => conv(names, x, layer, None, false),
                None => x,
            };
            let last = block.path.len() - 1;
            for (i, (names, layer)) in block.path.into_iter().enumerate() {
                x = conv(names, x, layer, (i == last).then_some(shortcut), true);
            }
        }
        Self { builder, files, normalise }
    }

    /// What int8 is made with.
    fn calibration<'p>(
        &self,
        exact: Net<F32>,
        photos: impl IntoIterator<Item = &'p [u8]>,
        others: impl IntoIterator<Item = &'p [u8]>,
    ) -> Calibration<'static> {
        Calibration::new(&self.builder, &exact, Isa::current(), processor::pool(), photos, others)
    }

    /// `calibration`: for int8 only.
    fn pack<N: MapNumber>(&self, weights: &Weights, calibration: Option<&Calibration<'_>>) -> Loaded<Net<N>> {
        let root = weights.root("");
        let mut files = self.files.iter();
        self.builder.finish(self.normalise, calibration, |layer| {
            let (scope, names) = files.next().expect("as many names as convolutions");
            let scope = if scope.is_empty() { root.clone() } else { root.sub(scope) };
            names.read(&scope, layer)
        })
    }

    fn kept_or_packed<N: MapNumber>(
        &self,
        shelf: Option<&Shelf<'_>>,
        pack: impl FnOnce() -> Loaded<Net<N>>,
    ) -> Loaded<Net<N>> {
        let Some(shelf) = shelf else { return pack() };
        shelf.kept_or_packed(N::NAME, |kept| self.builder.again(self.normalise, kept), pack, Net::pieces)
    }
}

/// The network in candle's tensors.
pub struct Layers {
    stem: Conv,
    blocks: Vec<(Vec<Conv>, Option<Conv>)>,
    normalise: Normalise,
    device: Device,
}

impl Layers {
    fn load(weights: &Weights, c: &ResNetConfig, normalise: Normalise, device: &Device) -> Loaded<Self> {
        let root = weights.root("");
        let (stem, blocks) = blueprint(c);
        let block = |block: Residual| {
            let scope = root.sub(&block.scope);
            let conv = |(names, layer): (Names, Layer)| Conv::load(&scope, &names, layer);
            let path = block.path.into_iter().map(conv).collect::<Loaded<_>>()?;
            Ok::<_, EncoderError>((path, block.shortcut.map(conv).transpose()?))
        };
        let blocks = blocks.into_iter().map(block).collect::<Loaded<_>>()?;
        Ok(Self { stem: Conv::load(&root, &stem.0, stem.1)?, blocks, normalise, device: device.clone() })
    }

    fn encode(&self, crops: &[&[u8]], side: usize) -> Result<Vec<Vec<f32>>> {
        let bytes = Tensor::from_vec(crops.concat(), (crops.len(), side, side, 3), &self.device)?;
        let pixels = (bytes.to_dtype(DType::F32)? / 255.0)?;
        let constant = |v: &[f32; 3]| Tensor::new(v, &self.device);
        let pixels = pixels.broadcast_sub(&constant(&self.normalise.mean)?)?;
        let pixels = pixels.broadcast_div(&constant(&self.normalise.std)?)?;
        let x = self.stem.forward(&pixels.permute((0, 3, 1, 2))?.contiguous()?, None, true)?;
        // Zeros are as good as minus infinity: nothing is negative after the ReLU.
        let mut x = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?.max_pool2d_with_stride(3, 2)?;
        for (path, shortcut) in &self.blocks {
            let add = match shortcut {
                Some(conv) => conv.forward(&x, None, false)?,
                None => x.clone(),
            };
            for (i, conv) in path.iter().enumerate() {
                x = conv.forward(&x, (i == path.len() - 1).then_some(&add), true)?;
            }
        }
        x.flatten_from(2)?.mean(2)?.to_vec2()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use safetensors::SafeTensors;

    use super::*;
    use crate::config::PrecisionSetting;
    use crate::photo::Filter;

    const NORMALISE: Normalise = Normalise { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(name)
    }

    fn opened(name: &str) -> (Weights, ResNetConfig) {
        let config = std::fs::read(folder(name).join("resnet.json")).unwrap();
        let weights = Weights::open(&folder(name).join("model.safetensors"), Device::Cpu).unwrap();
        (weights, serde_json::from_slice(&config).unwrap())
    }

    /// Normalised features, and torchvision's.
    fn features(network: &ResNet, name: &str, side: usize) -> [Vec<Vec<f32>>; 2] {
        let file = std::fs::read(folder(name).join("expected.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        let crops = file.tensor(&format!("crops_{side}")).unwrap();
        let crops: Vec<&[u8]> = crops.data().chunks(side * side * 3).collect();
        let rows = network.encode(&crops, side).unwrap();
        let unit = |row: Vec<f32>| {
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter().map(|v| v / norm).collect::<Vec<_>>()
        };
        let want = file.tensor(&format!("features_{side}")).unwrap();
        let want: Vec<f32> = want.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let want = want.chunks(rows[0].len()).map(<[f32]>::to_vec).collect::<Vec<_>>();
        assert_eq!(want.len(), rows.len());
        [rows.into_iter().map(unit).collect(), want]
    }

    fn error(network: &ResNet, name: &str, side: usize) -> f32 {
        let [got, want] = features(network, name, side);
        got.iter().flatten().zip(want.iter().flatten()).map(|(g, w)| (g - w).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn features_are_torchvisions_by_kernels_and_by_candle() {
        for name in ["resnet_basic", "resnet_bottleneck", "resnet_int8"] {
            let (weights, config) = opened(name);
            for side in [64, 57] {
                let kernels = Plan::new(&config, side, NORMALISE).pack(&weights, None).unwrap();
                let kernels = error(&ResNet::Single(Box::new(kernels)), name, side);
                assert!(kernels <= 1e-5, "{name} at {side}: {kernels}");
                // candle's network runs on cards only; here it runs where the tests are.
                let candle = Layers::load(&weights, &config, NORMALISE, &Device::Cpu).unwrap();
                let candle = error(&ResNet::Candle(Box::new(candle)), name, side);
                assert!(candle <= 1e-5, "{name} at {side} by candle: {candle}");
            }
        }
    }

    #[test]
    fn every_precision_is_near_torchvision() {
        for name in ["resnet_basic", "resnet_bottleneck"] {
            let (_, config) = opened(name);
            let [mean, std] = [NORMALISE.mean, NORMALISE.std];
            let preprocess = Preprocess { short: 64, crop: 64, filter: Filter::Bilinear, mean, std };
            for (asked, said, least) in [
                (PrecisionSetting::Auto, "", 0.9999),
                (PrecisionSetting::F32, "f32", 0.999_999),
                (PrecisionSetting::Bf16, "bf16", 0.9999),
                (PrecisionSetting::Int8, "int8", 0.95),
            ] {
                let path = folder(name).join("model.safetensors");
                let file = Unopened::new(&path, &Device::Cpu);
                let network = ResNet::load(&file, &config, &preprocess, How::plain(asked)).unwrap();
                let (class, numbers) = network.precision();
                match asked {
                    // These networks pass their own check.
                    PrecisionSetting::Auto if Isa::current().has_bf16() => assert_eq!(numbers, "bf16"),
                    PrecisionSetting::Auto => assert_eq!(numbers, "f32"),
                    _ => assert_eq!(numbers, said),
                }
                assert_eq!(class == Precision::Int8, numbers == "int8");
                let [got, want] = features(&network, name, 64);
                for (got, want) in got.iter().zip(&want) {
                    let cosine: f32 = got.iter().zip(want).map(|(g, w)| g * w).sum();
                    println!("{name} in {asked:?}: {cosine}");
                    assert!(cosine >= least, "{name} in {asked:?}: {cosine}");
                }
            }
        }
    }
}
