//! Vectors of texts or of photos, without a collection.

use axum::Json as Out;
use axum::extract::{FromRequest, Request, State};
use serde::{Deserialize, Serialize};

use super::forms;
use crate::encoder::{Embedding, EncoderError, Modality, Role};
use crate::library::{LoadedEncoder, Urgency};
use crate::photo;
use crate::types::EncoderName;
use crate::web::App;
use crate::web::extract::{Json, is_multipart};
use crate::web::multipart::{File, Parts};
use crate::web::problem::Problem;

/// Texts in one request.
const MOST: usize = 256;

/// The body for texts; photos come in a form with `encoder` and `photo`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    encoder: EncoderName,
    #[schema(min_items = 1, max_items = 256, examples(json!(["a red truck"])))]
    texts: Vec<String>,
    /// `passage` adds what the encoder wants before what is sought; `query` (the default) before a question.
    #[serde(default)]
    role: Option<As>,
}

/// What the texts are for.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EmbedRole)]
pub enum As {
    Query,
    Passage,
}

/// One input's vector; the same object that `simile embed` prints.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Vectored {
    input: String,
    dim: usize,
    vector: Vec<f32>,
    truncated: bool,
}

impl Vectored {
    fn of(input: String, embedding: Embedding) -> Self {
        let vector = embedding.vector.into_inner();
        Self { input, dim: vector.len(), vector, truncated: embedding.truncated }
    }
}

/// Vectors of texts or photos, without a collection.
#[utoipa::path(post, path = "/api/v1/embed", tag = "encoders",
    request_body(content((Texts = "application/json"), (forms::Photos = "multipart/form-data"))),
    responses((status = 200, description = "One vector for each input, in their order", body = [Vectored])))]
pub async fn embed(State(app): State<App>, request: Request) -> Result<Out<Vec<Vectored>>, Problem> {
    if is_multipart(request.headers()) {
        let form = Parts::from_request(request, &app).await?;
        form.only(&["encoder", "photo"])?;
        let name = form.field("encoder").unwrap_or_default().trim().parse::<EncoderName>();
        let name = name.map_err(|e| Problem::from(e).at("encoder"))?;
        return Ok(Out(app.work(move |app| photos(app, &name, &form.files)).await?));
    }
    let Json(asked) = Json::<Texts>::from_request(request, &()).await?;
    if asked.texts.is_empty() || asked.texts.len() > MOST {
        let detail = format!("{} texts were given; give 1 to {MOST}", asked.texts.len());
        return Err(Problem::input("embed.texts", "texts", detail));
    }
    Ok(Out(app.work(move |app| texts(app, asked)).await?))
}

fn texts(app: &App, asked: Texts) -> Result<Vec<Vectored>, Problem> {
    let encoder = encoder(app, &asked.encoder, Modality::Text)?;
    let role = match asked.role {
        Some(As::Passage) => Role::Passage,
        _ => Role::Query,
    };
    let inputs: Vec<&str> = asked.texts.iter().map(String::as_str).collect();
    let vectors = encoder.texts(&inputs, role, Urgency::Interactive)?;
    Ok(asked.texts.into_iter().zip(vectors).map(|(input, e)| Vectored::of(input, e)).collect())
}

fn photos(app: &App, name: &EncoderName, files: &[File]) -> Result<Vec<Vectored>, Problem> {
    if files.is_empty() {
        return Err(Problem::input("request.field", "photo", "there is no photo in this form; add the file"));
    }
    let encoder = encoder(app, name, Modality::Photo)?;
    let preprocess = encoder.about().preprocess().expect("a photo encoder has its preprocessing");
    let limits = app.library().photo_limits();
    let crop = |file: &File| {
        limits.check_bytes(file.bytes.len() as u64)?;
        Ok(preprocess.apply(&photo::decode(&file.bytes, &limits)?.pixels))
    };
    let crops =
        files.iter().map(|file| crop(file).map_err(|e: photo::PhotoError| Problem::from(e).at("photo")));
    let crops = crops.collect::<Result<Vec<_>, Problem>>()?;
    let vectors = encoder.crops(&crops, Urgency::Interactive)?;
    Ok(files.iter().zip(vectors).map(|(file, e)| Vectored::of(file.name.clone(), e)).collect())
}

fn encoder(app: &App, name: &EncoderName, given: Modality) -> Result<std::sync::Arc<LoadedEncoder>, Problem> {
    let encoder = app.library().encoders().get(name, None)?;
    match encoder.about().modality() {
        reads if reads == given => Ok(encoder),
        reads => Err(EncoderError::WrongModality { encoder: name.clone(), reads, given }.into()),
    }
}
