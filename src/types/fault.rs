//! What kind of fault an error is. HTTP statuses and exit codes are chosen from it in one place each.

use serde::{Deserialize, Serialize};

/// The kinds of fault, coarse on purpose: a caller acts on the kind, a person reads the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// What was given cannot be used: 400, exit 2.
    Input,
    /// The thing named does not exist: 404, exit 4.
    NotFound,
    /// It clashes with what is there: 409, exit 5.
    Conflict,
    /// More than the limits allow: 413, exit 2.
    TooLarge,
    /// Known, but not handled here (HEIC, RAW): 415, exit 2.
    Unsupported,
    /// Not allowed from there: 403, exit 2.
    Forbidden,
    /// Too much at once, try again: 429, exit 6.
    Busy,
    /// Something needed is missing (no encoder, hub unreachable): 503, exit 6.
    Unavailable,
    /// Ours: a full disk, a damaged file, a bug: 500, exit 1.
    #[default]
    Internal,
}

/// An error with a stable code, such as `photo.truncated`, that programs may rely on.
pub trait Coded: std::error::Error {
    /// Stable, dotted, lower case: `room.what`.
    fn code(&self) -> &'static str;

    /// The kind of fault.
    fn fault(&self) -> Fault;

    /// The field of a request that is at fault, where there is one.
    fn field(&self) -> Option<&str> {
        None
    }

    /// What it happened to, as the sentence names it: a path, a key, a name. For sentences in other languages.
    fn item(&self) -> Option<String> {
        None
    }
}
