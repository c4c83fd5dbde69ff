//! The best k of many scores, kept in a bounded heap behind a running threshold.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The `k` best `(row, score)` offered so far: larger scores first, of equal ones the lower row. NaN never enters.
///
/// The result does not depend on the order of the offers.
#[derive(Debug, Clone)]
pub struct TopK {
    k: usize,
    heap: BinaryHeap<Entry>,
    /// The worst kept score once `k` are kept; what is below cannot enter.
    threshold: f32,
}

/// Greater means worse, so that the heap's top is the worst kept.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    row: u32,
    score: f32,
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // NaN is refused at the door, so the comparison is total; it takes -0.0 and 0.0 as equal.
        other.score.partial_cmp(&self.score).unwrap_or(Ordering::Equal).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TopK {
    pub fn new(k: usize) -> Self {
        let threshold = if k == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
        // k may be far above the count: grow with what comes.
        Self { k, heap: BinaryHeap::with_capacity(k.min(1024)), threshold }
    }

    /// Offers one row.
    #[inline]
    pub fn push(&mut self, row: u32, score: f32) {
        if score >= self.threshold {
            self.enter(Entry { row, score });
        }
    }

    /// Offers the rows `first`, `first + 1`, … with their scores.
    pub fn offer(&mut self, first: u32, scores: &[f32]) {
        for (row, &score) in (first..).zip(scores) {
            self.push(row, score);
        }
    }

    /// Offers all that `other` kept.
    pub fn merge(mut self, other: Self) -> Self {
        other.heap.into_iter().for_each(|e| self.push(e.row, e.score));
        self
    }

    fn enter(&mut self, entry: Entry) {
        if self.heap.len() < self.k {
            self.heap.push(entry);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
        if self.heap.len() == self.k {
            self.threshold = self.heap.peek().map_or(f32::INFINITY, |e| e.score);
        }
    }

    /// `(row, score)`, best first.
    pub fn into_sorted(self) -> Vec<(u32, f32)> {
        self.heap.into_sorted_vec().into_iter().map(|e| (e.row, e.score)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_row_in_whatever_order_they_come() {
        let mut rows: Vec<(u32, f32)> = (0..40).map(|i| (i, (i % 4) as f32)).collect();
        let want = [(3, 3.0), (7, 3.0), (11, 3.0), (15, 3.0), (19, 3.0)];
        for turn in 0..40 {
            rows.rotate_left(7);
            let (mut a, mut b) = (TopK::new(5), TopK::new(5));
            rows[..turn].iter().for_each(|&(r, s)| a.push(r, s));
            rows[turn..].iter().for_each(|&(r, s)| b.push(r, s));
            assert_eq!(a.merge(b).into_sorted(), want);
        }
    }

    #[test]
    fn nan_never_enters_and_infinity_does() {
        let mut top = TopK::new(3);
        top.offer(0, &[f32::NAN, f32::NEG_INFINITY, f32::NAN, 1.0]);
        assert_eq!(top.into_sorted(), [(3, 1.0), (1, f32::NEG_INFINITY)]);
    }

    #[test]
    fn none_wanted_none_kept_and_more_wanted_than_offered() {
        let mut none = TopK::new(0);
        none.offer(0, &[1.0, f32::INFINITY]);
        assert!(none.into_sorted().is_empty());
        let mut all = TopK::new(usize::MAX);
        all.offer(5, &[0.5, 0.25]);
        assert_eq!(all.into_sorted(), [(5, 0.5), (6, 0.25)]);
    }
}
