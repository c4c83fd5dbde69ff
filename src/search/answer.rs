//! What is answered: ranked hits, how long each stage took, and what the asker should know.

use serde::Serialize;

use super::fuse::Match;
use crate::types::{Date, EncoderName, ItemKey};

/// The object that CLI and HTTP print.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Answer {
    pub hits: Vec<Hit>,
    pub timings_ms: Timings,
    /// What searched: `Flat` (exact), a recipe such as `IVF64,Flat`, `words`, or several joined by ` + `.
    pub index: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderName>,
    /// Of the captions, where these were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption_encoder: Option<EncoderName>,
    /// The query was longer than the encoder reads; its end was left out.
    pub truncated: bool,
    /// Things to tell the person, each with a stable code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// Milliseconds spent in each stage.
#[derive(Debug, Clone, Copy, Default, Serialize, utoipa::ToSchema)]
pub struct Timings {
    pub decode: f64,
    pub encode: f64,
    pub search: f64,
    pub load: f64,
}

/// One item found.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Hit {
    pub key: ItemKey,
    /// Cosine of query and best part; for words, the share of the query's words found; where several rankings were fused,
    /// 1 for the first of all of them. Larger is nearer.
    pub score: f32,
    /// 1 is the best; counts on across pages.
    pub rank: usize,
    /// What of a photo answered, where it has more to answer by than its picture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matched: Vec<Match>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    #[serde(flatten)]
    pub shown: Shown,
}

/// What a hit shows of its item.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Shown {
    Photo {
        width: u32,
        height: u32,
        /// BLAKE3 of the file; names the thumbnail.
        content: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
    },
    Faq {
        question: String,
        /// The wording that earned the score: the question or one of its further wordings.
        wording: String,
        answer: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        language: String,
    },
}

/// Something the asker should know, such as "this encoder does not read Chinese".
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Note {
    pub code: &'static str,
    pub message: String,
}
