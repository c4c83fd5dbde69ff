//! Milliseconds of a BERT with seeded weights: `cargo bench -p simile-compute --bench transformer [threads]`.
//!
//! Cells take turns, so that a noisy neighbour hits all alike; the least and the median of each are told.

use std::time::Instant;

use simile_compute::matrix::Act;
use simile_compute::transformer::{Arithmetic, Embeddings, LayerParts, Linear, Sizes, Transformer};
use simile_compute::{Isa, LayerNorm, Pool, Pooling};

const VOCABULARY: usize = 1000;

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

fn model(arithmetic: Arithmetic, sizes: Sizes, layers: usize) -> Transformer {
    let Sizes { embedding, hidden, inner, .. } = sizes;
    let embeddings = Embeddings {
        words: numbers(VOCABULARY * embedding, 4, 0.5).into(),
        places: numbers(512 * embedding, 5, 0.2),
        first: 0,
        norm: norm(embedding),
        widen: None,
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
    let made = Transformer::new(arithmetic, sizes, embeddings, (0..layers).map(layer), (0..layers).collect());
    made.unwrap_or_else(|never| match never {})
}

fn main() {
    let arguments: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let threads = arguments.first().copied().unwrap_or(1);
    let rounds = arguments.get(1).copied().unwrap_or(15);
    let (isa, pool) = (Isa::current(), Pool::new(threads));
    let mini = Sizes { embedding: 384, hidden: 384, heads: 12, inner: 1536, act: Act::Gelu };
    let base = Sizes { embedding: 768, hidden: 768, heads: 12, inner: 3072, act: Act::Gelu };
    println!("{isa}, {threads} threads: least and median of {rounds}, ms");
    for (name, sizes, layers) in [("minilm", mini, 6), ("bert-base", base, 12)] {
        for arithmetic in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
            let model = model(arithmetic, sizes, layers);
            let cells = [(16, 1), (32, 1), (128, 1), (16, 8), (128, 8)];
            let mut times = vec![Vec::new(); cells.len()];
            for _ in 0..rounds {
                for (&(tokens, batch), times) in cells.iter().zip(&mut times) {
                    let text: Vec<u32> = (0..tokens).map(|i| i * 37 % VOCABULARY as u32).collect();
                    let texts = vec![text.as_slice(); batch];
                    let start = Instant::now();
                    std::hint::black_box(model.encode(isa, &pool, &texts, Pooling::Mean));
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            for (&(tokens, batch), times) in cells.iter().zip(&mut times) {
                times.sort_by(f64::total_cmp);
                let (least, median) = (times[0], times[times.len() / 2]);
                println!("{name}/{tokens} batch {batch} {arithmetic:?}: {least:.2} {median:.2}");
            }
        }
    }
}
