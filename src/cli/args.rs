//! Options that several commands share.

use std::sync::Arc;

use super::{CliError, Global, exit};
use crate::library::Library;
use crate::search::Page;
use crate::store::{Access, Filter};
use crate::types::{CollectionName, Date};

/// Which hits to give.
#[derive(Debug, Clone, clap::Args)]
pub struct Hits {
    /// How many hits to give
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub k: usize,
    /// Skip the first N hits
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub offset: usize,
    /// Give no hit below this score (a cosine, -1 to 1)
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub min_score: Option<f32>,
    /// Only items with this tag (repeat for several, all must be there)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only items whose key begins so
    #[arg(long, value_name = "PREFIX")]
    pub path_prefix: Option<String>,
    /// Only items dated then or later: 2024, 2024-05 or 2024-05-01
    #[arg(long, value_name = "DATE")]
    pub date_from: Option<Date>,
    /// Only items dated then or earlier
    #[arg(long, value_name = "DATE")]
    pub date_to: Option<Date>,
}

impl Hits {
    pub fn page(&self) -> Page {
        Page { k: self.k, offset: self.offset, min_score: self.min_score }
    }
    pub fn filter(&self) -> Filter {
        Filter {
            tags: self.tags.clone(),
            path_prefix: self.path_prefix.clone(),
            date_from: self.date_from.clone(),
            date_to: self.date_to.clone(),
        }
    }
}

/// Opens the data folder for reading; it may be written by another program meanwhile.
pub fn reader(global: &Global) -> Result<Arc<Library>, CliError> {
    Ok(Library::open(global.config()?, Access::Read)?)
}

/// The collection named, or the only one there is.
pub fn collection(library: &Library, named: Option<&CollectionName>) -> Result<CollectionName, CliError> {
    if let Some(name) = named {
        return Ok(name.clone());
    }
    let all = library.collections()?;
    match all.as_slice() {
        [only] => Ok(only.name.clone()),
        [] => Err(CliError::new(
            exit::NOT_FOUND,
            "collection.none",
            "there is no collection yet; make one with `simile index FOLDER --collection NAME`",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|info| info.name.as_str()).collect();
            let message =
                format!("there are several collections; name one with --collection: {}", names.join(", "));
            Err(CliError::new(exit::INPUT, "collection.which", message))
        }
    }
}
