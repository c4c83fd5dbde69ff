//! What a write encodes with: the collection's encoder, and while it is being switched the next one too.

use std::sync::Arc;

use image::RgbImage;

use super::encoders::LoadedEncoder;
use super::turnstile::Urgency;
use crate::encoder::{EncoderError, Role};
use crate::photo::Crop;
use crate::store::InSpace;
use crate::types::SpaceId;

/// The encoders of one moment; after a swap the next write asks anew.
#[derive(Clone)]
pub struct Encoding {
    now: Arc<LoadedEncoder>,
    beside: Option<Arc<LoadedEncoder>>,
}

/// A photo as each of the encoders looks at it.
#[derive(Clone)]
pub struct Crops(Vec<(SpaceId, Crop)>);

impl Encoding {
    pub(super) fn new(now: Arc<LoadedEncoder>, beside: Option<Arc<LoadedEncoder>>) -> Self {
        Self { now, beside }
    }

    fn all(&self) -> impl Iterator<Item = &LoadedEncoder> {
        std::iter::once(&*self.now).chain(self.beside.as_deref())
    }

    /// What they look at of a photo.
    pub fn cut(&self, pixels: &RgbImage) -> Crops {
        let cut = |encoder: &LoadedEncoder| {
            let preprocess = encoder.about().preprocess()?;
            Some((encoder.about().space_id().clone(), preprocess.apply(pixels)))
        };
        Crops(self.all().filter_map(cut).collect())
    }

    /// Whether these were cut for the collection's encoder as it is now.
    pub fn fits(&self, crops: &Crops) -> bool {
        crops.of(&self.now).is_some()
    }

    /// The vectors of each text, in their order.
    ///
    /// # Errors
    /// What stops the collection's encoder. Where only the next one fails, its switch tries again and tells.
    pub fn texts(&self, texts: &[&str], urgency: Urgency) -> Result<Vec<Vec<InSpace>>, EncoderError> {
        let encode = |encoder: &LoadedEncoder| {
            let made = encoder.texts(texts, Role::Passage, urgency)?;
            Ok(made.into_iter().map(|one| encoder.placed(one)).collect())
        };
        let now: Vec<InSpace> = encode(&self.now)?;
        let mut out: Vec<Vec<InSpace>> = now.into_iter().map(|one| vec![one]).collect();
        self.add_beside(&mut out, encode);
        Ok(out)
    }

    /// The vectors of each photo, in their order.
    ///
    /// # Errors
    /// `WrongModality` for a text encoder, and what stops the collection's encoder.
    pub fn photos(&self, photos: &[&Crops], urgency: Urgency) -> Result<Vec<Vec<InSpace>>, EncoderError> {
        let encode = |encoder: &LoadedEncoder| {
            let crops: Vec<Crop> = photos.iter().filter_map(|crops| crops.of(encoder).cloned()).collect();
            let made = encoder.crops(&crops, urgency)?;
            Ok(made.into_iter().map(|one| encoder.placed(one)).collect())
        };
        let now: Vec<InSpace> = encode(&self.now)?;
        let mut out: Vec<Vec<InSpace>> = now.into_iter().map(|one| vec![one]).collect();
        self.add_beside(&mut out, encode);
        Ok(out)
    }

    fn add_beside(
        &self,
        out: &mut [Vec<InSpace>],
        encode: impl Fn(&LoadedEncoder) -> Result<Vec<InSpace>, EncoderError>,
    ) {
        let Some(beside) = &self.beside else { return };
        match encode(beside) {
            // Fewer where some were cut before the switch began.
            Ok(made) if made.len() == out.len() => {
                out.iter_mut().zip(made).for_each(|(vectors, one)| vectors.push(one));
            }
            Ok(_) => {}
            Err(e) => tracing::debug!("left for the switch: {e}"),
        }
    }
}

impl Crops {
    fn of(&self, encoder: &LoadedEncoder) -> Option<&Crop> {
        let space = encoder.about().space_id();
        self.0.iter().find(|(known, _)| known == space).map(|(_, crop)| crop)
    }
}
