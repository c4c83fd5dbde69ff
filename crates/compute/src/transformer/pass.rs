//! Texts through all layers, in passes whose rows stay in the caches.

use super::layer::{Block, Ready};
use super::numbers::Numbers;
use super::{Sizes, Stack};
use crate::attention::{self, Shape, attend};
use crate::buffer::Shared;
use crate::matrix::{Act, Rows, RowsMut, skew};
use crate::norm::LayerNorm;
use crate::number::{Bf16, Element};
use crate::pooling::{Pooling, pool as pooled};
use crate::quantise::round;
use crate::{Buffer, Isa, Pool};

/// Tokens of a pass, if no text has more.
const PASS: usize = 256;
/// Tokens per thread from which on threads take passes of their own; below, all threads share one.
const ALONE: usize = 96;
/// Numbers that a task between products takes, some 5 µs of work.
const TASK: usize = 16 * 1024;

/// Rows of `stride` elements, whole steps of any number type, none a multiple of 2 KiB apart.
struct Plane<T> {
    buffer: Buffer<T>,
    stride: usize,
}

impl<T: Element> Plane<T> {
    fn new(rows: usize, width: usize) -> Self {
        let width = width.next_multiple_of(16);
        let stride = width + skew::<T>(width);
        Self { buffer: Buffer::new(rows * stride), stride }
    }
    fn rows(&self, rows: usize) -> Rows<'_, T> {
        Rows::new(&self.buffer, rows, self.stride)
    }
    fn rows_mut(&mut self, rows: usize) -> RowsMut<'_, T> {
        RowsMut::new(&mut self.buffer, rows, self.stride)
    }
}

/// All rows of a pass; kept for the next.
pub(super) struct Scratch<N: Numbers> {
    tokens: usize,
    /// The stream of residuals, and the other end of it.
    x: Plane<f32>,
    y: Plane<f32>,
    /// Rows of the stream, or of `ctx`, made ready for a product.
    ready: Plane<N::Input>,
    /// Rows of the stream, where values are computed in bf16.
    rounded: Plane<Bf16>,
    qkv: Plane<N::Middle>,
    ctx: Plane<N::Middle>,
    inner: Plane<N::Middle>,
    inner_ready: Plane<N::Input>,
    scales: Buffer<f32>,
    /// The first row of each text.
    firsts: Vec<usize>,
    /// One per task of attention that has run at the same time.
    heads: Heads,
}

type Heads = std::sync::Mutex<Vec<attention::Scratch>>;

impl<N: Numbers> Scratch<N> {
    fn new(sizes: &Sizes, tokens: usize) -> Self {
        let Sizes { embedding, hidden, inner, .. } = *sizes;
        // x is the residual of y and y of x: both have one stride.
        let wide = hidden.max(embedding);
        Self {
            tokens,
            x: Plane::new(tokens, wide),
            y: Plane::new(tokens, wide),
            ready: Plane::new(if N::STREAM_IS_INPUT { 0 } else { tokens }, wide),
            rounded: Plane::new(if N::VALUES_IN_BF16 { tokens } else { 0 }, wide),
            qkv: Plane::new(tokens, 3 * hidden),
            ctx: Plane::new(tokens, hidden),
            inner: Plane::new(tokens, inner),
            inner_ready: Plane::new(if N::MIDDLE_IS_INPUT { 0 } else { tokens }, inner),
            scales: Buffer::new(tokens),
            firsts: Vec::new(),
            heads: Heads::default(),
        }
    }
}

/// What every step of a pass needs.
#[derive(Clone, Copy)]
struct Pass<'a, N: Numbers> {
    isa: Isa,
    pool: &'a Pool,
    sizes: &'a Sizes,
    stack: &'a Stack<N>,
    texts: &'a [&'a [u32]],
    tokens: usize,
}

impl<N: Numbers> Stack<N> {
    pub fn encode(
        &self,
        isa: Isa,
        pool: &Pool,
        sizes: &Sizes,
        texts: &[&[u32]],
        pooling: Pooling,
    ) -> Vec<f32> {
        let places = self.places.len() / sizes.embedding;
        assert!(texts.iter().all(|t| !t.is_empty() && self.first + t.len() <= places), "a place per token");
        let hidden = sizes.hidden;
        let mut out = vec![0.0; texts.len() * hidden];
        let to = Shared(out.as_mut_ptr());
        let passes = cut(texts, pool.threads());
        pool.run(passes.len(), |i| {
            let (from, until) = passes[i];
            let texts = &texts[from..until];
            let tokens = texts.iter().map(|t| t.len()).sum();
            let mut scratch = self.take_scratch(sizes, tokens);
            Pass { isa, pool, sizes, stack: self, texts, tokens }.run(&mut scratch);
            for ((at, text), &first) in (from..).zip(texts).zip(&scratch.firsts) {
                // SAFETY: the vector of this text, which no other pass has.
                let to = unsafe { std::slice::from_raw_parts_mut(to.at(at * hidden), hidden) };
                let rows = &scratch.x.buffer[first * scratch.x.stride..];
                pooled(isa, pooling, Rows::new(rows, text.len(), scratch.x.stride), to);
            }
            self.free.lock().unwrap_or_else(|e| e.into_inner()).push(scratch);
        });
        out
    }

    fn take_scratch(&self, sizes: &Sizes, tokens: usize) -> Scratch<N> {
        let mut free = self.free.lock().unwrap_or_else(|e| e.into_inner());
        // The smallest that is large enough; a new one takes the place of one that is too small.
        let enough = free.iter().enumerate().filter(|(_, s)| s.tokens >= tokens);
        match enough.min_by_key(|(_, s)| s.tokens).map(|(i, _)| i) {
            Some(i) => free.swap_remove(i),
            None => {
                free.pop();
                drop(free);
                Scratch::new(sizes, tokens.next_multiple_of(64))
            }
        }
    }
}

/// `(from, until)`: passes of about as many tokens each, at most [`PASS`] where the texts allow it.
fn cut(texts: &[&[u32]], threads: usize) -> Vec<(usize, usize)> {
    let tokens: usize = texts.iter().map(|t| t.len()).sum();
    let mut count = tokens.div_ceil(PASS).max(1);
    if tokens >= threads * ALONE {
        count = count.next_multiple_of(threads);
    }
    let (mut passes, mut from, mut seen) = (Vec::with_capacity(count), 0, 0);
    for (i, text) in texts.iter().enumerate() {
        // The middle of a text says which pass it is of.
        let of = |at: usize| (2 * at + text.len()) * count / (2 * tokens);
        if i > from && of(seen) > passes.len() {
            passes.push((from, i));
            from = i;
        }
        seen += text.len();
    }
    if from < texts.len() {
        passes.push((from, texts.len()));
    }
    passes
}

impl<N: Numbers> Pass<'_, N> {
    fn run(self, s: &mut Scratch<N>) {
        let Sizes { embedding, hidden, inner, act, .. } = *self.sizes;
        let (rows, with) = (self.tokens, (self.isa, self.pool, &self.stack.arena));
        let mut first = 0;
        s.firsts.clear();
        s.firsts.extend(self.texts.iter().map(|text| {
            first += text.len();
            first - text.len()
        }));
        if let Some(widen) = &self.stack.widen {
            self.embed(&s.firsts, &mut s.y);
            self.ready(embedding, &mut s.y, Some(&self.stack.norm), &mut s.ready, &mut s.scales);
            widen.apply(with, stream(rows, &s.y, &s.ready, &s.scales), None, Act::None, s.x.rows_mut(rows));
            self.ready(hidden, &mut s.x, None, &mut s.ready, &mut s.scales);
        } else {
            self.embed(&s.firsts, &mut s.x);
            self.ready(hidden, &mut s.x, Some(&self.stack.norm), &mut s.ready, &mut s.scales);
        }
        for &i in &self.stack.order {
            let block: &Block<N> = &self.stack.blocks[i];
            let x = stream(rows, &s.x, &s.ready, &s.scales);
            block.qkv.apply(with, x, None, Act::None, s.qkv.rows_mut(rows));
            if let Some(values) = &block.values {
                self.round_stream(hidden, &s.x, &mut s.rounded);
                let x = Ready { rows: s.rounded.rows(rows), scales: &[] };
                let to = RowsMut::new(&mut s.qkv.buffer[2 * hidden..], rows, s.qkv.stride);
                values.apply(with, x, None, Act::None, to);
            }
            self.attention(&s.firsts, &s.qkv, &mut s.ctx, &s.heads);
            self.middle_ready(hidden, &s.ctx, &mut s.ready, &mut s.scales);
            let ctx = middle(rows, &s.ctx, &s.ready, &s.scales);
            block.attention_out.apply(with, ctx, Some(&s.x.buffer), Act::None, s.y.rows_mut(rows));
            self.ready(hidden, &mut s.y, Some(&block.attention_norm), &mut s.ready, &mut s.scales);
            let y = stream(rows, &s.y, &s.ready, &s.scales);
            block.up.apply(with, y, None, act, s.inner.rows_mut(rows));
            self.middle_ready(inner, &s.inner, &mut s.inner_ready, &mut s.scales);
            let up = middle(rows, &s.inner, &s.inner_ready, &s.scales);
            block.down.apply(with, up, Some(&s.y.buffer), Act::None, s.x.rows_mut(rows));
            self.ready(hidden, &mut s.x, Some(&block.norm), &mut s.ready, &mut s.scales);
        }
    }

    /// Words and places added.
    fn embed(self, firsts: &[usize], to: &mut Plane<f32>) {
        let (dim, Stack { words, places, .. }) = (self.sizes.embedding, self.stack);
        let words: &[f32] = words;
        for (text, &row) in self.texts.iter().zip(firsts) {
            for ((row, &id), place) in (row..).zip(*text).zip(super::places(text, self.stack.first)) {
                let (word, place) = (&words[id as usize * dim..][..dim], &places[place * dim..][..dim]);
                let row = &mut to.buffer[row * to.stride..][..dim];
                row.iter_mut().zip(word).zip(place).for_each(|((x, w), p)| *x = w + p);
            }
        }
    }

    /// Runs `f` for groups `(from, until)` of rows of `width`.
    fn by_rows(self, width: usize, f: impl Fn(usize, usize) + Sync) {
        let per = (TASK / width).clamp(1, self.tokens);
        self.pool.run(self.tokens.div_ceil(per), |i| f(i * per, self.tokens.min((i + 1) * per)));
    }

    /// Rows of the stream normalised in place, and made ready for a product.
    fn ready(
        self,
        width: usize,
        x: &mut Plane<f32>,
        norm: Option<&LayerNorm>,
        ready: &mut Plane<N::Input>,
        scales: &mut Buffer<f32>,
    ) {
        let (stride, ready_stride) = (x.stride, ready.stride);
        let (x, ready, scales) = (x.buffer.share(), ready.buffer.share(), scales.share());
        self.by_rows(width, |from, until| {
            for i in from..until {
                // SAFETY: row i of each, which no other task has; `ready` has rows unless the stream is the input.
                let row = unsafe { std::slice::from_raw_parts_mut(x.at(i * stride), width) };
                if let Some(norm) = norm {
                    norm.row(self.isa, row);
                }
                if !N::STREAM_IS_INPUT {
                    // SAFETY: as above.
                    unsafe {
                        let to = std::slice::from_raw_parts_mut(ready.at(i * ready_stride), width);
                        *scales.at(i) = N::of_stream(self.isa, row, to);
                    }
                }
            }
        });
    }

    /// Rows of the stream in bf16.
    fn round_stream(self, width: usize, x: &Plane<f32>, to: &mut Plane<Bf16>) {
        let (stride, to) = (to.stride, to.buffer.share());
        self.by_rows(width, |from, until| {
            for i in from..until {
                // SAFETY: row i, which no other task has.
                let to = unsafe { std::slice::from_raw_parts_mut(to.at(i * stride), width) };
                round(self.isa, &x.buffer[i * x.stride..][..width], to);
            }
        });
    }

    /// Rows between products made ready for one, where they are not.
    fn middle_ready(
        self,
        width: usize,
        x: &Plane<N::Middle>,
        to: &mut Plane<N::Input>,
        scales: &mut Buffer<f32>,
    ) {
        if N::MIDDLE_IS_INPUT {
            return;
        }
        let (stride, to, scales) = (to.stride, to.buffer.share(), scales.share());
        self.by_rows(width, |from, until| {
            for i in from..until {
                // SAFETY: row i of each, which no other task has.
                unsafe {
                    let to = std::slice::from_raw_parts_mut(to.at(i * stride), width);
                    *scales.at(i) = N::of_middle(self.isa, &x.buffer[i * x.stride..][..width], to);
                }
            }
        });
    }

    /// A task is a head of a text.
    fn attention(self, firsts: &[usize], qkv: &Plane<N::Middle>, ctx: &mut Plane<N::Middle>, free: &Heads) {
        let Sizes { hidden, heads, .. } = *self.sizes;
        let dim = hidden / heads;
        let (stride, out_stride) = (qkv.stride, ctx.stride);
        let to = ctx.buffer.share();
        self.pool.run(heads * firsts.len(), |task| {
            let (text, at) = (task / heads, task % heads * dim);
            let shape = Shape { tokens: self.texts[text].len(), dim, stride, out_stride };
            let rows = &qkv.buffer[firsts[text] * stride..];
            let parts = [0, 1, 2].map(|part| rows[part * hidden + at..].as_ptr());
            let mut scratch = free.lock().unwrap_or_else(|e| e.into_inner()).pop().unwrap_or_default();
            // SAFETY: this text's rows, and this head's columns of its result, which no other task has; behind each
            // row of queries come keys.
            unsafe {
                let out = to.at(firsts[text] * out_stride + at);
                attend::<N::Attention, N::Middle>(self.isa, shape, parts, out, &mut scratch);
            }
            free.lock().unwrap_or_else(|e| e.into_inner()).push(scratch);
        });
    }
}

/// The stream as a product's input.
fn stream<'a, N: Numbers>(
    rows: usize,
    x: &'a Plane<f32>,
    ready: &'a Plane<N::Input>,
    scales: &'a [f32],
) -> Ready<'a, N> {
    match N::stream(&x.buffer) {
        Some(x_) => Ready { rows: Rows::new(x_, rows, x.stride), scales },
        None => Ready { rows: ready.rows(rows), scales },
    }
}

/// Rows between products as a product's input.
fn middle<'a, N: Numbers>(
    rows: usize,
    x: &'a Plane<N::Middle>,
    ready: &'a Plane<N::Input>,
    scales: &'a [f32],
) -> Ready<'a, N> {
    match N::middle(&x.buffer) {
        Some(x_) => Ready { rows: Rows::new(x_, rows, x.stride), scales },
        None => Ready { rows: ready.rows(rows), scales },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_hold_every_text_once_and_are_of_like_size() {
        let of = |lengths: &[usize], threads| {
            let ids = [7u32; 512];
            let texts: Vec<&[u32]> = lengths.iter().map(|&n| &ids[..n]).collect();
            cut(&texts, threads)
        };
        assert_eq!(of(&[], 2), []);
        assert_eq!(of(&[512], 2), [(0, 1)]);
        assert_eq!(of(&[16, 16], 2), [(0, 2)], "too few tokens for a thread alone");
        assert_eq!(of(&[128, 128], 2), [(0, 1), (1, 2)]);
        let lengths: Vec<usize> = (0..200).map(|i| 1 + i * 37 % 60).collect();
        for threads in [1, 2, 3] {
            let passes = of(&lengths, threads);
            assert!(passes.len().is_multiple_of(threads), "{threads} threads, {} passes", passes.len());
            assert_eq!((passes[0].0, passes[passes.len() - 1].1), (0, 200));
            assert!(passes.windows(2).all(|w| w[0].1 == w[1].0));
            let tokens = |&(from, until): &(usize, usize)| lengths[from..until].iter().sum::<usize>();
            assert!(passes.iter().all(|p| tokens(p) <= PASS + 60), "{threads} threads");
        }
    }
}
