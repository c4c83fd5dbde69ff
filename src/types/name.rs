//! Names and keys, checked once when text becomes one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Coded, Fault};

/// Why a text is no name or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{what} is empty; give it at least one character")]
    Empty { what: &'static str },
    #[error("{what} has {got} bytes, at most {max} are allowed; shorten it")]
    TooLong { what: &'static str, got: usize, max: usize },
    #[error(
        "{what} {name:?} contains {found:?}; use letters, digits, '-', '_' and '.', not '.' or '-' first"
    )]
    Character { what: &'static str, name: String, found: char },
    #[error("item key contains a NUL character; remove it")]
    Nul,
    #[error("{0:?} is no kind of collection; use photos or faq")]
    Kind(String),
    #[error("{0:?} is no id of an embedding space; it has 32 hex digits")]
    Space(String),
}

impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "name.empty",
            Self::TooLong { .. } => "name.too_long",
            Self::Character { .. } => "name.character",
            Self::Nul => "key.nul",
            Self::Kind(_) => "collection.kind",
            Self::Space(_) => "space.id",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
    fn item(&self) -> Option<String> {
        match self {
            Self::Character { name, .. } | Self::Kind(name) | Self::Space(name) => Some(name.clone()),
            Self::Empty { .. } | Self::TooLong { .. } | Self::Nul => None,
        }
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), NameError> {
    const MAX: usize = 96;
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > MAX {
        return Err(NameError::TooLong { what, got: name.len(), max: MAX });
    }
    let bad = |(i, c): (usize, char)| {
        let inner = c.is_alphanumeric() || c == '_';
        !(inner || (i > 0 && (c == '-' || c == '.')))
    };
    match name.char_indices().find(|&ic| bad(ic)) {
        Some((_, found)) => Err(NameError::Character { what, name: name.to_owned(), found }),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, min_length = 1, max_length = 96, examples("photos"))]
        pub struct $type(String);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $type {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> {
                check_name($what, s)?;
                Ok(Self(s.to_owned()))
            }
        }
        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(s: String) -> Result<Self, NameError> {
                s.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A collection's name: letters and digits of any script, `-`, `_`, `.`; at most 96 bytes; safe in a path.
    CollectionName,
    "collection name"
);
name_type!(
    /// An encoder's name, the name of its folder or card; the same alphabet as a collection's.
    EncoderName,
    "encoder name"
);

/// What an item is called within its collection: a photo's path with `/`, an FAQ entry's id.
/// Any text without NUL, 1 to 4,096 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 4096, examples("trucks/red-truck.jpg"))]
pub struct ItemKey(String);

impl ItemKey {
    pub const MAX_BYTES: usize = 4096;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ItemKey {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        s.to_owned().try_into()
    }
}

impl TryFrom<String> for ItemKey {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        if s.is_empty() {
            return Err(NameError::Empty { what: "item key" });
        }
        if s.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { what: "item key", got: s.len(), max: Self::MAX_BYTES });
        }
        if s.contains('\0') {
            return Err(NameError::Nul);
        }
        Ok(Self(s))
    }
}

impl From<ItemKey> for String {
    fn from(key: ItemKey) -> String {
        key.0
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a collection holds; it decides which encoders fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Photos,
    Faq,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photos => "photos",
            Self::Faq => "faq",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        match s {
            "photos" => Ok(Self::Photos),
            "faq" => Ok(Self::Faq),
            other => Err(NameError::Kind(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_names_stay_inside_their_folder() {
        for good in ["photos", "faq-zh", "卡车", "a.b_c", "1"] {
            assert!(good.parse::<CollectionName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "-x", "a b", "a\n", "<script>", &"x".repeat(97)] {
            assert!(bad.parse::<CollectionName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_any_text_without_nul() {
        for good in ["a/b.jpg", "line\nbreak", "\"<script>'", "照片/🚚.jpg"] {
            assert_eq!(good.parse::<ItemKey>().map(String::from).as_deref(), Ok(good));
        }
        assert_eq!("a\0b".parse::<ItemKey>(), Err(NameError::Nul));
        assert!("".parse::<ItemKey>().is_err());
        assert!("x".repeat(4097).parse::<ItemKey>().is_err());
    }
}
