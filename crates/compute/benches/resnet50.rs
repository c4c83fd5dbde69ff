//! ResNet50 with seeded weights: `cargo bench -p simile-compute --bench resnet50 -- [threads] [batch] [rounds]`.
//! Number types take turns; minimum and median in ms. With `profile`, instead, the least time of every step.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use simile_compute::convnet::{Builder, Calibration, Layer, MapNumber, Net, Normalise};
use simile_compute::number::{B16, F32, U8S8};
use simile_compute::{Isa, Pool};

const NORMALISE: Normalise = Normalise { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

fn resnet50() -> Builder {
    let mut b = Builder::new(224, 224);
    let x = b.conv(b.input(), Layer { from: 3, to: 64, kernel: 7, stride: 2 }, None, true);
    let (mut x, mut from) = (b.max_pool(x), 64);
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        let width = 64 << stage;
        for block in 0..blocks {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let one = |from, to, stride| Layer { from, to, kernel: 1, stride };
            let shortcut = if block == 0 { b.conv(x, one(from, 4 * width, stride), None, false) } else { x };
            x = b.conv(x, one(from, width, 1), None, true);
            x = b.conv(x, Layer { from: width, to: width, kernel: 3, stride }, None, true);
            x = b.conv(x, one(width, 4 * width, 1), Some(shortcut), true);
            from = 4 * width;
        }
    }
    b
}

fn net<N: MapNumber>(calibration: Option<&Calibration<'_>>) -> Net<N> {
    let mut seed = 99u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let load = |layer: &Layer| {
        let size = layer.from * layer.kernel * layer.kernel;
        let gain = (6.0 / size as f32).sqrt() * if layer.to > layer.from { 0.4 } else { 1.0 };
        let weight = (0..layer.to * size).map(|_| next() * gain).collect();
        Ok::<_, Infallible>((weight, (0..layer.to).map(|_| next() * 0.1).collect()))
    };
    resnet50().finish::<N, _>(NORMALISE, calibration, load).unwrap_or_else(|e| match e {})
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() {
    // cargo itself adds --bench.
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let number = |i: usize, or| numbers.get(i).copied().unwrap_or(or);
    let (threads, batch, rounds) = (number(0, 1), number(1, 1), number(2, 10));
    let (pool, isa) = (Pool::new(threads), Isa::best());
    let photo: Vec<u8> = (0..224 * 224 * 3).map(|i: usize| (i * 7919 % 251) as u8).collect();
    let photos: Vec<&[u8]> = vec![&photo; batch];

    let single = net::<F32>(None);
    let calibration = Calibration::new(&resnet50(), &single, isa, &pool, [photo.as_slice()], []);
    let (brain, byte) = (net::<B16>(None), net::<U8S8>(Some(&calibration)));
    drop(calibration);
    let want = single.run(isa, &pool, &[&photo]).remove(0);
    if std::env::args().any(|a| a == "profile") {
        let profiles = [
            single.profile(isa, &pool, &photo, 15),
            brain.profile(isa, &pool, &photo, 15),
            byte.profile(isa, &pool, &photo, 15),
        ];
        for (name, steps) in ["f32", "bf16", "int8"].into_iter().zip(profiles) {
            println!("{name} on {isa}, {threads} threads: {:.2} ms", ms(steps.iter().map(|s| s.1).sum()));
            steps.iter().for_each(|(step, time)| println!("{:8.3} {step}", ms(*time)));
        }
        return;
    }
    type Run<'a> = (&'a str, Box<dyn Fn() -> Vec<Vec<f32>> + 'a>);
    let runs: [Run<'_>; 3] = [
        ("f32", Box::new(|| single.run(isa, &pool, &photos))),
        ("bf16", Box::new(|| brain.run(isa, &pool, &photos))),
        ("int8", Box::new(|| byte.run(isa, &pool, &photos))),
    ];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for ((_, run), times) in runs.iter().zip(&mut times) {
            run();
            for _ in 0..3 {
                let start = Instant::now();
                run();
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    println!("resnet50 on {isa}, {threads} threads, batch {batch}");
    for ((name, run), times) in runs.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let got = run().remove(0);
        let cosine = dot(&got, &want) / (dot(&got, &got) * dot(&want, &want)).sqrt();
        println!("{name}: {:.2} ({:.2}) ms, cosine {cosine:.6}", times[times.len() / 2], times[0]);
    }
}
