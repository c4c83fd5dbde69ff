//! Which model folders lie under which roots. Knows cards and folders, no network.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::EncoderError;
use super::card::Card;
use super::folder::{Described, bare_card, describe, is_model};
use super::places::Origin;
use crate::types::EncoderName;

/// One folder that holds, or claims to hold, an encoder.
#[derive(Debug)]
pub struct Found {
    pub name: EncoderName,
    pub path: PathBuf,
    pub origin: Origin,
    pub outcome: Result<Described, EncoderError>,
}

/// Looks through roots in order; the same folder reached twice counts once.
pub struct Search {
    pub found: Vec<Found>,
    /// simile's own, and those of the user's folders that hold nothing but a card.
    pub cards: Vec<Card>,
    pub warnings: Vec<String>,
    seen: HashSet<PathBuf>,
}

impl Search {
    pub fn new(cards: Vec<Card>) -> Self {
        Self { found: Vec::new(), cards, warnings: Vec::new(), seen: HashSet::new() }
    }

    /// Takes every model folder, or link to one, in `root`, and `root` itself if it is one.
    pub fn root(&mut self, root: &Path, origin: Origin) {
        if !root.is_dir() {
            // simile's own places need not exist; what the user named must.
            if origin == Origin::Root {
                let what = if root.exists() { "is no folder" } else { "does not exist" };
                self.warnings.push(format!("{}: {what}; correct SIMILE_MODELS or --models", root.display()));
            }
            return;
        }
        if is_model(root) {
            let absolute = root.canonicalize().unwrap_or_else(|_| root.to_owned());
            return self.folder(root, absolute, origin);
        }
        let entries = match std::fs::read_dir(root) {
            Ok(entries) => entries,
            Err(e) => {
                self.warnings
                    .push(format!("{}: cannot be read ({e}); check its permissions", root.display()));
                return;
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && is_model(&path) {
                self.folder(&path, path.clone(), origin);
            }
        }
    }

    /// `named` ends in the name that the encoder goes by.
    fn folder(&mut self, path: &Path, named: PathBuf, origin: Origin) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // Two links to one folder are two encoders; one folder under two roots is one.
        if !self.seen.insert(real.join(named.file_name().unwrap_or_default())) {
            return;
        }
        let raw = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (name, outcome) = match raw.parse::<EncoderName>() {
            Ok(name) => {
                if let Some(card) = bare_card(path).filter(|card| card.name == name) {
                    if self.cards.iter().all(|known| known.name != name) {
                        self.cards.push(card);
                    }
                    return;
                }
                let known = self.cards.iter().find(|card| card.name == name);
                let outcome = describe(&name, path, known);
                (name, outcome)
            }
            Err(_) => {
                let why = "its name can be no encoder's; rename it with letters, digits, '-', '_' and '.'";
                let error = EncoderError::Unusable { folder: path.to_owned(), why: why.to_owned() };
                (tamed(&raw), Err(error))
            }
        };
        self.found.push(Found { name, path: path.to_owned(), origin, outcome });
    }
}

/// A name to list a folder under whose own name cannot be one.
fn tamed(raw: &str) -> EncoderName {
    let keep = |c: char| if c.is_alphanumeric() { c } else { '_' };
    let mut name: String = raw.chars().map(keep).collect();
    while name.len() > 96 {
        name.pop();
    }
    name.parse().unwrap_or_else(|_| "unnamed".parse().expect("plain letters"))
}
