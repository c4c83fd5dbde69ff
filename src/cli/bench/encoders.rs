//! `simile bench encoders`: how long an encoder takes for its products, alone or in turns with other programs.

use std::io::BufRead;
use std::time::Instant;

use serde::Serialize;

use super::super::{CliError, Global, exit, output};
use crate::config::{Config, PrecisionSetting};
use crate::encoder::{Catalog, Encoder, Modality, Places, Role, use_threads};
use crate::photo::Crop;
use crate::types::EncoderName;

/// Measure how long an encoder takes, for texts of one length or for photos.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  simile bench encoders --encoder resnet50 --batch 8 --threads 2 --json
  simile bench encoders --encoder all-MiniLM-L6-v2 --tokens 32 --precision int8")]
pub struct Args {
    /// The encoder
    #[arg(long, value_name = "NAME")]
    encoder: EncoderName,
    /// Texts or photos encoded together
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch: usize,
    /// Tokens of each text, those at its ends counted
    #[arg(long, default_value_t = 16, value_name = "N")]
    tokens: usize,
    /// Threads [env: SIMILE_THREADS; default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Times to measure
    #[arg(long, default_value_t = 15, value_name = "N")]
    rounds: usize,
    /// Say `ready`, then answer every line `PRECISION N` of standard input with N times in ms
    #[arg(long)]
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
    if args.turns {
        return turns(&config, args);
    }
    let work = Work::open(&config, config.compute.precision, args)?;
    let mut times = work.times(args.rounds.max(1))?;
    times.sort_by(f64::total_cmp);
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let row = Row {
        work: work.name(args),
        precision: work.encoder.computes_in(),
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

/// Takes turns until standard input ends.
fn turns(config: &Config, args: &Args) -> Result<u8, CliError> {
    let mut open: Vec<(PrecisionSetting, Work)> = Vec::new();
    say!("ready");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let asked = line.split_once(' ').and_then(|(p, n)| Some((p.parse().ok()?, n.trim().parse().ok()?)));
        let Some((precision, n)) = asked else {
            let why = format!("{line:?} is no turn; write a precision and how often, as `bf16 5`");
            return Err(CliError::new(exit::INPUT, "bench.turn", why));
        };
        if !open.iter().any(|(p, _)| *p == precision) {
            open.push((precision, Work::open(config, precision, args)?));
        }
        let (_, work) = open.iter().find(|(p, _)| *p == precision).expect("it was opened");
        let times: Vec<String> = work.times(n)?.iter().map(|ms| format!("{ms:.4}")).collect();
        say!("{}", times.join(" "));
    }
    Ok(0)
}

/// An encoder with what it is to encode.
struct Work {
    encoder: Encoder,
    texts: Vec<String>,
    crops: Vec<Crop>,
}

impl Work {
    fn open(config: &Config, precision: PrecisionSetting, args: &Args) -> Result<Self, CliError> {
        let places = Places { precision, ..Places::from(config) };
        let encoder = Catalog::open(places).load(&args.encoder)?;
        // A word of one token in every vocabulary; a first and a last token are added.
        let text = vec!["the"; args.tokens.saturating_sub(2).max(1)].join(" ");
        let crop = |side: u32| {
            let pixels = (0..side * side * 3).map(|i| (i * 7919 % 251) as u8).collect();
            Crop::new(side, pixels).expect("three bytes a pixel")
        };
        let crops = encoder.preprocess().map(|p| vec![crop(p.crop); args.batch]).unwrap_or_default();
        Ok(Self { encoder, texts: vec![text; args.batch], crops })
    }

    fn name(&self, args: &Args) -> String {
        match self.encoder.modality() {
            Modality::Photo => args.encoder.to_string(),
            Modality::Text => format!("{}/{}", args.encoder, args.tokens),
        }
    }

    /// `n` times in ms, after one that does not count.
    fn times(&self, n: usize) -> Result<Vec<f64>, CliError> {
        let texts: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        let once = || match self.encoder.modality() {
            Modality::Text => self.encoder.encode_texts(&texts, Role::Passage),
            Modality::Photo => self.encoder.encode_crops(&self.crops),
        };
        once()?;
        let time = |_| {
            let start = Instant::now();
            once()?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        (0..n).map(time).collect()
    }
}
