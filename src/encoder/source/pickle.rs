//! Weights that a hub carries only as PyTorch's pickle become safetensors. Nothing in the pickle is run: candle
//! reads tensors from it and refuses the rest.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, pickle, safetensors};

use super::SourceError;

/// Replaces `pytorch_model.bin` in `staging`, if there and no safetensors is, by `model.safetensors`.
pub fn rewrite(staging: &Path) -> Result<(), SourceError> {
    let (from, to) = (staging.join("pytorch_model.bin"), staging.join("model.safetensors"));
    if !from.is_file() || to.is_file() {
        return Ok(());
    }
    let broken = |e: candle_core::Error| {
        // Fetched anew by the next pull.
        let _ = fs::remove_file(&from);
        // candle may add a backtrace.
        let why = e.to_string().lines().next().unwrap_or_default().to_owned();
        SourceError::Pickle { path: from.clone(), why }
    };
    let tensors = pickle::read_all(&from).map_err(broken)?;
    // Counters of positions and batches are no weights.
    let floats = tensors.into_iter().filter(|(_, t)| t.dtype().is_float() && t.dtype() != DType::F64);
    let tensors: HashMap<String, _> = floats.collect();
    let part = staging.join("model.safetensors.part");
    safetensors::save(&tensors, &part).map_err(broken)?;
    fs::rename(&part, &to).and_then(|()| fs::remove_file(&from)).map_err(|e| SourceError::io(&to, e))
}
