//! A batch of texts, in passes whose rows stay in the caches.
//!
//! With several passes, each thread takes its own from the first layer to the last. With one, threads take rows of their
//! own and meet once a layer, where attention reads the other's keys and values; with few rows, they share each product.

use super::cut::{cut, even};
use super::numbers::Numbers;
use super::pass::Pass;
use super::scratch::Scratch;
use super::{Sizes, Stack};
use crate::buffer::Shared;
use crate::matrix::Rows;
use crate::pooling::{Pooling, pool as pooled};
use crate::{Isa, Pool};

/// Bytes of weights for which threads take rows of their own: products are so small that to meet after each costs more
/// than that every thread reads all weights. Measured on two cores: MiniLM (11 to 43 MB) is 3 to 25 % faster so,
/// BERT-base (85 to 340 MB) 1 to 3 % slower.
const LIGHT: usize = 64 << 20;
/// Bytes of weights per row of a thread's own: with fewer rows, it waits for the memory.
const PER_ROW: usize = 3 << 20;
/// Rows per thread at least: fewer leave the kernel half empty.
const OWN_ROWS: usize = 8;
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
        let alone = Pool::new(1);
        let begin = |(from, until): (usize, usize)| {
            let texts = &texts[from..until];
            let mut scratch = self.take_scratch(sizes, texts.iter().map(|t| t.len()).sum());
            let mut first = 0;
            scratch.firsts.clear();
            scratch.firsts.extend(texts.iter().map(|text| {
                first += text.len();
                first - text.len()
            }));
            scratch
        };
        let end = |(from, until): (usize, usize), scratch: Scratch<N>| {
            for ((at, text), &first) in (from..until).zip(&texts[from..until]).zip(&scratch.firsts) {
                // SAFETY: the vector of this text, which no other pass has.
                let to = unsafe { std::slice::from_raw_parts_mut(to.at(at * hidden), hidden) };
                let rows = &scratch.x.buffer[first * scratch.x.stride..];
                pooled(isa, pooling, Rows::new(rows, text.len(), scratch.x.stride), to);
            }
            self.free.lock().unwrap_or_else(|e| e.into_inner()).push(scratch);
        };
        let threads = pool.threads();
        let passes = cut(texts, threads);
        if threads == 1 || even(texts, &passes, threads) {
            let of = |i: usize| &texts[passes[i].0..passes[i].1];
            let one = |i: usize, more: &dyn Fn() -> bool| {
                let mut scratch = begin(passes[i]);
                let layers = Pass::new(self, (isa, sizes), &mut scratch, of(i), &alone).go_on(0, more);
                if layers < self.order.len() {
                    return Some((scratch, layers));
                }
                end(passes[i], scratch);
                None
            };
            pool.each(passes.len(), one, |i, (mut scratch, layers)| {
                Pass::new(self, (isa, sizes), &mut scratch, of(i), pool).go_on(layers, &|| true);
                end(passes[i], scratch);
            });
            return out;
        }
        let weights = self.arena.panels().len();
        let own = OWN_ROWS.max(weights.div_ceil(PER_ROW));
        for of in cut(texts, 1) {
            let mut scratch = begin(of);
            let texts = &texts[of.0..of.1];
            let tokens: usize = texts.iter().map(|t| t.len()).sum();
            if weights <= LIGHT && threads > 1 && tokens >= own * threads {
                Pass::new(self, (isa, sizes), &mut scratch, texts, &alone).in_parts(threads, pool);
            } else {
                Pass::new(self, (isa, sizes), &mut scratch, texts, pool).go_on(0, &|| true);
            }
            end(of, scratch);
        }
        out
    }
}
