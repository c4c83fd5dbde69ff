//! `simile models`: which encoders there are, getting one, adding, verifying and removing.

use std::path::PathBuf;

use super::progress::Bar;
use super::{CliError, Global, exit, output, stop};
use crate::encoder::{Catalog, Entry, Places, State, Understood};
use crate::library::{CollectionInfo, Library, LibraryError, Phase};
use crate::store::{Access, StoreError};
use crate::types::EncoderName;

/// List encoders, get, add, verify or remove one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  simile models list\n  simile models pull all-MiniLM-L6-v2\n  simile models add ~/my-model\n  \
                        simile models verify all-MiniLM-L6-v2\n  simile models remove my-model"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all encoders: on disk, or where they can be got (what happens without a subcommand)
    List,
    /// Get an encoder's files from the first of its sources that has them
    Pull {
        /// Its name in the list
        name: EncoderName,
    },
    /// Bring a model's folder into the data folder
    Add {
        /// A folder with a model's files
        folder: PathBuf,
        /// What to call it; else the folder's own name
        #[arg(long)]
        name: Option<EncoderName>,
        /// Link to the folder instead of copying its files
        #[arg(long)]
        link: bool,
    },
    /// Hash an encoder's files anew and compare its vectors with the samples of its card
    Verify {
        /// Its name in the list
        name: EncoderName,
    },
    /// Take an encoder out of the data folder
    Remove {
        /// Its name in the list
        name: EncoderName,
        /// Also while a collection uses it
        #[arg(long)]
        force: bool,
    },
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let catalog = Catalog::open(Places::from(&global.config()?));
    match args.action {
        Some(Action::List) | None => list(global, &catalog),
        Some(Action::Pull { name }) => pull(global, &catalog, &name),
        Some(Action::Add { folder, name, link }) => add(global, &catalog, &folder, name, link),
        Some(Action::Verify { name }) => verify(global, &catalog, &name),
        Some(Action::Remove { name, force }) => remove(global, &catalog, &name, force),
    }
}

fn list(global: &Global, catalog: &Catalog) -> Result<u8, CliError> {
    for warning in catalog.warnings() {
        tell!("warning: {}", output::plain(&warning));
    }
    let entries = catalog.list();
    if global.json {
        output::json(&entries)
    } else {
        output::rows(&entries.iter().map(row).collect::<Vec<_>>())
    }
    Ok(0)
}

fn pull(global: &Global, catalog: &Catalog, name: &EncoderName) -> Result<u8, CliError> {
    let tracker = stop::tracker();
    tracker.begin(Phase::GettingEncoder, 0);
    let bar = Bar::start(&tracker, !global.json);
    let done = bar.watch(|| catalog.pull(name, &*tracker));
    drop(bar);
    let entry = match done {
        Err(e) if e.was_stopped() => {
            tell!("{e}");
            return Ok(exit::STOPPED);
        }
        other => other?,
    };
    if global.json {
        output::json(&entry)
    } else {
        output::rows(&[row(&entry)])
    }
    Ok(0)
}

fn add(
    global: &Global,
    catalog: &Catalog,
    folder: &std::path::Path,
    name: Option<EncoderName>,
    link: bool,
) -> Result<u8, CliError> {
    let name = match name {
        Some(name) => name,
        None => {
            let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            real.file_name().unwrap_or_default().to_string_lossy().parse()?
        }
    };
    let understood = catalog.add(folder, &name, link)?;
    if global.json {
        output::json(&understood);
    } else {
        output::rows(&[row(&understood.entry)]);
        tell_understood(&understood);
    }
    Ok(0)
}

/// What is not said in the list's line.
fn tell_understood(u: &Understood) {
    let pooling =
        u.pooling.map(|p| serde_json::to_value(p).expect("a word").as_str().unwrap_or("").to_owned());
    let preprocess =
        u.preprocess.as_ref().map(|p| format!("short side {}, crop {}, {:?}", p.short, p.crop, p.filter));
    let head = Some(u.head.join("; ")).filter(|head| !head.is_empty());
    let quoted = |text: &String| Some(format!("{text:?}")).filter(|_| !text.is_empty());
    let facts = [
        ("architecture", u.entry.architecture.clone()),
        ("pooling", pooling),
        ("head", head),
        ("tokens at most", u.max_tokens.map(|n| n.to_string())),
        ("before a query", quoted(&u.query_prefix)),
        ("before a passage", quoted(&u.passage_prefix)),
        ("preprocessing", preprocess),
        ("licence", u.entry.licence.clone()),
        ("weights", Some(u.weights.clone())),
        ("tokenizer", u.tokenizer.clone()),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            say!("  {name}: {}", output::one_line(&fact));
        }
    }
}

fn verify(global: &Global, catalog: &Catalog, name: &EncoderName) -> Result<u8, CliError> {
    let found = catalog.verify(name)?;
    if global.json {
        output::json(&found);
        return Ok(0);
    }
    let files = match found.files {
        0 => "its files were not got by simile, so no hash is written down".to_owned(),
        n => format!("{n} files are those that came"),
    };
    match found.error {
        Some(error) => {
            say!("{name}: verified: {files}; {} samples, off by {error:.1e} at most", found.samples)
        }
        None => say!("{name}: not verified: {files}; its card has no samples of the original"),
    }
    Ok(0)
}

fn remove(global: &Global, catalog: &Catalog, name: &EncoderName, force: bool) -> Result<u8, CliError> {
    let users = if force { Vec::new() } else { users(global, name)? };
    catalog.remove(name, users, force)?;
    if global.json {
        output::json(&serde_json::json!({"removed": name}));
    } else {
        say!("{name} removed");
    }
    Ok(0)
}

/// The collections that were made with it.
fn users(global: &Global, name: &EncoderName) -> Result<Vec<String>, CliError> {
    let library = match Library::open(global.config()?, Access::Read) {
        Err(LibraryError::Store(StoreError::Absent { .. })) => return Ok(Vec::new()),
        other => other?,
    };
    let all = library.collections()?.into_iter();
    let uses = |c: &CollectionInfo| [&c.encoder, &c.caption_encoder].contains(&&Some(name.clone()));
    Ok(all.filter(uses).map(|c| c.name.to_string()).collect())
}

fn row(entry: &Entry) -> Vec<String> {
    let modality = entry.modality.map_or("?", |modality| modality.as_str());
    let dim = entry.dim.map_or(String::new(), |dim| format!("{dim}-d"));
    let state = match (entry.state, &entry.path, &entry.why) {
        (State::OnDisk, Some(path), _) if entry.verified => format!("on disk, verified: {path}"),
        (State::OnDisk, Some(path), _) => format!("on disk, not verified: {path}"),
        (State::OnDisk, None, _) => "built in".to_owned(),
        (State::Pullable, ..) => format!("simile models pull {}", entry.name),
        (State::Unusable, _, why) => format!("unusable: {}", why.as_deref().unwrap_or("see its folder")),
    };
    let (name, languages) = (entry.name.to_string(), entry.languages.join(",").replace('*', "any"));
    vec![name, modality.to_owned(), dim, languages, output::one_line(&state)]
}
