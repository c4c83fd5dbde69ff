//! Bytes become upright 8-bit RGB pictures, crops and thumbnails, within limits. Knows nothing of encoders or HTTP.

mod augment;
mod augment_folder;
mod decode;
mod error;
mod header;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
mod leaves;
mod limits;
mod preprocess;
mod sniff;
mod thumbnail;
mod tiff;

pub use augment::{Dice, augment, augmented_jpeg};
pub use augment_folder::{AugmentError, AugmentReject, AugmentReport, Original, augment_folder, originals};
pub use decode::{Photo, decode};
pub use error::PhotoError;
pub use leaves::leaves;
pub use limits::Limits;
pub use preprocess::{Crop, Filter, Preprocess};
pub use sniff::{Class, Format, READS_HEIC, classify};
pub use thumbnail::{display, thumbnail};
