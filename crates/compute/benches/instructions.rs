//! A fixed small network, run so many times on one thread, for counting instructions (`make bench-instructions`):
//! `cargo bench -p simile-compute --bench instructions -- ISA conv|text f32|bf16|int8 TIMES`.

use std::convert::Infallible;
use std::hint::black_box;

use simile_compute::convnet::{Builder, Calibration, Layer, MapNumber, Normalise};
use simile_compute::matrix::Act;
use simile_compute::number::{B16, F32, U8S8};
use simile_compute::transformer::{Arithmetic, Embeddings, LayerParts, Linear, Sizes, Transformer};
use simile_compute::{Isa, LayerNorm, Pool, Pooling};

fn numbers(n: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * scale
    };
    (0..n).map(next).collect()
}

/// A stem, its pool and one residual block on photos of 44 × 44.
fn conv<N: MapNumber>(isa: Isa, times: usize) {
    let mut b = Builder::new(44, 44);
    let layer = |from, to, kernel, stride| Layer { from, to, kernel, stride };
    let x = b.conv(b.input(), layer(3, 32, 7, 2), None, true);
    let x = b.max_pool(x);
    let shortcut = b.conv(x, layer(32, 96, 1, 1), None, false);
    let y = b.conv(x, layer(32, 32, 1, 1), None, true);
    let y = b.conv(y, layer(32, 32, 3, 1), None, true);
    b.conv(y, layer(32, 96, 1, 1), Some(shortcut), true);
    let normalise = Normalise { mean: [0.5; 3], std: [0.25; 3] };
    let load = |l: &Layer| {
        let size = l.from * l.kernel * l.kernel;
        Ok::<_, Infallible>((numbers(l.to * size, 1, 1.5 / (size as f32).sqrt()), numbers(l.to, 2, 0.1)))
    };
    let exact = b.finish::<F32, _>(normalise, None, load).unwrap_or_else(|never| match never {});
    let (pool, photo) =
        (Pool::new(1), (0..exact.pixels()).map(|i| (i * 7919 % 251) as u8).collect::<Vec<_>>());
    let calibration = Calibration::new(&b, &exact, isa, &pool, [photo.as_slice()], []);
    let net = b.finish::<N, _>(normalise, Some(&calibration), load).unwrap_or_else(|never| match never {});
    (0..times).for_each(|_| drop(black_box(net.run(isa, &pool, &[&photo]))));
}

/// Two layers, a text of 19 tokens and one of 5.
fn text(arithmetic: Arithmetic, isa: Isa, times: usize) {
    let linear = |out: usize, from: usize| Linear {
        weight: numbers(out * from, 1, 1.2 / (from as f32).sqrt()),
        bias: numbers(out, 2, 0.1),
    };
    let norm = || LayerNorm::new(vec![1.0; 96], numbers(96, 3, 0.1), 1e-12);
    let sizes = Sizes { embedding: 96, hidden: 96, heads: 3, inner: 384, act: Act::Gelu };
    let (words, places) = (numbers(100 * 96, 4, 0.5).into(), numbers(64 * 96, 5, 0.2));
    let embeddings = Embeddings { words, places, first: 0, norm: norm(), widen: None };
    let layer = |_| {
        Ok::<_, Infallible>(LayerParts {
            qkv: linear(3 * 96, 96),
            attention_out: linear(96, 96),
            attention_norm: norm(),
            up: linear(384, 96),
            down: linear(96, 384),
            norm: norm(),
        })
    };
    let made = Transformer::new(arithmetic, sizes, embeddings, (0..2).map(layer), vec![0, 1]);
    let made = made.unwrap_or_else(|never| match never {});
    let texts: [Vec<u32>; 2] = [19, 5].map(|n| (0..n).map(|t| t * 37 % 100).collect());
    let (pool, texts) = (Pool::new(1), texts.each_ref().map(Vec::as_slice));
    (0..times).for_each(|_| drop(black_box(made.encode(isa, &pool, &texts, Pooling::Mean))));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [isa, net, number, times] = arguments.as_slice() else {
        return println!("ISA conv|text f32|bf16|int8 TIMES");
    };
    let (isa, times) = (Isa::named(isa).expect("a set that is here"), times.parse().expect("a number"));
    match (net.as_str(), number.as_str()) {
        ("conv", "f32") => conv::<F32>(isa, times),
        ("conv", "bf16") => conv::<B16>(isa, times),
        ("conv", _) => conv::<U8S8>(isa, times),
        (_, "f32") => text(Arithmetic::F32, isa, times),
        (_, "bf16") => text(Arithmetic::Bf16, isa, times),
        _ => text(Arithmetic::Int8, isa, times),
    }
}
