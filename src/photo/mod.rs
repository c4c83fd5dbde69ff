//! Bytes become upright 8-bit RGB pictures, crops and thumbnails, within limits. Knows nothing of encoders or HTTP.

mod decode;
mod error;
mod header;
mod jpeg;
mod limits;
mod preprocess;
mod sniff;
mod thumbnail;
mod tiff;

pub use decode::{Photo, decode};
pub use error::PhotoError;
pub use limits::Limits;
pub use preprocess::{Crop, Filter, Preprocess};
pub use sniff::{Class, Format, classify};
pub use thumbnail::{display, thumbnail};
