//! The part of a collection's page that is about its encoder: what it is, a better one, any other, a switch under way.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{see, see_job};
use crate::encoder::{Modality, State as Reach};
use crate::ingest::switch::{self, SwitchRequest};
use crate::library::{Collection, CollectionInfo, Library, Offer, SwitchInfo};
use crate::store::Field;
use crate::types::{CollectionName, EncoderName};
use crate::web::extract::{Form, Path};
use crate::web::lang::Lang;
use crate::web::problem::Problem;
use crate::web::{App, format, link};

/// What the page offers about the encoder of a collection.
#[derive(Default)]
pub struct EncoderPanel {
    /// It is about the captions' encoder, not the collection's own.
    pub captions: bool,
    pub starter: bool,
    pub offers: Vec<OfferView>,
    /// Others of its kind that are known: on disk, or to be fetched.
    pub others: Vec<String>,
    pub under_way: Option<UnderWay>,
}

/// An offer, and what its button sends.
pub struct OfferView {
    pub encoder: String,
    offer: Offer,
}

/// A switch that is not done.
pub struct UnderWay {
    pub encoder: String,
    pub share: f64,
    /// A job is at it.
    pub running: bool,
    /// All is encoded but what cannot be.
    pub waiting: u64,
    filled: u64,
    parts: u64,
}

impl EncoderPanel {
    pub fn of(library: &Library, collection: &Collection, info: &CollectionInfo) -> Result<Self, Problem> {
        let Some(name) = &info.encoder else { return Ok(Self::default()) };
        if info.items == 0 {
            return Ok(Self::default());
        }
        let offers = library.offers(collection)?;
        let modality = Modality::from(info.kind);
        let entries = library.catalog().list().into_iter();
        let fits = |e: &crate::encoder::Entry| {
            e.modality == Some(modality) && e.name != *name && e.state != Reach::Unusable
        };
        Ok(Self {
            captions: false,
            starter: library.catalog().is_starter(name),
            offers: offers.into_iter().map(OfferView::of).collect(),
            others: entries.filter(fits).map(|e| e.name.to_string()).collect(),
            under_way: info.switching.as_ref().map(|switch| UnderWay::of(library, info, switch, "switch")),
        })
    }

    /// The same of the captions' encoder, where there are captions.
    pub fn of_captions(library: &Library, info: &CollectionInfo) -> Self {
        let Some(name) = &info.caption_encoder else { return Self::default() };
        let fits = |e: &crate::encoder::Entry| {
            e.modality == Some(Modality::Text) && e.name != *name && e.state != Reach::Unusable
        };
        let switch = info.caption_switching.as_ref();
        Self {
            captions: true,
            starter: false,
            offers: Vec::new(),
            others: library.catalog().list().into_iter().filter(fits).map(|e| e.name.to_string()).collect(),
            under_way: switch.map(|switch| UnderWay::of(library, info, switch, "switch_captions")),
        }
    }

    pub fn title(&self, l: Lang) -> &'static str {
        if self.captions { l.caption_encoder() } else { l.encoder() }
    }

    /// Whether there is anything to show.
    pub fn any(&self) -> bool {
        self.starter || !self.offers.is_empty() || !self.others.is_empty() || self.under_way.is_some()
    }
}

impl OfferView {
    fn of(offer: Offer) -> Self {
        Self { encoder: offer.encoder().to_string(), offer }
    }

    pub fn line(&self, l: Lang) -> String {
        match &self.offer {
            Offer::Better { encoder, fetch: false, .. } => l.offer_better(encoder),
            Offer::Better { encoder, bytes: Some(bytes), .. } => {
                l.offer_fetch_size(encoder, format::size(*bytes))
            }
            Offer::Better { encoder, bytes: None, .. } => l.offer_fetch(encoder),
            Offer::Refit { encoder, texts, fitted_on: 0 } => l.offer_fit(encoder, format::number(*texts)),
            Offer::Refit { encoder, texts, fitted_on } => {
                l.offer_refit(encoder, format::number(*fitted_on), format::number(*texts))
            }
        }
    }

    pub fn button(&self, l: Lang) -> &'static str {
        match &self.offer {
            Offer::Better { fetch: true, .. } => l.switch_fetch(),
            Offer::Better { .. } => l.switch_it(),
            Offer::Refit { .. } => l.switch_refit(),
        }
    }
}

impl UnderWay {
    fn of(library: &Library, info: &CollectionInfo, switch: &SwitchInfo, kind: &str) -> Self {
        let jobs = library.jobs().list(50).unwrap_or_default().into_iter();
        let mut mine = jobs.filter(|job| job.kind == kind && job.collection.as_ref() == Some(&info.name));
        let last = mine.next();
        let running = last.as_ref().is_some_and(|job| !job.state.ended());
        let missing = last.and_then(|job| job.report).and_then(|r| r["missing"].as_array().map(Vec::len));
        Self {
            encoder: switch.encoder.to_string(),
            share: switch.filled as f64 / switch.parts.max(1) as f64,
            running,
            waiting: if running { 0 } else { missing.unwrap_or_default() as u64 },
            filled: switch.filled,
            parts: switch.parts,
        }
    }

    pub fn line(&self, l: Lang) -> String {
        l.switching_line(&self.encoder, format::number(self.filled), format::number(self.parts))
    }

    pub fn waiting_line(&self, l: Lang) -> String {
        l.switch_waits(format::number(self.waiting))
    }
}

/// The form that begins a switch, or goes on with one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SwitchForm {
    encoder: String,
    drop_missing: Option<String>,
    captions: Option<String>,
}

/// `POST /c/{c}/switch`
pub async fn start(
    State(app): State<App>,
    Path(c): Path<String>,
    Form(form): Form<SwitchForm>,
) -> Result<Response, Problem> {
    let collection: CollectionName = c.parse()?;
    let encoder = Some(form.encoder.trim()).filter(|name| !name.is_empty());
    let encoder = encoder.map(str::parse::<EncoderName>).transpose()?;
    let (drop_missing, captions) = (form.drop_missing.is_some(), form.captions.is_some());
    let request = SwitchRequest { collection, encoder, drop_missing, captions };
    let job = app.work(move |app| switch::start(&app.0.library, request)).await?;
    Ok(see_job(job))
}

/// `POST /c/{c}/switch/cancel`
pub async fn cancel(
    State(app): State<App>,
    Path(c): Path<String>,
    Form(form): Form<SwitchForm>,
) -> Result<Response, Problem> {
    let name: CollectionName = c.parse()?;
    let url = link::collection(&name);
    let field = if form.captions.is_some() { Field::Captions } else { Field::Own };
    app.work(move |app| app.library().collection(&name)?.cancel_switch(field)).await?;
    Ok(see(&url))
}
