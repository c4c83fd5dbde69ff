//! A photo model's `config.json`, as timm writes it, or torchvision's own weights: preprocessing, depth, licence.

use serde::Deserialize;
use serde_json::Value;

use super::{CARD, CONFIG, Folder};
use crate::encoder::card::{Card, CardPreprocess};
use crate::encoder::{EncoderError, ResNetConfig};
use crate::photo::{Filter, Preprocess};

/// Weights as torchvision names them: `resnet50-0676ba61.pth`.
pub struct Torchvision {
    pub depth: u32,
    /// The first of the hash of its second recipe, which is cropped from a short side of 232.
    second: bool,
}

impl Torchvision {
    pub fn of(file: &str) -> Option<Self> {
        const SECOND: [&str; 3] = ["11ad3fa6", "cd907fc2", "f82ba261"];
        let (depth, hash) = file.strip_prefix("resnet")?.strip_suffix(".pth")?.split_once('-')?;
        let depth = depth.parse().ok().filter(|&depth| ResNetConfig::of_depth(depth).is_some())?;
        Some(Self { depth, second: SECOND.contains(&hash) })
    }

    fn preprocess(&self) -> CardPreprocess {
        CardPreprocess {
            input: 224,
            crop_pct: if self.second { 224.0 / 232.0 } else { 0.875 },
            filter: Filter::Bilinear,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }
}

/// What timm's config says of the weights' licence.
pub fn licence(config: &Value) -> Option<String> {
    let licence = config.get("pretrained_cfg").and_then(|cfg| cfg.get("license")).or(config.get("license"))?;
    licence.as_str().map(str::to_owned).filter(|licence| !licence.is_empty())
}

impl Folder<'_> {
    pub(super) fn preprocess(
        &self,
        config: Option<&Value>,
        own: Option<&Card>,
    ) -> Result<Preprocess, EncoderError> {
        let timm = match (own.and_then(|card| card.preprocess.clone()), config) {
            (Some(card), _) => card,
            (None, Some(config)) => self.timm(config)?,
            (None, None) => match self.torchvision() {
                Some(weights) => weights.preprocess(),
                None => return Err(self.flaw(CARD, "[preprocess] is missing")),
            },
        };
        timm.resolve().ok_or_else(|| {
            self.flaw(CONFIG, format!("input size {} with crop_pct {}", timm.input, timm.crop_pct))
        })
    }

    /// timm's `pretrained_cfg`; what it leaves out is as in timm's own ResNets.
    fn timm(&self, config: &Value) -> Result<CardPreprocess, EncoderError> {
        #[derive(Deserialize)]
        struct Timm {
            input_size: Option<[u32; 3]>,
            crop_pct: Option<f64>,
            crop_mode: Option<String>,
            interpolation: Option<String>,
            mean: Option<[f32; 3]>,
            std: Option<[f32; 3]>,
        }
        let fields = config.get("pretrained_cfg").unwrap_or(config).clone();
        let timm: Timm = serde_json::from_value(fields).map_err(|e| self.flaw(CONFIG, e))?;
        let [channels, height, width] = timm.input_size.unwrap_or([3, 224, 224]);
        if channels != 3 || height != width {
            return Err(
                self.flaw(CONFIG, format!("input {channels}x{height}x{width} is no square of three colours"))
            );
        }
        if let Some(mode) = timm.crop_mode.filter(|mode| mode != "center") {
            return Err(self.flaw(CONFIG, format!("crop_mode {mode:?} is not computed; center is")));
        }
        let filter = match timm.interpolation.as_deref() {
            None | Some("bilinear") => Filter::Bilinear,
            Some("bicubic") => Filter::Bicubic,
            Some(other) => {
                return Err(self.flaw(
                    CONFIG,
                    format!("interpolation {other:?} is not computed; bilinear and bicubic are"),
                ));
            }
        };
        Ok(CardPreprocess {
            input: width,
            crop_pct: timm.crop_pct.unwrap_or(0.875),
            filter,
            mean: timm.mean.unwrap_or([0.485, 0.456, 0.406]),
            std: timm.std.unwrap_or([0.229, 0.224, 0.225]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torchvisions_names_tell_depth_and_recipe() {
        let first = Torchvision::of("resnet50-0676ba61.pth").unwrap();
        assert_eq!((first.depth, first.preprocess().resolve().unwrap().short), (50, 256));
        let second = Torchvision::of("resnet101-cd907fc2.pth").unwrap();
        assert_eq!((second.depth, second.preprocess().resolve().unwrap().short), (101, 232));
        for other in ["resnet50.pth", "resnet51-aa.pth", "resnext50-1.pth", "resnet18-1.bin", "vgg16-1.pth"] {
            assert!(Torchvision::of(other).is_none(), "{other}");
        }
    }
}
