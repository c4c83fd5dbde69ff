//! `simile doctor`: what this machine, the encoders and the data folder are like, and what to do about it.

mod products;

use serde::Serialize;

use super::{CliError, Global, exit, output};
use simile_compute::Isa;

use crate::config::Config;
use crate::encoder::{self, Catalog, Modality, PackedFile, Places, State};
use crate::index;
use crate::library::{CollectionInfo, Library, LibraryError, Offer};
use crate::store::{self, Access, StoreError};

/// Check this machine, the encoders and the data folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile doctor --models ~/encoders
  simile doctor --deep --json

The exit code is 0 if all is well, and 6 if something is not right.")]
pub struct Args {
    /// Also read every vector, uploaded photo, encoder, index and thumbnail, and compare them with their checksums
    #[arg(long)]
    deep: bool,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    says: String,
}

impl Check {
    fn good(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, ok: true, says: says.into() }
    }
    fn bad(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, ok: false, says: says.into() }
    }
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let config = global.config()?;
    let mut checks = machine();
    let catalog = Catalog::open(Places::from(&config));
    checks.extend(encoders(&catalog));
    checks.extend(packed(&catalog, args.deep));
    checks.extend(data(config, args.deep));
    if global.json {
        output::json(&checks);
    } else {
        for check in &checks {
            say!(
                "{}  {}: {}",
                if check.ok { "ok  " } else { "BAD " },
                check.name,
                output::plain(&check.says)
            );
        }
    }
    Ok(if checks.iter().all(|check| check.ok) { 0 } else { exit::UNAVAILABLE })
}

fn machine() -> Vec<Check> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let isa = Isa::current();
    let numbers = [("bf16", isa.has_bf16()), ("int8", isa.has_int8())];
    let numbers: Vec<&str> = numbers.into_iter().filter_map(|(name, has)| has.then_some(name)).collect();
    let also = if numbers.is_empty() { String::new() } else { format!(" with {}", numbers.join(" and ")) };
    let faiss = if index::faiss_usable() {
        Check::good("faiss", "usable (AVX2)")
    } else {
        Check::good("faiss", "not usable: this processor has no AVX2; every search is an exact scan")
    };
    let mut checks = vec![Check::good("processor", format!("{cores} cores, kernels {isa}{also}")), kernels()];
    checks.extend(products::checks(isa));
    checks.push(Check::good("device", format!("encoders compute on {}", encoder::device_name())));
    checks.push(faiss);
    checks
}

/// Runs the scan once on the instruction set in use, beside its plain twin, and says which ran.
fn kernels() -> Check {
    let (isa, best) = (Isa::current(), Isa::best());
    let values: Vec<f32> = (0..64 * 33).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let (query, rows) = values.split_at(64);
    let (mut ran, mut plain) = ([0.0; 32], [0.0; 32]);
    simile_compute::scan::dots(isa, query, rows, &mut ran);
    simile_compute::scan::dots(Isa::SCALAR, query, rows, &mut plain);
    let off = ran.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let has: Vec<&str> = Isa::available().map(Isa::name).collect();
    let forced = if isa == best { "" } else { ", by SIMILE_ISA or the settings file" };
    let says = format!("{isa} ran{forced}; this processor has {}", has.join(", "));
    if off < 1e-3 {
        Check::good("kernels", says)
    } else {
        Check::bad(
            "kernels",
            format!("{says}; it is {off} off the plain one: set SIMILE_ISA=scalar and tell us"),
        )
    }
}

fn encoders(catalog: &Catalog) -> Vec<Check> {
    let mut checks: Vec<Check> = catalog.warnings().into_iter().map(|w| Check::bad("models", w)).collect();
    for (modality, example) in [(Modality::Photo, "resnet50"), (Modality::Text, "all-MiniLM-L6-v2")] {
        checks.push(match catalog.best(modality, None) {
            Some(entry) => Check::good("encoder", format!("{}: {}", modality.as_str(), entry.name)),
            None => Check::bad(
                "encoder",
                format!("{}: none on disk; run `simile models pull {example}`", modality.as_str()),
            ),
        });
    }
    for entry in catalog.list().into_iter().filter(|entry| entry.state == State::Unusable) {
        let why = entry.why.unwrap_or_default();
        checks.push(Check::bad("encoder", format!("{}: {why}", entry.name)));
    }
    checks
}

/// What encoders need not pack at their next start. What is damaged is told, and harms nothing.
fn packed(catalog: &Catalog, deep: bool) -> Vec<Check> {
    let found = catalog.packed().check(deep);
    let file = |file: &PackedFile| {
        let encoder = file.weights.parent().and_then(|folder| folder.file_name()).unwrap_or_default();
        format!("{} {} {:.0} MB", encoder.to_string_lossy(), file.kernel, file.bytes as f64 / 1e6)
    };
    let held = match found.files.as_slice() {
        [] => "none".to_owned(),
        files => files.iter().map(file).collect::<Vec<_>>().join(", "),
    };
    let mut checks = vec![Check::good("packed weights", held)];
    checks.extend(found.damaged.iter().map(|path| {
        let says = format!("{}: damaged; packed anew when its encoder is next used", path.display());
        Check::good("packed weights", says)
    }));
    checks
}

fn data(config: Config, deep: bool) -> Vec<Check> {
    let folder = config.data.clone();
    let mut checks = Vec::new();
    if let Some(hint) = store::holder(&folder) {
        let at = hint.address.map_or(String::new(), |address| format!(" and serves http://{address}/"));
        checks.push(Check::good("lock", format!("process {} writes to the data folder{at}", hint.pid)));
    }
    match Library::open(config, Access::Read) {
        Ok(library) => {
            checks.push(Check::good("data", folder.display().to_string()));
            checks.extend(collections(&library));
            if deep {
                checks.extend(truth(&library));
                checks.extend(weights(&library));
                checks.push(caches(&library));
            }
        }
        Err(LibraryError::Store(StoreError::Absent { .. })) => {
            checks.push(Check::good("data", format!("{}: not made yet", folder.display())));
        }
        Err(e) => checks.push(Check::bad("data", e.to_string())),
    }
    checks
}

/// Every byte that cannot be made again.
fn truth(library: &Library) -> Vec<Check> {
    const CURE: &str = "restore a backup, or index the sources again";
    let mut checks = match library.store().check() {
        Ok(wrong) if wrong.is_empty() => {
            vec![Check::good("vectors", "the database and all vectors are as they were written")]
        }
        Ok(wrong) => wrong.iter().map(|line| Check::bad("vectors", format!("{line}; {CURE}"))).collect(),
        Err(e) => vec![Check::bad("vectors", e.to_string())],
    };
    match library.store().check_blobs() {
        Ok((count, wrong)) if wrong.is_empty() => {
            checks.push(Check::good("uploads", format!("{count} uploaded photos are as they came")));
        }
        Ok((_, wrong)) => checks.extend(wrong.into_iter().map(|line| Check::bad("uploads", line))),
        Err(e) => checks.push(Check::bad("uploads", e.to_string())),
    }
    checks
}

/// The encoders in the data folder, with what was written down when they came.
fn weights(library: &Library) -> Vec<Check> {
    let checked = encoder::check_folders(&library.config().data.join("models"));
    let (whole, changed): (Vec<_>, Vec<_>) = checked.iter().partition(|one| one.outcome.is_ok());
    let files: usize = whole.iter().filter_map(|one| one.outcome.as_ref().ok()).sum();
    let says = format!("{files} files of {} encoders in the data folder are those that came", whole.len());
    let mut checks = vec![Check::good("weights", says)];
    checks.extend(
        changed.iter().filter_map(|one| Some(Check::bad("weights", one.outcome.as_ref().err()?.to_string()))),
    );
    checks
}

/// What is made again; so a damaged file is told, and harms nothing.
fn caches(library: &Library) -> Check {
    let found = library.check_caches();
    let says = format!("{} indexes, {} thumbnails", found.indexes, found.thumbnails);
    match found.damaged.first() {
        None => Check::good("cache", format!("{says}: all whole")),
        Some(first) => Check::bad(
            "cache",
            format!(
                "{says}: {} damaged (such as {}); delete them, they are made again",
                found.damaged.len(),
                first.display()
            ),
        ),
    }
}

fn collections(library: &Library) -> Vec<Check> {
    let all = match library.collections() {
        Ok(all) => all,
        Err(e) => return vec![Check::bad("collections", e.to_string())],
    };
    let mut checks: Vec<Check> = all.iter().flat_map(|info| offers(library, info)).collect();
    let states = all.iter().map(|info| {
        let says =
            format!("{}: {} items, {} vectors, index {}", info.name, info.items, info.vectors, info.index);
        match library.collection(&info.name).and_then(|c| c.lost_vectors()) {
            Ok(0) => Check::good("collection", says),
            Ok(lost) => {
                Check::bad("collection", format!("{says}; {lost} vectors lost: index their sources again"))
            }
            Err(e) => Check::bad("collection", format!("{says}; {e}")),
        }
    });
    checks.splice(0..0, states);
    checks
}

/// What a collection had better be switched to, and how; nothing is wrong with one that is not.
fn offers(library: &Library, info: &CollectionInfo) -> Vec<Check> {
    if let Some(switch) = &info.switching {
        let says = format!(
            "{}: being switched to {}, {} of {} encoded; go on with: simile collections switch {}",
            info.name, switch.encoder, switch.filled, switch.parts, info.name
        );
        return vec![Check::good("switch", says)];
    }
    if let Some(switch) = &info.caption_switching {
        let says = format!(
            "{}: its captions are being switched to {}, {} of {} encoded; go on with: simile collections switch {} --captions",
            info.name, switch.encoder, switch.filled, switch.parts, info.name
        );
        return vec![Check::good("switch", says)];
    }
    let offers = library.collection(&info.name).and_then(|c| library.offers(&c)).unwrap_or_default();
    offers
        .into_iter()
        .map(|offer| {
            let why = match &offer {
                Offer::Better { fetch: true, .. } => "a better encoder can be fetched".to_owned(),
                Offer::Better { .. } => "a better encoder is on disk".to_owned(),
                Offer::Refit { texts, fitted_on: 0, .. } => format!("its {texts} texts can weigh its words"),
                Offer::Refit { texts, fitted_on, .. } => {
                    format!("its word weights come from {fitted_on} texts, there are {texts} now")
                }
            };
            let says = format!(
                "{}: {why}: simile collections switch {} --encoder {}",
                info.name,
                info.name,
                offer.encoder()
            );
            Check::good("switch", says)
        })
        .collect()
}
