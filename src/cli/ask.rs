//! `simile ask`: the entries of an FAQ that answer best.

use super::args;
use super::{CliError, Global, output};
use crate::faq;
use crate::types::CollectionName;

/// Ask an FAQ.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  simile ask \"Where is my parcel?\" --collection faq --k 3")]
pub struct Args {
    /// The question
    #[arg(value_name = "TEXT")]
    text: String,
    /// The FAQ to ask; may be left out if there is only one collection
    #[arg(long, short, value_name = "NAME")]
    collection: Option<CollectionName>,
    /// How many entries to give
    #[arg(long, default_value_t = 3, value_name = "N")]
    k: usize,
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let library = args::reader(global)?;
    let collection = args::collection(&library, args.collection.as_ref())?;
    let answer = faq::ask(&library, &collection, &args.text, args.k)?;
    if global.json {
        output::json(&answer)
    } else {
        output::answer(&answer)
    }
    Ok(0)
}
