//! The encoder that needs no file: hashed n-grams, weighted by a table that a collection may fit. Knows no collection.

use super::{Architecture, Embedding, EncoderError, NgramConfig, Precision, Space};
use crate::text::ngram::{self, Weights};
use crate::types::{Dim, EncoderName, Vector};

const NAME: &str = "ngram-hash";

/// Weights from 0 to 1 by n-gram, ready to encode.
pub struct NgramHash(Weights);

impl NgramHash {
    pub fn new(weights: Weights) -> Self {
        Self(weights)
    }

    pub fn weights(&self) -> &Weights {
        &self.0
    }

    pub fn dim() -> Dim {
        Dim::new(ngram::DIM).expect("768")
    }

    /// The table is a fitted parameter: another table is another space.
    pub fn space(&self) -> Space {
        Space {
            encoder: name(),
            architecture: Architecture::NgramHash(NgramConfig { dim: ngram::DIM, revision: ngram::REVISION }),
            weights: self.0.digest(),
            tokenizer: None,
            pooling: None,
            head: Vec::new(),
            query_prefix: String::new(),
            passage_prefix: String::new(),
            max_tokens: None,
            preprocess: None,
            precision: Precision::F32,
            revision: Space::REVISION,
        }
    }

    /// # Errors
    /// `EmptyText` for the first text without anything to count.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Embedding>, EncoderError> {
        let one = |(at, text): (usize, &&str)| {
            let row = ngram::vector(text, &self.0).ok_or(EncoderError::EmptyText { at })?;
            let unit = Vector::unit(row, Self::dim());
            let vector = unit.map_err(|source| EncoderError::Vector { encoder: name(), at, source })?;
            Ok(Embedding { vector, truncated: false })
        };
        texts.iter().enumerate().map(one).collect()
    }
}

fn name() -> EncoderName {
    NAME.parse().expect("plain letters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, Role};
    use crate::types::Coded;

    #[test]
    fn it_reads_every_script_and_says_when_there_is_nothing_to_read() {
        let encoder = Encoder::ngram_hash(None);
        let texts = ["How do I pay?", "怎么付款", "Как оплатить?", "支払い方法", "🚚"];
        let rows = encoder.encode_texts(&texts, Role::Query).unwrap();
        assert!(texts.iter().all(|text| encoder.reads(text)));
        assert_eq!((rows.len(), rows[0].vector.dim(), rows[0].truncated), (5, encoder.dim(), false));
        let why = encoder.encode_texts(&["a", " \u{200b}\n"], Role::Passage).unwrap_err();
        assert_eq!((why.code(), matches!(why, EncoderError::EmptyText { at: 1 })), ("text.empty", true));
        let why = encoder.encode_crops(&[]).unwrap_err();
        assert_eq!(why.code(), "encoder.modality");
    }

    #[test]
    fn a_fitted_table_is_another_space() {
        let texts = (0..250).map(|i| format!("question {i} about parcels"));
        let fitted = Encoder::ngram_hash(Some(Weights::fit(texts)));
        let even = Encoder::ngram_hash(None);
        assert_ne!(fitted.space_id(), even.space_id());
        assert_eq!(even.space_id(), Encoder::ngram_hash(Some(Weights::fit(["few"]))).space_id());
        assert_eq!(fitted.ngram_weights().map(Weights::texts), Some(250));
        let json = serde_json::to_string(fitted.space()).unwrap();
        assert_eq!(&serde_json::from_str::<Space>(&json).unwrap(), fitted.space());
    }
}
