//! A recipe: how a segment's rows are indexed, as Faiss spells it. Knows nothing of files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::types::{Coded, Dim, Fault};

/// How rows are searched. Its text is Faiss' own: `Flat`, `IVF256,Flat`, `IVF256,PQ64`, `IVF256,PQ64x4`,
/// `IVF256,SQ8`, `HNSW32`; read without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Recipe {
    /// Every row is compared: exact.
    Flat,
    /// `nlist` lists by nearest centre, rows kept whole.
    Ivf { nlist: u32 },
    /// The same, rows kept as `m` codes of `bits` bits.
    IvfPq { nlist: u32, m: u32, bits: u32 },
    /// The same, rows kept as one byte per component.
    IvfSq8 { nlist: u32 },
    /// A graph with `m` neighbours per row.
    Hnsw { m: u32 },
}

// Its JSON form is its text.
impl utoipa::PartialSchema for Recipe {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        String::schema()
    }
}

impl utoipa::ToSchema for Recipe {}

/// Why there is no such recipe, or none for these rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    #[error(
        "{text:?} is no index recipe ({why}); give one of Flat, IVF256,Flat, IVF256,PQ64, IVF256,SQ8, HNSW32"
    )]
    Unknown { text: String, why: String },
    #[error("{recipe} does not fit vectors of {dim} numbers: {why}")]
    Dimension { recipe: Recipe, dim: Dim, why: String },
    #[error("{recipe} needs at least {needed} vectors and there are {rows}; use {instead} or add more")]
    TooFewRows { recipe: Recipe, needed: usize, rows: usize, instead: Recipe },
}

impl Coded for RecipeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "recipe.unknown",
            Self::Dimension { .. } => "recipe.dimension",
            Self::TooFewRows { .. } => "recipe.too_few_rows",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
    fn item(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { text, .. } => text.clone(),
            Self::Dimension { recipe, .. } | Self::TooFewRows { recipe, .. } => recipe.to_string(),
        })
    }
    fn field(&self) -> Option<&str> {
        Some("recipe")
    }
}

impl Recipe {
    pub const MAX_NLIST: u32 = 65_536;
    /// Faiss asks for 39 training vectors per centre.
    const PER_CENTRE: usize = 39;

    /// Whether it fits vectors of this dimension; asked when the recipe is given.
    ///
    /// # Errors
    /// `Dimension` if the codes cannot divide the vector.
    pub fn check_dim(self, dim: Dim) -> Result<(), RecipeError> {
        match self {
            Self::IvfPq { m, .. } if !dim.get().is_multiple_of(m as usize) => {
                let near = (1..=m as usize).rev().find(|m| dim.get().is_multiple_of(*m)).unwrap_or(1);
                let why = format!("PQ{m} cuts a vector into {m} equal pieces; use PQ{near}");
                Err(RecipeError::Dimension { recipe: self, dim, why })
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be built over `rows` vectors; asked again before building. `Some` is a warning in one
    /// sentence: it can be built, but not well.
    ///
    /// # Errors
    /// `Dimension` as [`Recipe::check_dim`]; `TooFewRows` below what its training needs at all.
    pub fn check(self, dim: Dim, rows: usize) -> Result<Option<String>, RecipeError> {
        self.check_dim(dim)?;
        let needed = self.rows_needed();
        if rows < needed {
            return Err(RecipeError::TooFewRows { recipe: self, needed, rows, instead: self.instead(rows) });
        }
        let wanted = needed * Self::PER_CENTRE;
        Ok((self.trained() && rows < wanted).then(|| {
            format!("{self} trains well from {wanted} vectors on and there are {rows}: hits may be missed; {} suits better", self.instead(rows))
        }))
    }

    /// Fewest rows that it can be built over: one per centre that is trained.
    pub fn rows_needed(self) -> usize {
        match self {
            Self::Flat | Self::Hnsw { .. } => 1,
            Self::Ivf { nlist } | Self::IvfSq8 { nlist } => nlist as usize,
            Self::IvfPq { nlist, bits, .. } => (nlist as usize).max(1 << bits),
        }
    }

    /// Lists of the inverted file; `None` for what has none.
    pub fn nlist(self) -> Option<u32> {
        match self {
            Self::Flat | Self::Hnsw { .. } => None,
            Self::Ivf { nlist } | Self::IvfSq8 { nlist } | Self::IvfPq { nlist, .. } => Some(nlist),
        }
    }

    /// The text for Faiss' factory. `np` leaves out a training of product codes for a search that is not used here:
    /// 3 s for each piece.
    pub(super) fn factory(self) -> String {
        match self {
            Self::IvfPq { nlist, m, bits } => format!("IVF{nlist},PQ{m}x{bits}np"),
            other => other.to_string(),
        }
    }

    fn trained(self) -> bool {
        self.nlist().is_some()
    }

    /// What to use instead when rows are few.
    fn instead(self, rows: usize) -> Self {
        let nlist = (rows / Self::PER_CENTRE) as u32;
        match self {
            Self::Ivf { .. } if nlist >= 4 => Self::Ivf { nlist },
            Self::IvfSq8 { .. } if nlist >= 4 => Self::IvfSq8 { nlist },
            Self::IvfPq { m, bits, .. } if nlist >= 4 && rows >= Self::PER_CENTRE << bits => {
                Self::IvfPq { nlist, m, bits }
            }
            _ => Self::Flat,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let upper = text.trim().to_ascii_uppercase();
        let (head, tail) = match upper.split_once(',') {
            Some((head, tail)) => (head.trim(), Some(tail.trim())),
            None => (&*upper, None),
        };
        if head == "FLAT" && tail.is_none() {
            return Ok(Self::Flat);
        }
        if let Some(m) = head.strip_prefix("HNSW") {
            let m = number("the number of neighbours in HNSW<M>", m, 4, 128)?;
            return match tail {
                None | Some("FLAT") => Ok(Self::Hnsw { m }),
                Some(other) => Err(format!("after HNSW{m} only Flat is known, not {other}")),
            };
        }
        if let Some(nlist) = head.strip_prefix("IVF") {
            let nlist = number("the number of lists in IVF<n>", nlist, 1, Self::MAX_NLIST)?;
            return match tail {
                Some("FLAT") => Ok(Self::Ivf { nlist }),
                Some("SQ8") => Ok(Self::IvfSq8 { nlist }),
                Some(tail) => match tail.strip_prefix("PQ") {
                    Some(codes) => Self::parse_pq(nlist, codes),
                    None => Err(format!("after IVF{nlist} come Flat, PQ<m> or SQ8, not {tail}")),
                },
                None => Err(format!("after IVF{nlist} must come Flat, PQ<m> or SQ8")),
            };
        }
        Err("it begins with none of Flat, IVF, HNSW".to_owned())
    }

    fn parse_pq(nlist: u32, codes: &str) -> Result<Self, String> {
        let (m, bits) = codes.split_once('X').unwrap_or((codes, "8"));
        let m = number("the number of pieces in PQ<m>", m, 1, 65_536)?;
        // 9 and more bits: codebooks larger than most collections.
        let bits = number("the number of bits in PQ<m>x<bits>", bits, 4, 8)?;
        Ok(Self::IvfPq { nlist, m, bits })
    }
}

fn number(what: &str, digits: &str, min: u32, max: u32) -> Result<u32, String> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(n) if plain && (min..=max).contains(&n) => Ok(n),
        _ => Err(format!("{what} must be a number from {min} to {max}")),
    }
}

impl FromStr for Recipe {
    type Err = RecipeError;
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Self::parse(text).map_err(|why| RecipeError::Unknown { text: shortened(text), why })
    }
}

/// Enough to recognise it; a recipe of a megabyte stays out of the message.
fn shortened(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flat => f.write_str("Flat"),
            Self::Ivf { nlist } => write!(f, "IVF{nlist},Flat"),
            Self::IvfPq { nlist, m, bits: 8 } => write!(f, "IVF{nlist},PQ{m}"),
            Self::IvfPq { nlist, m, bits } => write!(f, "IVF{nlist},PQ{m}x{bits}"),
            Self::IvfSq8 { nlist } => write!(f, "IVF{nlist},SQ8"),
            Self::Hnsw { m } => write!(f, "HNSW{m}"),
        }
    }
}

impl TryFrom<String> for Recipe {
    type Error = RecipeError;
    fn try_from(text: String) -> Result<Self, RecipeError> {
        text.parse()
    }
}

impl From<Recipe> for String {
    fn from(recipe: Recipe) -> String {
        recipe.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dim(n: usize) -> Dim {
        Dim::new(n).unwrap()
    }

    #[test]
    fn recipes_are_read_in_faiss_spelling_and_written_back() {
        for (text, canonical) in [
            ("Flat", "Flat"),
            (" flat ", "Flat"),
            ("IVF256,Flat", "IVF256,Flat"),
            ("ivf256, flat", "IVF256,Flat"),
            ("IVF1024,PQ64", "IVF1024,PQ64"),
            ("IVF1024,PQ64x8", "IVF1024,PQ64"),
            ("ivf1024,pq64X4", "IVF1024,PQ64x4"),
            ("IVF16,SQ8", "IVF16,SQ8"),
            ("HNSW32", "HNSW32"),
            ("HNSW32,Flat", "HNSW32"),
        ] {
            let recipe: Recipe = text.parse().unwrap();
            assert_eq!(recipe.to_string(), canonical);
            let json = serde_json::to_string(&recipe).unwrap();
            assert_eq!(json, format!("{canonical:?}"));
            assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        for text in [
            "",
            ",",
            "flat,flat",
            "IVF",
            "IVF,Flat",
            "IVF256",
            "IVF0,Flat",
            "IVF-4,Flat",
            "IVF+4,Flat",
            "IVF65537,Flat",
            "IVF99999999999999999999,Flat",
            "IVF16,PQ",
            "IVF16,PQ0",
            "IVF16,PQ8x",
            "IVF16,PQ8x3",
            "IVF16,PQ8x9",
            "IVF16,PQ8,Refine",
            "IVF16,SQ4",
            "HNSW",
            "HNSW3",
            "HNSW129",
            "HNSW32,PQ8",
            "LSH",
            "IVF1６,Flat",
        ] {
            let err = text.parse::<Recipe>().expect_err(text);
            assert_eq!(err.code(), "recipe.unknown", "{text}");
            assert!(err.to_string().contains("give one of Flat"), "{err}");
        }
        let long = "x".repeat(1 << 20).parse::<Recipe>().unwrap_err();
        assert!(long.to_string().len() < 400);
    }

    #[test]
    fn pieces_must_divide_the_dimension() {
        let recipe: Recipe = "IVF16,PQ60".parse().unwrap();
        let err = recipe.check_dim(dim(768)).unwrap_err();
        assert_eq!(err.code(), "recipe.dimension");
        assert!(err.to_string().contains("use PQ48"), "{err}");
        assert_eq!("IVF16,PQ64".parse::<Recipe>().unwrap().check_dim(dim(768)), Ok(()));
        assert!("IVF16,PQ1024".parse::<Recipe>().unwrap().check_dim(dim(768)).is_err());
    }

    #[test]
    fn rows_must_suffice_and_should_be_plenty() {
        let ivf: Recipe = "IVF100,Flat".parse().unwrap();
        let err = ivf.check(dim(8), 99).unwrap_err();
        assert_eq!(err.code(), "recipe.too_few_rows");
        assert!(err.to_string().contains("at least 100 vectors"), "{err}");
        assert!(ivf.check(dim(8), 100).unwrap().is_some_and(|w| w.contains("3900") && w.contains("Flat")));
        assert!(ivf.check(dim(8), 1000).unwrap().is_some_and(|w| w.contains("IVF25,Flat suits better")));
        assert_eq!(ivf.check(dim(8), 3900), Ok(None));
        // 8-bit codes train 256 centres whatever the lists.
        assert!("IVF4,PQ2".parse::<Recipe>().unwrap().check(dim(8), 255).is_err());
        assert!("IVF4,PQ2x4".parse::<Recipe>().unwrap().check(dim(8), 255).is_ok());
        assert_eq!("HNSW32".parse::<Recipe>().unwrap().check(dim(8), 1), Ok(None));
        assert_eq!(Recipe::Flat.check(dim(8), 1), Ok(None));
    }
}
