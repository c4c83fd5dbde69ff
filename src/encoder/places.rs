//! Where encoders lie, and who put them there.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Config, HubSettings, PrecisionSetting};

/// Where encoders are sought, and how they are got.
#[derive(Debug, Clone)]
pub struct Places {
    /// The user's folders.
    pub roots: Vec<PathBuf>,
    /// Where simile's own weights may lie.
    pub own: Vec<PathBuf>,
    /// Where pulled weights go, one folder each.
    pub pulled: PathBuf,
    /// A file to remember hashes of weights in; it may be deleted.
    pub digests: PathBuf,
    /// Where packed weights are kept; may be deleted at any time.
    pub packed: PathBuf,
    pub hub: HubSettings,
    /// What encoders compute in.
    pub precision: PrecisionSetting,
}

impl From<&Config> for Places {
    fn from(config: &Config) -> Self {
        Self {
            roots: config.models.clone(),
            own: config.own_models.clone(),
            pulled: config.data.join("models"),
            digests: config.data.join("cache/digests.json"),
            packed: config.data.join("cache/packed"),
            hub: config.hub.clone(),
            precision: config.compute.precision,
        }
    }
}

/// Who put an encoder where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A root that the user named.
    Root,
    /// Pulled by simile.
    Pulled,
    /// Came with simile.
    Own,
    /// Only its card is here.
    Card,
}
