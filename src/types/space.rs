//! The id of an embedding space.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;

/// Which encoder, files and settings made a vector: 32 lower-case hex digits, safe in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpaceId(String);

impl SpaceId {
    /// The first 16 bytes of a hash over all that makes a vector.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest[..16].iter().map(|b| format!("{b:02x}")).collect())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SpaceId {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        const DIGITS: &str = "0123456789abcdef";
        if s.len() != 32 || !s.chars().all(|c| DIGITS.contains(c)) {
            return Err(NameError::Space(s.to_owned()));
        }
        Ok(Self(s.to_owned()))
    }
}

impl TryFrom<String> for SpaceId {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        s.parse()
    }
}

impl From<SpaceId> for String {
    fn from(id: SpaceId) -> String {
        id.0
    }
}

impl fmt::Display for SpaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
