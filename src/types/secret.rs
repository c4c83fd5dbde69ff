//! A secret text: compared in constant time, never printed.

use std::fmt;

use subtle::ConstantTimeEq;

/// A password, token or session id.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 244 bits from the system's source of chance, in hex.
    pub fn random() -> Self {
        let half = || uuid::Uuid::new_v4().simple().to_string();
        Self(half() + &half())
    }

    /// Whether `given` is the same text. Takes as long for every guess: hashes of both are compared, all of them.
    pub fn matches(&self, given: &str) -> bool {
        let hash = |text: &str| *blake3::hash(text.as_bytes()).as_bytes();
        hash(&self.0).ct_eq(&hash(given)).into()
    }

    /// The text itself, to be sent or kept; never to be logged.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}
impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_not_told() {
        let secret = Secret::new("correct horse");
        assert!(secret.matches("correct horse"));
        for guess in ["", "correct", "correct horse ", "Correct horse"] {
            assert!(!secret.matches(guess), "{guess}");
        }
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(Secret::random().expose().len(), 64);
        assert_ne!(Secret::random(), Secret::random());
    }
}
