use super::*;
use crate::testing::numbers;

/// A seeded model in parts.
pub(super) struct Model {
    pub sizes: Sizes,
    embeddings: Embeddings,
    layers: Vec<LayerParts>,
    pub order: Vec<usize>,
}

const VOCABULARY: usize = 50;

fn linear(out: usize, from: usize, seed: u64) -> Linear {
    let scale = 1.2 / (from as f32).sqrt();
    let weight = numbers(out * from, seed).iter().map(|w| w * scale).collect();
    Linear { weight, bias: numbers(out, seed + 1).iter().map(|b| b * 0.1).collect() }
}

fn norm(dim: usize, seed: u64) -> LayerNorm {
    let weight = numbers(dim, seed).iter().map(|w| 1.0 + w * 0.1).collect();
    LayerNorm::new(weight, numbers(dim, seed + 1).iter().map(|b| b * 0.1).collect(), 1e-12)
}

fn model(sizes: Sizes, positions: usize, layers: usize, order: Vec<usize>) -> Model {
    let Sizes { embedding, hidden, heads, inner, .. } = sizes;
    let layer = |i: u64| {
        let mut qkv = linear(3 * hidden, hidden, i * 100);
        let share = ((hidden / heads) as f32).sqrt().recip();
        qkv.weight[..hidden * hidden].iter_mut().chain(&mut qkv.bias[..hidden]).for_each(|v| *v *= share);
        LayerParts {
            qkv,
            attention_out: linear(hidden, hidden, i * 100 + 10),
            attention_norm: norm(hidden, i * 100 + 20),
            up: linear(inner, hidden, i * 100 + 30),
            down: linear(hidden, inner, i * 100 + 40),
            norm: norm(hidden, i * 100 + 50),
        }
    };
    let embeddings = Embeddings {
        words: numbers(VOCABULARY * embedding, 7).into(),
        places: numbers(positions * embedding, 8),
        first: 0,
        norm: norm(embedding, 9),
        widen: (embedding != hidden).then(|| linear(hidden, embedding, 11)),
    };
    Model { sizes, embeddings, layers: (1..=layers as u64).map(layer).collect(), order }
}

impl Model {
    pub fn compile(&self, arithmetic: Arithmetic) -> Transformer {
        let layers = self.layers.iter().map(|l| Ok::<_, std::convert::Infallible>(l.clone()));
        let made =
            Transformer::new(arithmetic, self.sizes, self.embeddings.clone(), layers, self.order.clone());
        made.unwrap_or_else(|never| match never {})
    }

    /// One text in plain loops over f64: `[tokens, hidden]`.
    fn exact(&self, ids: &[u32]) -> Vec<Vec<f64>> {
        let Sizes { embedding, hidden, heads, act, .. } = self.sizes;
        let e = &self.embeddings;
        let wide = |x: f32| f64::from(x);
        let embed = |(i, &id): (usize, &u32)| {
            let (word, place) = (&e.words[id as usize * embedding..], &e.places[i * embedding..]);
            (0..embedding).map(|j| wide(word[j]) + wide(place[j])).collect()
        };
        let mut x: Vec<Vec<f64>> = ids.iter().enumerate().map(embed).collect();
        normalise(&e.norm, &mut x);
        if let Some(widen) = &e.widen {
            x = multiply(widen, &x);
        }
        for &i in &self.order {
            let layer = &self.layers[i];
            let qkv = multiply(&layer.qkv, &x);
            let dim = hidden / heads;
            let mut ctx = vec![vec![0.0; hidden]; ids.len()];
            for (i, row) in ctx.iter_mut().enumerate() {
                for (c, out) in row.iter_mut().enumerate() {
                    let first = c / dim * dim;
                    let score = |j: usize| {
                        (0..dim).map(|d| qkv[i][first + d] * qkv[j][hidden + first + d]).sum::<f64>()
                    };
                    let e: Vec<f64> = (0..ids.len()).map(|j| score(j).exp()).collect();
                    let mixed: f64 = e.iter().zip(&qkv).map(|(e, row)| e * row[2 * hidden + c]).sum();
                    *out = mixed / e.iter().sum::<f64>();
                }
            }
            let mut y = add(multiply(&layer.attention_out, &ctx), &x);
            normalise(&layer.attention_norm, &mut y);
            let mut inner = multiply(&layer.up, &y);
            inner.iter_mut().flatten().for_each(|v| *v = activated(act, *v));
            x = add(multiply(&layer.down, &inner), &y);
            normalise(&layer.norm, &mut x);
        }
        x
    }
}

fn activated(act: Act, x: f64) -> f64 {
    match act {
        Act::None => x,
        Act::Relu => x.max(0.0),
        // The two differ by less than 1e-3, and which one is computed is tested where they are.
        Act::Gelu | Act::GeluTanh => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + u.tanh())
        }
    }
}

fn multiply(l: &Linear, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let from = x[0].len();
    let one = |row: &Vec<f64>, (w, b): (&[f32], &f32)| {
        f64::from(*b) + row.iter().zip(w).map(|(x, w)| x * f64::from(*w)).sum::<f64>()
    };
    x.iter().map(|row| l.weight.chunks(from).zip(&l.bias).map(|part| one(row, part)).collect()).collect()
}

fn add(mut a: Vec<Vec<f64>>, b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(a, b)| *a += b);
    a
}

/// In f32 rows, whose own test is beside them.
fn normalise(norm: &LayerNorm, x: &mut [Vec<f64>]) {
    for row in x {
        let mut narrow: Vec<f32> = row.iter().map(|&v| v as f32).collect();
        norm.row(Isa::SCALAR, &mut narrow);
        row.iter_mut().zip(narrow).for_each(|(to, v)| *to = f64::from(v));
    }
}

fn texts(lengths: &[usize]) -> Vec<Vec<u32>> {
    let text =
        |(t, &n): (usize, &usize)| (0..n).map(|i| ((t * 31 + i * 7 + i * i) % VOCABULARY) as u32).collect();
    lengths.iter().enumerate().map(text).collect()
}

fn encode(model: &Transformer, isa: Isa, pool: &Pool, texts: &[Vec<u32>]) -> Vec<f32> {
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    model.encode(isa, pool, &texts, Pooling::Mean)
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum();
    let (a2, b2): (f64, f64) = (a.iter().map(|&a| f64::from(a).powi(2)).sum(), b.iter().map(|b| b * b).sum());
    dot / (a2 * b2).sqrt()
}

#[test]
fn places_are_those_of_bert_and_of_roberta() {
    let of = |ids: &[u32], first| places(ids, first).collect::<Vec<_>>();
    assert_eq!(of(&[5, 0, 7], 0), [0, 1, 2]);
    assert_eq!(of(&[0, 9, 2], 2), [2, 3, 4]);
    assert_eq!(of(&[0, 1, 9, 1, 2], 2), [2, 1, 3, 1, 4]);
}

pub(super) fn models() -> [Model; 4] {
    let sizes = Sizes { embedding: 64, hidden: 64, heads: 2, inner: 128, act: Act::Relu };
    [
        model(sizes, 512, 2, vec![0, 1]),
        // Heads of 13, nothing a multiple of anything.
        model(Sizes { embedding: 39, hidden: 39, heads: 3, inner: 50, ..sizes }, 40, 2, vec![0, 1]),
        // Widened, with layers used again, as in ALBERT.
        model(
            Sizes { embedding: 20, hidden: 48, heads: 4, inner: 96, act: Act::GeluTanh },
            40,
            2,
            vec![0, 0, 1, 1, 1],
        ),
        // Rows of 2 KiB in every number type.
        model(Sizes { embedding: 512, hidden: 512, heads: 8, inner: 512, ..sizes }, 40, 1, vec![0]),
    ]
}

#[test]
fn every_level_encodes_as_plain_loops_do() {
    let (one, two) = (Pool::new(1), Pool::new(2));
    for (m, model) in models().iter().enumerate() {
        let texts = texts(&[1, 5, 16, 33, 2, 40]);
        let mean = |text: &Vec<u32>| {
            let x = model.exact(text);
            (0..model.sizes.hidden)
                .map(|c| x.iter().map(|row| row[c]).sum::<f64>() / x.len() as f64)
                .collect()
        };
        let want: Vec<Vec<f64>> = texts.iter().map(mean).collect();
        for (arithmetic, least) in
            [(Arithmetic::F32, 0.999_999_9), (Arithmetic::Bf16, 0.9999), (Arithmetic::Int8, 0.995)]
        {
            let compiled = model.compile(arithmetic);
            for isa in Isa::available() {
                let got = encode(&compiled, isa, &one, &texts);
                assert_eq!(
                    got,
                    encode(&compiled, isa, &two, &texts),
                    "model {m} {arithmetic:?} {isa}: threads"
                );
                for ((got, want), text) in got.chunks(model.sizes.hidden).zip(&want).zip(&texts) {
                    let cosine = cosine(got, want);
                    let tokens = text.len();
                    assert!(cosine >= least, "model {m} {arithmetic:?} {isa} {tokens} tokens: {cosine}");
                }
            }
        }
    }
}

#[test]
fn a_text_does_not_depend_on_the_texts_beside_it() {
    let model = &models()[0];
    let pool = Pool::new(2);
    let lengths: Vec<usize> = (0..90).map(|i| 1 + i * 13 % 37).chain([512]).collect();
    let texts = texts(&lengths);
    for arithmetic in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
        let compiled = model.compile(arithmetic);
        for isa in Isa::available() {
            let all = encode(&compiled, isa, &pool, &texts);
            for at in [0, 1, 36, 53, 89, 90] {
                let alone = encode(&compiled, isa, &pool, &texts[at..=at]);
                assert_eq!(alone, all[at * 64..][..64], "{arithmetic:?} {isa}, text {at}");
            }
        }
    }
    assert!(encode(&model.compile(Arithmetic::F32), Isa::best(), &pool, &[]).is_empty());
}

#[test]
fn several_callers_at_once_get_their_own_texts() {
    let model = models()[1].compile(Arithmetic::F32);
    let pool = Pool::new(2);
    let texts = texts(&[7; 12]);
    let want = encode(&model, Isa::best(), &pool, &texts);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| (0..20).for_each(|_| assert_eq!(encode(&model, Isa::best(), &pool, &texts), want)));
        }
    });
}
