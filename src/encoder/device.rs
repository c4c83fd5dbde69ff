//! Where tensors live. Nothing else knows that there is a choice.

use std::sync::OnceLock;

use candle_core::Device;

use crate::config::DeviceSetting;
use crate::types::{Coded, Fault};

static CHOSEN: OnceLock<Device> = OnceLock::new();

/// Why there is no card to compute on.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(
        "this simile was built without CUDA; build it with `cargo build --release --features cuda`, or compute with --device cpu"
    )]
    NotBuilt,
    #[error("no CUDA card can be used ({why}); compute with --device cpu")]
    NoCard { why: String },
}

impl Coded for DeviceError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotBuilt => "device.not_built",
            Self::NoCard { .. } => "device.no_card",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Unavailable
    }
}

/// Chooses where all encoders compute, told once before the first is loaded.
///
/// # Errors
/// Where a card is wanted and none can be used.
pub fn use_device(setting: DeviceSetting) -> Result<(), DeviceError> {
    let device = match setting {
        DeviceSetting::Cpu => Device::Cpu,
        DeviceSetting::Cuda => card()?,
        DeviceSetting::Auto => return Ok(()),
    };
    // A second, like call changes nothing.
    CHOSEN.set(device).ok();
    Ok(())
}

/// The chosen device; else a card that can be used, else the CPU.
pub fn device() -> Device {
    let auto = || {
        card().unwrap_or_else(|e| {
            if !matches!(e, DeviceError::NotBuilt) {
                tracing::info!("{e}; the processor computes");
            }
            Device::Cpu
        })
    };
    CHOSEN.get_or_init(auto).clone()
}

/// `cpu` or `CUDA card 0`.
pub fn device_name() -> &'static str {
    if device().is_cpu() { "cpu" } else { "CUDA card 0" }
}

#[cfg(not(feature = "cuda"))]
fn card() -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt)
}

#[cfg(feature = "cuda")]
fn card() -> Result<Device, DeviceError> {
    // Without a driver the CUDA library cannot be loaded, which would end the program: its device (WSL's is dxg) is
    // looked for first.
    let driver = ["/dev/nvidiactl", "/dev/dxg"].iter().any(|path| std::path::Path::new(path).exists());
    if !driver {
        return Err(DeviceError::NoCard { why: "there is no NVIDIA driver here".to_owned() });
    }
    Device::new_cuda(0).map_err(|e| DeviceError::NoCard { why: e.to_string() })
}
