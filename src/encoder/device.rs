//! Where tensors live. Nothing else knows that there is a choice.

use candle_core::Device;

/// CUDA if it was compiled in and a card is there, else the CPU.
pub fn device() -> Device {
    #[cfg(feature = "cuda")]
    match Device::cuda_if_available(0) {
        Ok(device) => return device,
        Err(e) => tracing::warn!("CUDA cannot be used, the CPU is: {e}"),
    }
    Device::Cpu
}
