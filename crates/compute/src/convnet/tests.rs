use super::*;
use crate::number::{B16, F32, U8S8};
use crate::{Isa, Pool};

struct Seeded(u64);
impl Seeded {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

pub(super) const NORMALISE: Normalise = Normalise { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// What is built, told once for the plan and once for plain loops.
#[derive(Clone, Copy)]
pub(super) enum Told {
    /// From which map, layer, map to add, ReLU.
    Conv(usize, Layer, Option<usize>, bool),
    MaxPool(usize),
}

fn layer(from: usize, to: usize, kernel: usize, stride: usize) -> Layer {
    Layer { from, to, kernel, stride }
}

/// Small networks of every kind of layer: odd channels, strides, 1×1, maps of 7×7 and of one pixel, both Winograds.
pub(super) fn networks() -> Vec<(usize, usize, Vec<Told>)> {
    use Told::*;
    vec![
        (9, 7, vec![Conv(0, layer(3, 5, 3, 1), None, true)]),
        (1, 1, vec![Conv(0, layer(3, 33, 7, 2), None, true), Conv(1, layer(33, 16, 3, 1), None, true)]),
        (14, 14, vec![Conv(0, layer(3, 32, 1, 1), None, true), Conv(1, layer(32, 48, 3, 1), None, true)]),
        (13, 31, vec![Conv(0, layer(3, 32, 3, 2), None, true), Conv(1, layer(32, 32, 3, 1), None, true)]),
        (
            31,
            13,
            vec![
                Conv(0, layer(3, 32, 7, 2), None, true),
                MaxPool(1),
                Conv(2, layer(32, 32, 1, 1), None, true),
                Conv(3, layer(32, 32, 3, 1), None, true),
                Conv(2, layer(32, 70, 1, 1), None, false),
                Conv(4, layer(32, 70, 1, 1), Some(5), true),
                Conv(6, layer(70, 20, 1, 1), None, true),
                Conv(7, layer(20, 20, 3, 2), None, true),
                Conv(6, layer(70, 40, 1, 2), None, false),
                Conv(8, layer(20, 40, 1, 1), Some(9), true),
            ],
        ),
        // A map that more than the pool reads.
        (
            23,
            18,
            vec![
                Conv(0, layer(3, 40, 7, 2), None, true),
                MaxPool(1),
                Conv(1, layer(40, 24, 1, 2), None, false),
                Conv(2, layer(40, 24, 1, 1), Some(3), true),
            ],
        ),
        // A shortcut with a stride, computed with what it is added to.
        (
            29,
            28,
            vec![
                Conv(0, layer(3, 37, 3, 1), None, true),
                Conv(1, layer(37, 20, 3, 2), None, true),
                Conv(1, layer(37, 40, 1, 2), None, false),
                Conv(2, layer(20, 40, 1, 1), Some(3), true),
                Conv(4, layer(40, 9, 1, 1), None, true),
            ],
        ),
        (
            56,
            50,
            vec![
                Conv(0, layer(3, 32, 7, 2), None, true),
                MaxPool(1),
                // The basic block: a sum that a 3×3 reads, added to once more.
                Conv(2, layer(32, 32, 3, 1), None, true),
                Conv(3, layer(32, 32, 3, 1), Some(2), true),
                Conv(4, layer(32, 32, 3, 1), None, true),
                Conv(5, layer(32, 32, 3, 1), Some(4), true),
            ],
        ),
    ]
}

/// The same seeded weights for every run.
fn weights(layer: &Layer, seed: &mut Seeded) -> (Vec<f32>, Vec<f32>) {
    let size = layer.from * layer.kernel * layer.kernel;
    let gain = (6.0 / size as f32).sqrt();
    let weight = (0..layer.to * size).map(|_| seed.next() * gain).collect();
    (weight, (0..layer.to).map(|_| seed.next() * 0.2).collect())
}

pub(super) fn builder(h: usize, w: usize, told: &[Told]) -> Builder {
    let mut builder = Builder::new(h, w);
    let mut ids = vec![builder.input()];
    for &t in told {
        ids.push(match t {
            Told::Conv(from, layer, add, relu) => builder.conv(ids[from], layer, add.map(|a| ids[a]), relu),
            Told::MaxPool(from) => builder.max_pool(ids[from]),
        });
    }
    builder
}

pub(super) fn build<N: MapNumber>(h: usize, w: usize, told: &[Told]) -> Net<N> {
    let pool = Pool::new(1);
    // Portable, so that what is packed is the same everywhere.
    let calibration = N::QUANTISED.then(|| {
        let (net, photos) = (build::<F32>(h, w, told), [1, 2, 3, 4].map(|s| photo(h, w, s)));
        let (photos, other) = photos.split_at(3);
        let [photos, other] = [photos, other].map(|some| some.iter().map(Vec::as_slice));
        let isa = Isa::available().next().unwrap();
        Calibration::new(&builder(h, w, told), &net, isa, &pool, photos, other)
    });
    let (builder, mut seed) = (builder(h, w, told), Seeded(11));
    builder.finish::<N, ()>(NORMALISE, calibration.as_ref(), |layer| Ok(weights(layer, &mut seed))).unwrap()
}

/// Height, width, channels and values, NHWC.
type Plane = (usize, usize, usize, Vec<f64>);

fn plain_loops(h: usize, w: usize, told: &[Told], photo: &[u8]) -> Vec<f64> {
    let value = |(i, &b): (usize, &u8)| {
        (f64::from(b) / 255.0 - f64::from(NORMALISE.mean[i % 3])) / f64::from(NORMALISE.std[i % 3])
    };
    let mut maps: Vec<Plane> = vec![(h, w, 3, photo.iter().enumerate().map(value).collect())];
    let mut seed = Seeded(11);
    for &t in told {
        let map = match t {
            Told::Conv(from, layer, add, relu) => {
                let (weight, bias) = weights(&layer, &mut seed);
                convolve(&maps[from], &layer, &weight, &bias, add.map(|a| &maps[a]), relu)
            }
            Told::MaxPool(from) => {
                let (h, w, c, x) = &maps[from];
                let (oh, ow) = (h.div_ceil(2), w.div_ceil(2));
                let near = |at: usize, n: usize| (2 * at).saturating_sub(1)..(2 * at + 2).min(n);
                let most = |i: usize| {
                    let (y, px, k) = (i / c / ow, i / c % ow, i % c);
                    let all = near(y, *h).flat_map(|y| near(px, *w).map(move |x| (y, x)));
                    all.map(|(y, px)| x[(y * w + px) * c + k]).fold(f64::NEG_INFINITY, f64::max)
                };
                (oh, ow, *c, (0..oh * ow * c).map(most).collect())
            }
        };
        maps.push(map);
    }
    let (h, w, c, x) = maps.last().unwrap();
    (0..*c).map(|k| x.iter().skip(k).step_by(*c).sum::<f64>() / (h * w) as f64).collect()
}

fn convolve(
    (h, w, c, x): &Plane,
    layer: &Layer,
    weight: &[f32],
    bias: &[f32],
    add: Option<&Plane>,
    relu: bool,
) -> Plane {
    let Layer { to, kernel, stride, .. } = *layer;
    let (oh, ow, pad) = (h.div_ceil(stride), w.div_ceil(stride), kernel / 2);
    let mut out = vec![0.0; oh * ow * to];
    for (i, out) in out.iter_mut().enumerate() {
        let (y, px, n) = (i / to / ow, i / to % ow, i % to);
        let mut sum = f64::from(bias[n]) + add.map_or(0.0, |a| a.3[i]);
        for ky in 0..kernel {
            for kx in 0..kernel {
                let (Some(yy), Some(xx)) =
                    ((y * stride + ky).checked_sub(pad), (px * stride + kx).checked_sub(pad))
                else {
                    continue;
                };
                if yy < *h && xx < *w {
                    for k in 0..*c {
                        let w_ = weight[((n * c + k) * kernel + ky) * kernel + kx];
                        sum += f64::from(w_) * x[(yy * w + xx) * c + k];
                    }
                }
            }
        }
        *out = if relu { sum.max(0.0) } else { sum };
    }
    (oh, ow, to, out)
}

pub(super) fn photo(h: usize, w: usize, seed: u64) -> Vec<u8> {
    let mut seed = Seeded(seed);
    (0..h * w * 3).map(|_| ((seed.next() + 1.0) * 127.9) as u8).collect()
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * b).sum();
    let (a, b): (f64, f64) = (a.iter().map(|&a| f64::from(a).powi(2)).sum(), b.iter().map(|b| b * b).sum());
    dot / (a * b).sqrt().max(1e-30)
}

#[test]
fn f32_networks_are_plain_loops_at_every_level() {
    for isa in Isa::available() {
        for threads in [1, 2] {
            let pool = Pool::new(threads);
            for (i, (h, w, told)) in networks().into_iter().enumerate() {
                let (net, photo) = (build::<F32>(h, w, &told), photo(h, w, 5));
                let want = plain_loops(h, w, &told, &photo);
                // Twice: the second run finds memory that the first one used.
                net.run(isa, &pool, &[&photo]);
                let got = net.run(isa, &pool, &[&photo]).remove(0);
                let most = want.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                for (&got, &want) in got.iter().zip(&want) {
                    let error = (f64::from(got) - want).abs();
                    assert!(error <= 1e-5 * most, "{isa} network {i}, {threads} threads: {got}, want {want}");
                }
            }
        }
    }
}

#[test]
fn bf16_networks_are_close_at_every_level() {
    let pool = Pool::new(2);
    for isa in Isa::available() {
        for (i, (h, w, told)) in networks().into_iter().enumerate() {
            let (net, photo) = (build::<B16>(h, w, &told), photo(h, w, 5));
            let got = net.run(isa, &pool, &[&photo]).remove(0);
            let cosine = cosine(&got, &plain_loops(h, w, &told, &photo));
            assert!(cosine >= 0.9999, "{isa} network {i}: {cosine}");
        }
    }
}

#[test]
fn int8_networks_are_close_and_bit_equal_in_every_batch() {
    let (one, two) = (Pool::new(1), Pool::new(2));
    for (i, (h, w, told)) in networks().into_iter().enumerate() {
        let photos: Vec<Vec<u8>> = (5..10).map(|s| photo(h, w, s)).collect();
        let net = build::<U8S8>(h, w, &told);
        let want = plain_loops(h, w, &told, &photos[0]);
        let all: Vec<&[u8]> = photos.iter().map(Vec::as_slice).collect();
        for isa in Isa::available() {
            let first = net.run(isa, &one, &[&photos[0]]).remove(0);
            let cosine = cosine(&first, &want);
            assert!(cosine >= 0.99, "{isa} network {i}: {cosine}");
            for n in 1..=5 {
                for pool in [&one, &two] {
                    assert_eq!(net.run(isa, pool, &all[..n])[0], first, "{isa} network {i}, batch of {n}");
                }
            }
        }
    }
}

#[test]
fn a_photo_alone_and_in_a_batch_of_any_size_is_the_same() {
    let (h, w, told) = networks().remove(4);
    let net = build::<F32>(h, w, &told);
    let photos: Vec<Vec<u8>> = (0..33).map(|s| photo(h, w, s)).collect();
    let pool = Pool::new(2);
    let alone: Vec<Vec<f32>> = photos.iter().flat_map(|p| net.run(Isa::best(), &pool, &[p])).collect();
    for n in [1, 2, 3, 8, 33] {
        let batch: Vec<&[u8]> = photos[..n].iter().map(Vec::as_slice).collect();
        assert_eq!(net.run(Isa::best(), &pool, &batch), alone[..n], "batch of {n}");
    }
}
