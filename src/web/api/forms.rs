//! Forms with files as the document of the API tells them. Only described here: `web::multipart` reads what is sent.
#![allow(dead_code)]

use utoipa::ToSchema;

/// The bytes of a picture file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Bytes(Vec<u8>);

/// A photo to be put.
#[derive(ToSchema)]
#[schema(as = PhotoForm)]
pub struct Photo {
    photo: Bytes,
    caption: Option<String>,
    tags: Option<Vec<String>>,
    date: Option<String>,
}

/// Photos to be turned into vectors.
#[derive(ToSchema)]
#[schema(as = EmbedForm)]
pub struct Photos {
    encoder: String,
    photo: Vec<Bytes>,
}

/// A search; one of `photo`, `text` and `item` says what is sought.
#[derive(ToSchema)]
#[schema(as = SearchForm)]
pub struct Search {
    photo: Option<Bytes>,
    text: Option<String>,
    item: Option<String>,
    #[schema(minimum = 1, maximum = 10000)]
    k: Option<u64>,
    offset: Option<u64>,
    min_score: Option<f32>,
    /// A filter as JSON.
    filter: Option<String>,
    tags: Option<Vec<String>>,
    path_prefix: Option<String>,
    date_from: Option<String>,
    date_to: Option<String>,
}

/// Files for an upload.
#[derive(ToSchema)]
#[schema(as = UploadForm)]
pub struct Upload {
    files: Vec<Bytes>,
    /// An upload that is open; without it the form is a whole upload.
    job: Option<i64>,
    root: Option<String>,
    prefix: Option<String>,
    kind: Option<crate::types::Kind>,
}
