//! Milliseconds of a BERT with seeded weights.
//!
//! `cargo bench -p simile-compute --bench transformer [threads] [rounds]` prints the least and the median of each cell;
//! cells take turns, so that a noisy neighbour hits all alike. `... -- serve MODEL BATCH TOKENS THREADS` takes turns with
//! other programs: it prints `ready`, and answers each line `F32 N` (or `Bf16`, `Int8`) with N times. A model is `bert`,
//! `minilm` or `albert`; TOKENS may be `mixed`: 5 to 32.

use std::io::BufRead;
use std::time::Instant;

use simile_compute::matrix::Act;
use simile_compute::transformer::{Arithmetic, Embeddings, LayerParts, Linear, Sizes, Transformer};
use simile_compute::{Isa, LayerNorm, Pool, Pooling};

const VOCABULARY: usize = 30522;
const ARITHMETICS: [Arithmetic; 3] = [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8];

fn numbers(n: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * scale
    };
    (0..n).map(next).collect()
}

fn linear(out: usize, from: usize) -> Linear {
    Linear { weight: numbers(out * from, 1, 1.2 / (from as f32).sqrt()), bias: numbers(out, 2, 0.1) }
}

fn norm(dim: usize) -> LayerNorm {
    LayerNorm::new(vec![1.0; dim], numbers(dim, 3, 0.1), 1e-12)
}

/// Sizes, layers in memory, layers on a text's way.
fn shape(model: &str) -> (Sizes, usize, usize) {
    let mini = Sizes { embedding: 384, hidden: 384, heads: 12, inner: 1536, act: Act::Gelu };
    let base = Sizes { embedding: 768, hidden: 768, heads: 12, inner: 3072, act: Act::Gelu };
    match model {
        "minilm" => (mini, 6, 6),
        "bert" => (base, 12, 12),
        "albert" => (Sizes { embedding: 128, ..base }, 1, 12),
        other => panic!("no model {other}"),
    }
}

fn build(arithmetic: Arithmetic, name: &str) -> Transformer {
    let (sizes, layers, depth) = shape(name);
    let Sizes { embedding, hidden, inner, .. } = sizes;
    let embeddings = Embeddings {
        words: numbers(VOCABULARY * embedding, 4, 0.5).into(),
        places: numbers(512 * embedding, 5, 0.2),
        first: 0,
        norm: norm(embedding),
        widen: (embedding != hidden).then(|| linear(hidden, embedding)),
    };
    let layer = |_| {
        Ok::<_, std::convert::Infallible>(LayerParts {
            qkv: linear(3 * hidden, hidden),
            attention_out: linear(hidden, hidden),
            attention_norm: norm(hidden),
            up: linear(inner, hidden),
            down: linear(hidden, inner),
            norm: norm(hidden),
        })
    };
    let order = (0..depth).map(|i| i % layers).collect();
    let made = Transformer::new(arithmetic, sizes, embeddings, (0..layers).map(layer), order);
    made.unwrap_or_else(|never| match never {})
}

fn texts(batch: usize, tokens: &str) -> Vec<Vec<u32>> {
    let length = |i: usize| tokens.parse().unwrap_or(5 + i * 11 % 28 * (i % 5 + 3) / 7);
    let text = |i: usize| (0..length(i)).map(|t| ((i * 991 + t) * 37 % VOCABULARY) as u32).collect();
    (0..batch).map(text).collect()
}

fn time(model: &Transformer, isa: Isa, pool: &Pool, texts: &[Vec<u32>]) -> f64 {
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let start = Instant::now();
    std::hint::black_box(model.encode(isa, pool, &texts, Pooling::Mean));
    start.elapsed().as_secs_f64() * 1e3
}

fn serve(name: &str, batch: usize, tokens: &str, threads: usize) {
    let (isa, pool, texts) = (Isa::current(), Pool::new(threads), texts(batch, tokens));
    let models = ARITHMETICS.map(|a| (format!("{a:?}"), build(a, name)));
    println!("ready");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (mode, n) = line.split_once(' ').expect("MODE N");
        let (_, model) = models.iter().find(|(name, _)| name == mode).expect("a mode");
        let times =
            (0..n.parse().expect("a number")).map(|_| format!("{:.4}", time(model, isa, &pool, &texts)));
        println!("{}", times.collect::<Vec<_>>().join(" "));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |i: usize, or: usize| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(or);
    if let [first, name, _, tokens, ..] = arguments.as_slice()
        && first == "serve"
    {
        return serve(name, number(2, 1), tokens, number(4, 1));
    }
    let (threads, rounds) = (number(0, 1), number(1, 15));
    let (isa, pool) = (Isa::current(), Pool::new(threads));
    println!("{isa}, {threads} threads: least and median of {rounds}, ms");
    for name in ["minilm", "bert", "albert"] {
        for arithmetic in ARITHMETICS {
            let model = build(arithmetic, name);
            let cells = [("16", 1), ("32", 1), ("128", 1), ("16", 8), ("128", 8), ("mixed", 64)];
            let texts = cells.map(|(tokens, batch)| texts(batch, tokens));
            let mut times = vec![Vec::new(); cells.len()];
            for _ in 0..rounds {
                for (texts, times) in texts.iter().zip(&mut times) {
                    times.push(time(&model, isa, &pool, texts));
                }
            }
            for ((tokens, batch), times) in cells.iter().zip(&mut times) {
                times.sort_by(f64::total_cmp);
                let (least, median) = (times[0], times[times.len() / 2]);
                println!("{name}/{tokens} batch {batch} {arithmetic:?}: {least:.2} {median:.2}");
            }
        }
    }
}
