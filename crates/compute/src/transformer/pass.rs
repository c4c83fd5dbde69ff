//! Some texts through all layers.

use super::layer::{Block, Layer, Ready};
use super::numbers::Numbers;
use super::scratch::{Scratch, Span, View, Views};
use super::{Sizes, Stack};
use crate::attention::{Shape, attend};
use crate::matrix::{Act, Rows, RowsMut};
use crate::norm::LayerNorm;
use crate::number::{Element, Number};
use crate::quantise::Spread;
use crate::simd::fetch;
use crate::{Isa, Pool};

/// Numbers that a task between products takes, some 2 µs of work.
const TASK: usize = 6 * 1024;
/// Multiply-adds of a task of attention.
const HEADS: usize = 64 * 1024;

/// Words between one that is added and one that is fetched.
const WORDS_AHEAD: usize = 4;

/// What every step of a pass needs.
pub(super) struct Pass<'a, N: Numbers> {
    isa: Isa,
    /// Who shares the work of a part.
    crew: &'a Pool,
    sizes: &'a Sizes,
    stack: &'a Stack<N>,
    texts: &'a [&'a [u32]],
    at: Views<'a, N>,
}

impl<N: Numbers> Clone for Pass<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<N: Numbers> Copy for Pass<'_, N> {}

/// Rows normalised, and measured where products want to know.
fn normalised<N: Numbers, const R: usize>(norm: &LayerNorm, isa: Isa, rows: [&mut [f32]; R]) -> [Spread; R] {
    if N::MEASURE { norm.some::<R, true>(isa, rows) } else { norm.some::<R, false>(isa, rows) }
}

/// How a middle row is made ready.
type Made<N> = fn(Isa, &[<N as Numbers>::Middle], &mut [<N as Number>::Input]) -> f32;

impl<'a, N: Numbers> Pass<'a, N> {
    pub fn new(
        stack: &'a Stack<N>,
        (isa, sizes): (Isa, &'a Sizes),
        scratch: &'a mut Scratch<N>,
        texts: &'a [&'a [u32]],
        crew: &'a Pool,
    ) -> Self {
        Self { isa, crew, sizes, stack, texts, at: scratch.views() }
    }

    fn tokens(self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }

    /// `None` behind the last one.
    fn block(self, layer: usize) -> Option<&'a Block<N>> {
        self.stack.order.get(layer).map(|&i| &self.stack.blocks[i])
    }

    /// In `parts` that `pool` shares. They meet at the end of each `pool.run`: attention of a layer reads keys and values of
    /// all rows, which are those of the run before.
    pub fn in_parts(self, parts: usize, pool: &Pool) {
        let tokens = self.tokens();
        let part = |i: usize| (i * tokens / parts, (i + 1) * tokens / parts);
        let qkv = |layer: usize| self.at.qkv[layer % 2];
        pool.run(parts, |p| self.first(part(p), qkv(0)));
        for layer in 0..self.stack.order.len() {
            pool.run(parts, |p| self.whole(layer, part(p), qkv(layer), qkv(layer + 1)));
        }
    }

    /// From a layer on, as one part that the crew shares, as long as there is to be `more`; gives how many layers are done.
    pub fn go_on(self, done: usize, more: &dyn Fn() -> bool) -> usize {
        let (rows, qkv) = ((0, self.tokens()), self.at.qkv[0]);
        if done == 0 {
            self.first(rows, qkv);
        }
        let layers = self.stack.order.len();
        for layer in done..layers {
            if layer > done && !more() {
                return layer;
            }
            self.whole(layer, rows, qkv, qkv);
        }
        layers
    }

    /// What comes before the first layer's attention.
    fn first(self, rows: Span, qkv: View<N::Middle>) {
        self.enter(rows);
        if let Some(block) = self.block(0) {
            self.queries(block, rows, qkv);
        }
    }

    /// A layer from its attention on, and the next one's queries, keys and values.
    fn whole(self, layer: usize, rows: Span, qkv: View<N::Middle>, next_qkv: View<N::Middle>) {
        let next = self.block(layer + 1);
        if let Some(block) = self.block(layer) {
            self.layer(block, rows, qkv, next);
        }
        if let Some(next) = next {
            self.queries(next, rows, next_qkv);
        }
    }

    /// Embeddings, normalised and widened: rows of the stream, ready for the first layer.
    fn enter(self, rows: Span) {
        let (Sizes { embedding, hidden, .. }, at) = (*self.sizes, self.at);
        if let Some(widen) = &self.stack.widen {
            self.embed(rows, at.y);
            self.ready(embedding, rows, at.y, Some(&self.stack.norm), false);
            // SAFETY: rows of this part, here and below.
            unsafe {
                self.apply(widen, rows, self.stream(rows, at.y), None, Act::None, at.x.rows_mut(rows), None)
            };
            self.ready(hidden, rows, at.x, None, true);
        } else {
            self.embed(rows, at.x);
            self.ready(hidden, rows, at.x, Some(&self.stack.norm), true);
        }
    }

    /// Queries, keys and values of a layer.
    fn queries(self, block: &Block<N>, rows: Span, qkv: View<N::Middle>) {
        let at = self.at;
        // SAFETY: rows of this part, and columns of `qkv` that one product after the other writes.
        unsafe {
            let (x, next) = (self.stream(rows, at.x), Some(&block.attention_out));
            self.apply(&block.qkv, rows, x, None, Act::None, qkv.rows_mut(rows), next);
            if N::REST {
                let rest = Ready { rows: at.rest.rows(rows), scales: at.rest_scales.rows(rows).data };
                let with = (self.isa, self.crew, &self.stack.arena);
                block.qkv.add(with, rest, 2 * self.sizes.hidden, qkv.rows_mut(rows));
            }
        }
    }

    /// The rest of a layer, after which comes `next`.
    fn layer(self, block: &Block<N>, rows: Span, qkv: View<N::Middle>, next: Option<&Block<N>>) {
        let (Sizes { hidden, inner, act, .. }, at) = (*self.sizes, self.at);
        self.attention(rows, qkv);
        self.middle_ready(hidden, rows, at.ctx, at.ready, N::of_context);
        // SAFETY: rows of this part; no product writes what it reads.
        unsafe {
            let (ctx, x) = (self.middle(rows, at.ctx, at.ready), at.x.rows(rows).data);
            self.apply(
                &block.attention_out,
                rows,
                ctx,
                Some(x),
                Act::None,
                at.y.rows_mut(rows),
                Some(&block.up),
            );
            self.ready(hidden, rows, at.y, Some(&block.attention_norm), false);
            let y = self.stream(rows, at.y);
            self.apply(&block.up, rows, y, None, act, at.inner.rows_mut(rows), Some(&block.down));
            self.middle_ready(inner, rows, at.inner, at.inner_ready, N::of_inner);
            let (up, y) = (self.middle(rows, at.inner, at.inner_ready), at.y.rows(rows).data);
            self.apply(&block.down, rows, up, Some(y), Act::None, at.x.rows_mut(rows), next.map(|b| &b.qkv));
        }
        self.ready(hidden, rows, at.x, Some(&block.norm), true);
    }

    #[allow(clippy::too_many_arguments)] // what a product is made of
    fn apply<O: Element>(
        self,
        layer: &Layer<N>,
        (from, until): Span,
        input: Rows<'_, N::Input>,
        residual: Option<&[O]>,
        act: Act,
        out: RowsMut<'_, O>,
        next: Option<&Layer<N>>,
    ) {
        // SAFETY: scales of this part's rows.
        let scales = unsafe { self.at.scales.rows((from, until)).data };
        let x = Ready { rows: input, scales };
        layer.apply((self.isa, self.crew, &self.stack.arena), x, residual, act, out, next);
    }

    /// Words and places added.
    fn embed(self, rows: Span, to: View<f32>) {
        let (dim, Stack { words, places, .. }) = (self.sizes.embedding, self.stack);
        let words: &[f32] = words;
        for (text, first) in self.within(rows) {
            let ids = self.texts[text].iter().zip(super::places(self.texts[text], self.stack.first));
            for (row, (&id, place)) in (first..).zip(ids).filter(|(row, _)| (rows.0..rows.1).contains(row)) {
                let (word, place) = (&words[id as usize * dim..][..dim], &places[place * dim..][..dim]);
                // A word's row is anywhere in the table: the memory gets time to find it.
                if let Some(&later) = self.texts[text].get(row - first + WORDS_AHEAD) {
                    fetch(self.isa, &words[later as usize * dim..][..dim]);
                }
                // SAFETY: a row of this part.
                let row = unsafe { to.row_mut(row, dim) };
                row.iter_mut().zip(word).zip(place).for_each(|((x, w), p)| *x = w + p);
            }
        }
    }

    /// Texts that have some of these rows, and their first row.
    fn within(self, (from, until): Span) -> impl Iterator<Item = (usize, usize)> {
        let firsts = self.at.firsts;
        let texts = firsts.partition_point(|&f| f <= from) - 1..firsts.partition_point(|&f| f < until);
        texts.map(|text| (text, firsts[text]))
    }

    /// Runs `f` for groups of rows, on the threads of the crew.
    fn by_rows(self, width: usize, (from, until): Span, f: impl Fn(Span) + Sync) {
        let (count, per) = (until - from, (TASK / width).max(1));
        self.crew.run(count.div_ceil(per), |i| f((from + i * per, until.min(from + (i + 1) * per))));
    }

    /// Rows of the stream normalised in place, and made ready for a product; `rest`: for that of the values too.
    fn ready(self, width: usize, rows: Span, x: View<f32>, norm: Option<&LayerNorm>, rest: bool) {
        self.by_rows(width, rows, |(from, until)| {
            for i in (from..until).step_by(2) {
                // SAFETY: rows i and i + 1, which no other task has.
                unsafe {
                    let row = |i: usize| x.row_mut(i, width);
                    // Two at a time: neither waits for its own sums.
                    match norm {
                        Some(norm) if i + 1 < until => {
                            let [a, b] = normalised::<N, 2>(norm, self.isa, [row(i), row(i + 1)]);
                            self.row_ready(width, i, row(i), a, rest);
                            self.row_ready(width, i + 1, row(i + 1), b, rest);
                        }
                        Some(norm) => {
                            let [a] = normalised::<N, 1>(norm, self.isa, [row(i)]);
                            self.row_ready(width, i, row(i), a, rest);
                        }
                        None => (i..until.min(i + 2)).for_each(|i| {
                            let spread =
                                if N::MEASURE { Spread::of(self.isa, row(i)) } else { Spread::default() };
                            self.row_ready(width, i, row(i), spread, rest);
                        }),
                    }
                }
            }
        });
    }

    /// Row `i` of the stream made ready for a product.
    ///
    /// # Safety
    /// No other task may have it.
    unsafe fn row_ready(self, width: usize, i: usize, row: &[f32], spread: Spread, rest: bool) {
        if N::STREAM_IS_INPUT {
            return;
        }
        let at = self.at;
        // SAFETY: the caller's; `ready` has rows unless the stream is the input, and `rest` where it is multiplied.
        unsafe {
            let (ready, scale) = (at.ready.row_mut(i, width), at.scales.start.at(i));
            if N::REST && rest {
                let rest = at.rest.row_mut(i, width);
                (*scale, *at.rest_scales.start.at(i)) =
                    N::of_stream_twice(self.isa, row, spread, ready, rest);
            } else {
                *scale = N::of_stream(self.isa, row, spread, ready);
            }
        }
    }

    /// Rows between products made ready for one, where they are not.
    fn middle_ready(self, width: usize, rows: Span, x: View<N::Middle>, to: View<N::Input>, made: Made<N>) {
        if N::MIDDLE_IS_INPUT {
            return;
        }
        let scales = self.at.scales.start;
        self.by_rows(width, rows, |(from, until)| {
            for i in from..until {
                // SAFETY: row i of each, which no other task has.
                unsafe { *scales.at(i) = made(self.isa, x.row_mut(i, width), to.row_mut(i, width)) }
            }
        });
    }

    /// Attention of the queries of these rows; a task is some heads of texts.
    fn attention(self, (from, until): Span, qkv: View<N::Middle>) {
        let Sizes { hidden, heads, .. } = *self.sizes;
        let (dim, ctx, threads) = (hidden / heads, self.at.ctx, self.crew.threads());
        let first = self.within((from, until)).next().map_or(0, |(text, _)| text);
        let texts = self.within((from, until)).count();
        let longest = self.texts[first..first + texts].iter().map(|t| t.len()).max().unwrap_or(1);
        let all = heads * texts;
        let run = (HEADS / (longest * longest * dim)).clamp(1, all.div_ceil(threads));
        let tasks = all.div_ceil(run).next_multiple_of(threads);
        self.crew.run(tasks, |task| {
            let mut scratch =
                self.at.heads.lock().unwrap_or_else(|e| e.into_inner()).pop().unwrap_or_default();
            for head in task * all / tasks..(task + 1) * all / tasks {
                let (text, column) = (first + head / heads, head % heads * dim);
                let (start, tokens) = (self.at.firsts[text], self.texts[text].len());
                let queries = (from.max(start) - start, until.min(start + tokens) - start);
                let shape = Shape { tokens, queries, dim, stride: qkv.stride, out_stride: ctx.stride };
                // SAFETY: this text's rows, which nobody writes meanwhile, and this head's columns of rows of this part,
                // which no other task has; behind each row of queries come keys.
                unsafe {
                    let parts = [0, 1, 2]
                        .map(|i| qkv.start.at(start * qkv.stride + i * hidden + column).cast_const());
                    let out = ctx.start.at((start + queries.0) * ctx.stride + column);
                    attend::<N::Attention, N::Middle>(self.isa, shape, parts, out, &mut scratch);
                }
            }
            self.at.heads.lock().unwrap_or_else(|e| e.into_inner()).push(scratch);
        });
    }

    /// Rows of the stream as a product's input.
    ///
    /// # Safety
    /// Nobody may write them meanwhile.
    unsafe fn stream<'b>(self, rows: Span, x: View<f32>) -> Rows<'b, N::Input> {
        // SAFETY: the caller's.
        unsafe {
            let Rows { data, rows: count, stride } = x.rows(rows);
            match N::stream(data) {
                Some(data) => Rows::new(data, count, stride),
                None => self.at.ready.rows(rows),
            }
        }
    }

    /// Rows between products as a product's input.
    ///
    /// # Safety
    /// Nobody may write them meanwhile.
    unsafe fn middle<'b>(self, rows: Span, x: View<N::Middle>, ready: View<N::Input>) -> Rows<'b, N::Input> {
        // SAFETY: the caller's.
        unsafe {
            let Rows { data, rows: count, stride } = x.rows(rows);
            match N::middle(data) {
                Some(data) => Rows::new(data, count, stride),
                None => ready.rows(rows),
            }
        }
    }
}
