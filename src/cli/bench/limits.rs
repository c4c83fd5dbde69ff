//! `simile bench limits`: what this machine can do at most, which times are shares of.

use serde::Serialize;
use simile_compute::transformer::Arithmetic;
use simile_compute::{Isa, Pool, limits};

use super::super::{CliError, Global, output};

/// Measure what this machine can do at most: arithmetic, reading, and the way from core to core.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  simile bench limits
  simile bench limits --threads 1 --json")]
pub struct Args {
    /// Threads; repeat for several [default: 1, and one per core]
    #[arg(long, value_name = "N", value_parser = super::at_least_one())]
    threads: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct Limits {
    kernels: &'static str,
    /// A cache line from core to core, three times.
    hop_ns: [f64; 3],
    of_threads: Vec<OfThreads>,
}

/// Billions a second, all threads together; a multiply-add is two operations.
#[derive(Debug, Serialize)]
struct OfThreads {
    threads: usize,
    f32: Option<f64>,
    bf16: Option<f64>,
    int8: Option<f64>,
    /// Bytes read from 16 KiB, 256 KiB, 4 MiB and 128 MiB of each thread's own.
    read_l1: f64,
    read_l2: f64,
    read_l3: f64,
    read_memory: f64,
}

pub fn run(global: &Global, args: &Args) -> Result<u8, CliError> {
    // The instruction set that is set counts here too.
    global.config()?;
    let isa = Isa::current();
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut threads = if args.threads.is_empty() { vec![1, cores] } else { args.threads.clone() };
    threads.dedup();
    let hop = |_| limits::hop() * 1e9;
    let of_threads = threads.into_iter().map(|threads| {
        let pool = Pool::new(threads);
        let peak = |numbers| limits::arithmetic(isa, &pool, numbers).map(|n| n / 1e9);
        let read = |bytes| limits::reading(isa, &pool, bytes) / 1e9;
        OfThreads {
            threads: pool.threads(),
            f32: peak(Arithmetic::F32),
            bf16: peak(Arithmetic::Bf16),
            int8: peak(Arithmetic::Int8),
            read_l1: read(16 << 10),
            read_l2: read(256 << 10),
            read_l3: read(4 << 20),
            read_memory: read(128 << 20),
        }
    });
    let limits = Limits { kernels: isa.name(), of_threads: of_threads.collect(), hop_ns: [0, 1, 2].map(hop) };
    if global.json {
        output::json(&limits);
        return Ok(0);
    }
    let [a, b, c] = limits.hop_ns;
    say!("a line from core to core     {a:.0}, {b:.0}, {c:.0} ns");
    for of in &limits.of_threads {
        let peak = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.0}"));
        say!(
            "{} threads, {}: f32 {}, bf16 {}, int8 {} billion operations a second",
            of.threads,
            limits.kernels,
            peak(of.f32),
            peak(of.bf16),
            peak(of.int8)
        );
        say!(
            "{} threads read 16 KiB each at {:.0}, 256 KiB at {:.0}, 4 MiB at {:.0}, 128 MiB at {:.0} GB/s",
            of.threads,
            of.read_l1,
            of.read_l2,
            of.read_l3,
            of.read_memory
        );
    }
    Ok(0)
}
