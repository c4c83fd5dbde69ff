//! The words everybody uses: names, keys, vectors, scores, secrets, faults. Knows nothing of any other room.

mod date;
mod fault;
mod name;
mod secret;
mod space;
mod vector;

pub use date::{Date, DateError};
pub use fault::{Coded, Fault};
pub use name::{CollectionName, EncoderName, ItemKey, Kind, NameError};
pub use secret::Secret;
pub use space::SpaceId;
pub use vector::{Dim, Matrix, Score, Vector, VectorError};
