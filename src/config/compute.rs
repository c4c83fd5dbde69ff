//! How encoders compute: in which numbers, and on which instructions.

use simile_compute::Isa;

use super::file::File;
use super::{ConfigError, Vars, text};

/// What encoders are asked to compute in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionSetting {
    /// bf16 where the processor has it and the encoder's own check passes, else f32.
    #[default]
    Auto,
    F32,
    /// Shares its vectors with f32.
    Bf16,
    /// Vectors of a class of their own.
    Int8,
}

impl std::str::FromStr for PrecisionSetting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            _ => Err("write auto, f32, bf16 or int8".to_owned()),
        }
    }
}

impl std::fmt::Display for PrecisionSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// Where encoders compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceSetting {
    /// A CUDA card where simile was built for it and one is there, else the processor.
    #[default]
    Auto,
    Cpu,
    /// A CUDA card, or an error.
    Cuda,
}

impl std::str::FromStr for DeviceSetting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => Err("write auto, cpu or cuda".to_owned()),
        }
    }
}

/// How encoders compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compute {
    pub precision: PrecisionSetting,
    pub device: DeviceSetting,
    /// SIMILE_ISA; `None` means the best that this processor has.
    pub isa: Option<Isa>,
}

impl Compute {
    /// # Errors
    /// `Value` for a SIMILE_PRECISION or a SIMILE_DEVICE that is none, or a SIMILE_ISA that this processor does not have.
    pub(super) fn from_vars(
        var: Vars<'_>,
        file: &File,
        flag: Option<PrecisionSetting>,
        device: Option<DeviceSetting>,
    ) -> Result<Self, ConfigError> {
        let value = |name, value, want| ConfigError::Value { name, value, want };
        let precision = match (flag, text(var, "SIMILE_PRECISION")) {
            (Some(precision), _) => precision,
            (None, None) => file.precision.unwrap_or_default(),
            (None, Some(said)) => said
                .parse()
                .map_err(|_| value("SIMILE_PRECISION", said, "precision (auto, f32, bf16 or int8)"))?,
        };
        let device = match (device, text(var, "SIMILE_DEVICE")) {
            (Some(device), _) => device,
            (None, None) => file.device.unwrap_or_default(),
            (None, Some(said)) => {
                said.parse().map_err(|_| value("SIMILE_DEVICE", said, "device (auto, cpu or cuda)"))?
            }
        };
        let want = "instruction set of this processor (scalar, avx2 or avx512)";
        let isa = match (text(var, "SIMILE_ISA"), file.isa.clone()) {
            (None, None) => None,
            (Some(name), _) => Some(Isa::named(&name).ok_or_else(|| value("SIMILE_ISA", name, want))?),
            (None, Some(name)) => Some(Isa::named(&name).ok_or_else(|| value("isa", name, want))?),
        };
        Ok(Self { precision, device, isa })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn precision_and_instructions_are_set_by_name() {
        let with = |vars: &'static [(&str, &str)], flag| {
            let find = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
            Compute::from_vars(&find, &File::default(), flag, None)
        };
        assert_eq!(with(&[], None).unwrap(), Compute::default());
        let vars: &[_] = &[("SIMILE_PRECISION", "int8"), ("SIMILE_ISA", "scalar"), ("SIMILE_DEVICE", "cpu")];
        let (precision, device) = (PrecisionSetting::Int8, DeviceSetting::Cpu);
        let set = Compute { precision, device, isa: Some(Isa::SCALAR) };
        assert_eq!(with(vars, None).unwrap(), set);
        let flag = Some(PrecisionSetting::F32);
        assert_eq!(with(vars, flag).unwrap(), Compute { precision: PrecisionSetting::F32, ..set });
        for vars in [&[("SIMILE_PRECISION", "f64")], &[("SIMILE_ISA", "neon9")], &[("SIMILE_DEVICE", "tpu")]]
        {
            assert!(matches!(with(vars, None), Err(ConfigError::Value { .. })));
        }
    }
}
