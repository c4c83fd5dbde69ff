//! Rows that a pass works on, kept for the next.

use super::numbers::Numbers;
use super::{Sizes, Stack};
use crate::Buffer;
use crate::attention;
use crate::buffer::Shared;
use crate::matrix::{Rows, RowsMut, skew};
use crate::number::Element;

/// Rows of `stride` elements, whole steps of any number type, none a multiple of 2 KiB apart.
pub(super) struct Plane<T> {
    pub buffer: Buffer<T>,
    pub stride: usize,
}

impl<T: Element> Plane<T> {
    pub fn new(rows: usize, width: usize) -> Self {
        let width = width.next_multiple_of(16);
        let stride = width + skew::<T>(width);
        Self { buffer: Buffer::new(rows * stride), stride }
    }
    pub fn view(&mut self) -> View<T> {
        View { start: self.buffer.share(), stride: self.stride }
    }
}

/// A plane that tasks share; each writes rows, or columns, of its own.
pub(super) struct View<T> {
    pub start: Shared<T>,
    pub stride: usize,
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for View<T> {}

impl<T> View<T> {
    /// # Safety
    /// The rows must be the plane's, and nobody may write them meanwhile.
    pub unsafe fn rows<'a>(self, (from, until): Span) -> Rows<'a, T> {
        // SAFETY: the caller's.
        let data = unsafe {
            std::slice::from_raw_parts(self.start.at(from * self.stride), (until - from) * self.stride)
        };
        Rows::new(data, until - from, self.stride)
    }
    /// # Safety
    /// The rows must be the plane's, and nobody else may read or write them meanwhile.
    pub unsafe fn rows_mut<'a>(self, (from, until): Span) -> RowsMut<'a, T> {
        // SAFETY: the caller's.
        let data = unsafe {
            std::slice::from_raw_parts_mut(self.start.at(from * self.stride), (until - from) * self.stride)
        };
        RowsMut::new(data, until - from, self.stride)
    }
    /// # Safety
    /// As of `rows_mut`, for `width` elements of row `i`.
    pub unsafe fn row_mut<'a>(self, i: usize, width: usize) -> &'a mut [T] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.start.at(i * self.stride), width) }
    }
}

/// Rows `(from, until)`.
pub(super) type Span = (usize, usize);

/// All rows of a pass; kept for the next.
pub(super) struct Scratch<N: Numbers> {
    pub tokens: usize,
    /// The stream of residuals, and the other end of it.
    pub x: Plane<f32>,
    pub y: Plane<f32>,
    /// Rows of the stream, or of `ctx`, made ready for a product.
    pub ready: Plane<N::Input>,
    /// What rounding left of `ready`, where that is multiplied too; its scale is 0 for rows where it is not.
    pub rest: Plane<N::Input>,
    pub rest_scales: Plane<f32>,
    /// One is read, by all, while the next layer's is written.
    pub qkv: [Plane<N::Middle>; 2],
    pub ctx: Plane<N::Middle>,
    pub inner: Plane<N::Middle>,
    pub inner_ready: Plane<N::Input>,
    pub scales: Plane<f32>,
    /// The first row of each text.
    pub firsts: Vec<usize>,
    /// One per task of attention that has run at the same time.
    pub heads: Heads,
}

pub(super) type Heads = std::sync::Mutex<Vec<attention::Scratch>>;

impl<N: Numbers> Scratch<N> {
    pub fn new(sizes: &Sizes, tokens: usize) -> Self {
        let Sizes { embedding, hidden, inner, .. } = *sizes;
        // x is the residual of y and y of x: both have one stride.
        let wide = hidden.max(embedding);
        Self {
            tokens,
            x: Plane::new(tokens, wide),
            y: Plane::new(tokens, wide),
            ready: Plane::new(if N::STREAM_IS_INPUT { 0 } else { tokens }, wide),
            rest: Plane::new(if N::REST { tokens } else { 0 }, wide),
            rest_scales: Plane { buffer: Buffer::new(if N::REST { tokens } else { 0 }), stride: 1 },
            qkv: [0, 1].map(|_| Plane::new(tokens, 3 * hidden)),
            ctx: Plane::new(tokens, hidden),
            inner: Plane::new(tokens, inner),
            inner_ready: Plane::new(if N::MIDDLE_IS_INPUT { 0 } else { tokens }, inner),
            scales: Plane { buffer: Buffer::new(tokens), stride: 1 },
            firsts: Vec::new(),
            heads: Heads::default(),
        }
    }

    pub fn views(&mut self) -> Views<'_, N> {
        Views {
            x: self.x.view(),
            y: self.y.view(),
            ready: self.ready.view(),
            rest: self.rest.view(),
            rest_scales: self.rest_scales.view(),
            qkv: self.qkv.each_mut().map(Plane::view),
            ctx: self.ctx.view(),
            inner: self.inner.view(),
            inner_ready: self.inner_ready.view(),
            scales: self.scales.view(),
            firsts: &self.firsts,
            heads: &self.heads,
        }
    }
}

pub(super) struct Views<'a, N: Numbers> {
    pub x: View<f32>,
    pub y: View<f32>,
    pub ready: View<N::Input>,
    pub rest: View<N::Input>,
    pub rest_scales: View<f32>,
    pub qkv: [View<N::Middle>; 2],
    pub ctx: View<N::Middle>,
    pub inner: View<N::Middle>,
    pub inner_ready: View<N::Input>,
    pub scales: View<f32>,
    pub firsts: &'a [usize],
    pub heads: &'a Heads,
}

impl<N: Numbers> Clone for Views<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<N: Numbers> Copy for Views<'_, N> {}

impl<N: Numbers> Stack<N> {
    /// From an earlier pass, if there is one that is large enough.
    pub fn take_scratch(&self, sizes: &Sizes, tokens: usize) -> Scratch<N> {
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
