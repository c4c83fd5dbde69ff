//! Convolutional networks as a compiled plan: pixels to one vector.
//!
//! A [`Builder`] is told the layers in order; [`Builder::finish`] lays out the maps and packs the weights; a [`Net`]
//! then runs without allocating. Maps are NHWC. A convolution reads its input in place (no im2col): a *tap* is one
//! kernel row, whose kernel · channels inputs lie side by side. Maps that a 3×3 reads have a border of zeros that
//! nobody writes, so no kernel tests bounds. 3×3 with stride 1 goes by Winograd where that wins.

mod batch;
mod calibrate;
mod compile;
mod conv;
mod factor;
mod joined;
mod kept;
mod layout;
mod map;
mod max_pool;
mod mean;
mod net;
mod numbers;
mod photo;
mod plan;
mod pooled;
mod quantise;
mod rounding;
mod step;
#[cfg(test)]
mod tests;
mod winograd;

pub use calibrate::Calibration;
pub use net::Net;
pub use numbers::MapNumber;
pub use plan::{Builder, Layer, MapId, Normalise};
