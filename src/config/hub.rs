//! How encoders are fetched: the hub's own variables, and how long a source may keep silent.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::vars::{absolute, path, text};
use super::{Vars, file};

/// How the Hugging Face hub is reached, in the words of its own variables.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// HF_ENDPOINT without a slash at its end.
    pub endpoint: String,
    /// HF_HUB_CACHE, else `hub` in HF_HOME: what other programs fetched is taken from here.
    pub cache: Option<PathBuf>,
    pub token: Option<String>,
    /// HF_HUB_OFFLINE: the hub is not asked; its cache and other sources stay open.
    pub offline: bool,
    pub patience: Patience,
}

/// How long a source may keep silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a name to be resolved, and again for a connection.
    pub connect: Duration,
    /// For the first answer.
    pub answer: Duration,
    /// Between two pieces of a file.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
            stall: Duration::from_secs(30),
        }
    }
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            cache: None,
            token: None,
            offline: false,
            patience: Patience::default(),
        }
    }
}

impl HubSettings {
    pub(super) fn from_vars(var: Vars<'_>, file: file::Hub, home: Option<&Path>) -> Self {
        let default = Self::default();
        let hf_home = path(var, "HF_HOME");
        let usual = || {
            let cache = absolute(var, "XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")))?;
            Some(cache.join("huggingface"))
        };
        let token_home = hf_home.clone().or_else(usual);
        let saved = || {
            let token = std::fs::read_to_string(token_home.as_ref()?.join("token")).ok()?;
            Some(token.trim().to_owned()).filter(|t| !t.is_empty())
        };
        // The hub's own reading of a yes.
        let yes = |v: String| ["1", "on", "yes", "true"].contains(&v.to_ascii_lowercase().as_str());
        let seconds = |n: Option<NonZeroU64>, default| n.map_or(default, |n| Duration::from_secs(n.get()));
        let patience = default.patience;
        Self {
            endpoint: text(var, "HF_ENDPOINT")
                .or(file.endpoint)
                .map_or(default.endpoint, |url| url.trim_end_matches('/').to_owned()),
            token: text(var, "HF_TOKEN").or_else(saved),
            cache: path(var, "HF_HUB_CACHE")
                .or_else(|| hf_home.map(|home| home.join("hub")))
                .or(file.cache)
                .or_else(|| usual().map(|home| home.join("hub"))),
            offline: text(var, "HF_HUB_OFFLINE").map_or(file.offline.unwrap_or(default.offline), yes),
            patience: Patience {
                connect: seconds(file.connect_seconds, patience.connect),
                answer: seconds(file.answer_seconds, patience.answer),
                stall: seconds(file.stall_seconds, patience.stall),
            },
        }
    }
}
