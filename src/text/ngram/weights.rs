//! How much an n-gram tells, by how few texts hold it: fitted on a collection, kept with its space.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::features::Features;
use crate::types::{Coded, Fault};

/// A table of weights from 0 to 1. What few texts hold, or none, weighs 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    texts: u64,
    /// By the upper half of an n-gram's hash: parts of 255.
    table: HashMap<u32, u8>,
}

/// Why bytes are no table of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    #[error("the n-gram weights are cut off or changed; fit them again")]
    Damaged,
    #[error("the n-gram weights are of version {0}, this program reads version {VERSION}; fit them again")]
    Version(u8),
}

impl Coded for WeightsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Damaged => "ngram.damaged",
            Self::Version(_) => "ngram.version",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Unavailable
    }
}

const MAGIC: &[u8; 7] = b"simngrm";
const VERSION: u8 = 1;
const HEADER: usize = 8 + 8;
const CHECKSUM: usize = 16;

impl Weights {
    /// Below so many texts frequencies say nothing, and all weights are 1.
    pub const MIN_TEXTS: u64 = 200;
    /// The table keeps the most frequent n-grams; the others differ little from weight 1. 320 kB at most.
    const MAX_ENTRIES: usize = 1 << 16;

    /// All weights 1.
    pub fn even() -> Self {
        Self::default()
    }

    /// Counts in how many texts each n-gram occurs. Below [`Self::MIN_TEXTS`] texts the weights are even.
    pub fn fit<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let (mut count, mut found) = (0, HashMap::<u32, u32>::new());
        for text in texts {
            count += 1;
            for (hash, _) in Features::of(text.as_ref()).iter() {
                *found.entry(key(hash)).or_default() += 1;
            }
        }
        if count < Self::MIN_TEXTS {
            return Self::even();
        }
        let mut frequent = found.into_iter().filter(|&(_, n)| n > 1).collect::<Vec<_>>();
        frequent.sort_unstable_by_key(|&(key, n)| (std::cmp::Reverse(n), key));
        frequent.truncate(Self::MAX_ENTRIES);
        let once = information(count, 1);
        // Never 0: a text of common words alone still has a direction.
        let level = |n| (255.0 * information(count, n) / once).round().max(1.0) as u8;
        Self { texts: count, table: frequent.into_iter().map(|(key, n)| (key, level(n))).collect() }
    }

    /// How many texts the table was fitted on; 0 if the weights are even.
    pub fn texts(&self) -> u64 {
        self.texts
    }

    pub(super) fn of(&self, hash: u64) -> f32 {
        self.table.get(&key(hash)).map_or(1.0, |&level| f32::from(level) / 255.0)
    }

    /// sha256 of [`Self::to_bytes`], hex: part of the id of a space. The same for the same texts in any order.
    pub fn digest(&self) -> String {
        Sha256::digest(self.to_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Five bytes for each n-gram, and 32 more.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut entries = self.table.iter().collect::<Vec<_>>();
        entries.sort_unstable();
        let mut bytes = [MAGIC.as_slice(), &[VERSION], &self.texts.to_le_bytes()].concat();
        for (key, level) in entries {
            bytes.extend(key.to_le_bytes());
            bytes.push(*level);
        }
        let sum = checksum(&bytes);
        bytes.extend(sum);
        bytes
    }

    /// # Errors
    /// `Damaged` unless these are bytes of `to_bytes`, whole and unchanged; `Version` for those of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let damaged = WeightsError::Damaged;
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(damaged)?;
        let (header, entries) = body.split_first_chunk::<HEADER>().ok_or(damaged)?;
        if !header.starts_with(MAGIC) || *sum != checksum(body) {
            return Err(damaged);
        }
        if header[7] != VERSION {
            return Err(WeightsError::Version(header[7]));
        }
        let (entries, rest) = entries.as_chunks::<5>();
        let texts = u64::from_le_bytes(header[8..].try_into().map_err(|_| damaged)?);
        let entry = |&[a, b, c, d, level]: &[u8; 5]| (u32::from_le_bytes([a, b, c, d]), level);
        if !rest.is_empty() {
            return Err(damaged);
        }
        Ok(Self { texts, table: entries.iter().map(entry).collect() })
    }
}

fn key(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Square root of BM25's inverse document frequency: the plain one leaves too little of common words, and in 768
/// numbers lets collisions of rare n-grams weigh more (BQ dev 0.691 against 0.695).
fn information(texts: u64, holding: u32) -> f64 {
    let (all, n) = (texts as f64, f64::from(holding));
    (1.0 + (all - n + 0.5) / (n + 0.5)).ln().sqrt()
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        (0..300)
            .map(|i| format!("parcel {}", if i % 10 == 0 { format!("lost{i}") } else { "late".to_owned() }))
            .collect()
    }

    #[test]
    fn the_frequent_weighs_less_and_the_unseen_one() {
        let weights = Weights::fit(texts());
        let of = |word| Features::of(word).iter().map(|(hash, _)| weights.of(hash)).fold(0.0, f32::max);
        let (parcel, late, lost, unseen) = (of("parcel"), of("late"), of("lost30"), of("quagmire"));
        assert!(
            parcel < late && late < lost && late < 0.5 && unseen == 1.0,
            "{parcel} {late} {lost} {unseen}"
        );
        assert_eq!(weights.texts(), 300);
        let same = Weights::fit(std::iter::repeat_n("的", 300_000));
        assert!(crate::text::ngram::vector("的", &same).is_some());
        assert_eq!(Weights::fit(&texts()[..199]), Weights::even());
    }

    #[test]
    fn a_table_survives_its_bytes_and_any_change_is_seen() {
        let weights = Weights::fit(texts());
        let bytes = weights.to_bytes();
        assert_eq!(Weights::from_bytes(&bytes), Ok(weights.clone()));
        let backwards = Weights::fit(texts().iter().rev());
        assert_eq!((backwards.digest(), weights.digest().len()), (weights.digest(), 64));
        assert_ne!(Weights::even().digest(), weights.digest());
        for cut in [0, 10, 31, bytes.len() - 1] {
            assert_eq!(Weights::from_bytes(&bytes[..cut]), Err(WeightsError::Damaged));
        }
        for at in [0, 9, 20, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(Weights::from_bytes(&changed), Err(WeightsError::Damaged), "byte {at}");
        }
        let mut newer = bytes[..bytes.len() - CHECKSUM].to_vec();
        newer[7] = 2;
        let sum = checksum(&newer);
        newer.extend(sum);
        assert_eq!(Weights::from_bytes(&newer), Err(WeightsError::Version(2)));
    }
}
