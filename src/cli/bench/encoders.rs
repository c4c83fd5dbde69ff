//! `simile bench encoders`: how long an encoder takes for its products, alone or in turns with other programs.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{CliError, Global, exit, output};
use crate::config::{Config, PrecisionSetting};
use crate::encoder::{Catalog, Encoder, Places, use_threads};
use crate::files;
use crate::photo::Crop;
use crate::types::{EncoderName, Vector};

/// Measure how long an encoder takes, for texts of one length or for photos.
///
/// Cutting texts into tokens and decoding photos are not part of it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  simile bench encoders --encoder resnet50 --batch 8 --threads 2 --json
  simile bench encoders --encoder all-MiniLM-L6-v2 --tokens 32 --precision int8")]
pub struct Args {
    /// The encoder
    #[arg(long, value_name = "NAME", required_unless_present = "turns")]
    encoder: Option<EncoderName>,
    /// Texts or photos encoded together
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = super::at_least_one())]
    batch: usize,
    /// Tokens of each text, those at its ends counted
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = super::at_least_one())]
    tokens: usize,
    /// Threads [env: SIMILE_THREADS; default: one per core]
    #[arg(long, value_name = "N", value_parser = super::at_least_one())]
    threads: Option<usize>,
    /// Times to measure
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = super::at_least_one())]
    rounds: usize,
    /// Take turns with other programs: answer JSON lines of standard input (see scripts/bench-encoders)
    #[arg(long, conflicts_with = "encoder")]
    turns: bool,
}

/// What was measured, in ms.
#[derive(Debug, Serialize)]
struct Row {
    work: String,
    precision: &'static str,
    batch: usize,
    threads: usize,
    ours_ms: f64,
    least_ms: f64,
    kernels: &'static str,
}

pub fn run(global: &Global, args: &Args) -> Result<u8, CliError> {
    // Told first, before the configuration tells it.
    use_threads(args.threads);
    let config = global.config()?;
    let threads = args.threads.or(config.threads);
    let Some(name) = &args.encoder else { return turns(&config) };
    let encoder = Catalog::open(Places::from(&config)).load(name)?;
    if encoder.ngram_weights().is_some() {
        let message = format!("{name} has no network to be timed; name another encoder");
        return Err(CliError::new(exit::INPUT, "bench.no_network", message));
    }
    let (work, input) = match encoder.preprocess() {
        Some(p) => {
            let pixels = (0..p.crop * p.crop * 3).map(|i| (i * 7919 % 251) as u8).collect();
            let crop = Crop::new(p.crop, pixels).expect("three bytes a pixel");
            (name.to_string(), Input::Crops(vec![crop; args.batch]))
        }
        // Every vocabulary has a token 1.
        None => (format!("{name}/{}", args.tokens), Input::Texts(vec![vec![1; args.tokens]; args.batch])),
    };
    let work = (work, Work { encoder: Arc::new(encoder), input });
    let mut times = work.1.times(args.rounds.max(1))?;
    times.sort_by(f64::total_cmp);
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let row = Row {
        work: work.0,
        precision: work.1.encoder.computes_in(),
        batch: args.batch,
        threads: threads.unwrap_or_else(cores),
        ours_ms: times[times.len() / 2],
        least_ms: times[0],
        kernels: simile_compute::Isa::current().name(),
    };
    if global.json {
        output::json(&row);
    } else {
        let Row { work, precision, batch, threads, ours_ms, least_ms, kernels } = row;
        say!(
            "{work} in {precision}, batch {batch}, {threads} threads, {kernels}: median {ours_ms:.3} ms, least {least_ms:.3}"
        );
    }
    Ok(0)
}

/// One line of standard input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Turn {
    /// Loads an encoder, where it is not loaded yet, and takes what it is to encode. Answered by what it computes in.
    Open { work: String, encoder: EncoderName, precision: PrecisionSetting, input: Given },
    /// Encodes `rounds` times, after a first time that does not count. Answered by the times in ms.
    Time { work: String, rounds: usize },
    /// Answered by the vectors.
    Vectors { work: String },
    /// Forgets it, and encoders that nothing else uses.
    Close { work: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Given {
    /// The ids of each text's tokens.
    Tokens(Vec<Vec<u32>>),
    /// A file of RGB bytes, crop behind crop.
    Crops(PathBuf),
}

/// Takes turns until standard input ends.
fn turns(config: &Config) -> Result<u8, CliError> {
    let mut open: HashMap<String, Work> = HashMap::new();
    let mut loaded: HashMap<(EncoderName, PrecisionSetting), Arc<Encoder>> = HashMap::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let turn: Turn = serde_json::from_str(&line).map_err(|e| no_turn(e.to_string()))?;
        let work = |name: &str| open.get(name).ok_or_else(|| no_turn(format!("{name:?} is not open")));
        let answer = match turn {
            Turn::Open { work, encoder: name, precision, input } => {
                let key = (name, precision);
                if !loaded.contains_key(&key) {
                    let places = Places { precision, ..Places::from(config) };
                    loaded.insert(key.clone(), Arc::new(Catalog::open(places).load(&key.0)?));
                }
                let encoder = loaded[&key].clone();
                let input = Input::read(input, &encoder)?;
                let answer = json!({ "computes_in": encoder.computes_in() });
                open.insert(work, Work { encoder, input });
                answer
            }
            Turn::Time { work: name, rounds } => json!({ "ms": work(&name)?.times(rounds)? }),
            Turn::Vectors { work: name } => {
                let vectors = work(&name)?.once()?;
                json!({ "vectors": vectors.iter().map(Vector::as_slice).collect::<Vec<_>>() })
            }
            Turn::Close { work } => {
                open.remove(&work);
                loaded.retain(|_, encoder| Arc::strong_count(encoder) > 1);
                json!({})
            }
        };
        output::json(&answer);
    }
    Ok(0)
}

fn no_turn(why: String) -> CliError {
    CliError::new(exit::INPUT, "bench.turn", format!("no turn to take: {why}"))
}

/// An encoder with what it is to encode.
struct Work {
    encoder: Arc<Encoder>,
    input: Input,
}

enum Input {
    Texts(Vec<Vec<u32>>),
    Crops(Vec<Crop>),
}

impl Input {
    fn read(given: Given, encoder: &Encoder) -> Result<Self, CliError> {
        const LARGEST: u64 = 1 << 30;
        let path = match given {
            Given::Tokens(texts) => return Ok(Self::Texts(texts)),
            Given::Crops(path) => path,
        };
        let bytes = files::read(&path, LARGEST).map_err(|e| no_turn(format!("{}: {e}", path.display())))?;
        let side = encoder.preprocess().map(|p| p.crop);
        let side = side.ok_or_else(|| no_turn(format!("{} reads no photos", encoder.name())))?;
        let crops = bytes.chunks((side * side * 3) as usize).map(|pixels| Crop::new(side, pixels.to_vec()));
        let crops = crops.collect::<Option<_>>();
        Ok(Self::Crops(crops.ok_or_else(|| no_turn(format!("{} ends within a crop", path.display())))?))
    }
}

impl Work {
    fn once(&self) -> Result<Vec<Vector>, CliError> {
        Ok(match &self.input {
            Input::Texts(texts) => {
                self.encoder.encode_tokens(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>())?
            }
            Input::Crops(crops) => {
                self.encoder.encode_crops(crops)?.into_iter().map(|embedding| embedding.vector).collect()
            }
        })
    }

    /// `n` times in ms, after one that does not count unless it is so slow that being the first is nothing to it.
    fn times(&self, n: usize) -> Result<Vec<f64>, CliError> {
        const SLOW: f64 = 300.0;
        let time = || -> Result<f64, CliError> {
            let start = Instant::now();
            self.once()?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        let first = time()?;
        let mut times: Vec<f64> = (n > 0 && first > SLOW).then_some(first).into_iter().collect();
        while times.len() < n {
            times.push(time()?);
        }
        Ok(times)
    }
}
