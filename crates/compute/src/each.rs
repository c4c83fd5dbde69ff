//! Items of a batch: each is computed by one thread, so that no step waits for another thread. When half of the threads have no
//! item left, those under way are finished by all threads together: a thread that is held up holds up nobody for long.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::*};

use crate::Pool;

impl Pool {
    /// `begin(i, more)` computes item `i` while `more()`, which it asks now and then; what it then gives back is begun, and
    /// `end` goes on with it, which has all threads.
    pub(crate) fn each<B: Send>(
        &self,
        items: usize,
        begin: impl Fn(usize, &dyn Fn() -> bool) -> Option<B> + Sync,
        mut end: impl FnMut(usize, B),
    ) {
        let (next, idle, begun) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
        let more = || 2 * idle.load(Relaxed) < self.threads();
        self.run(self.threads(), |_| {
            loop {
                let item = next.fetch_add(1, Relaxed);
                if item >= items {
                    break;
                }
                if let Some(half) = begin(item, &more) {
                    begun.lock().unwrap_or_else(|e| e.into_inner()).push((item, half));
                }
            }
            idle.fetch_add(1, Relaxed);
        });
        for (item, half) in begun.into_inner().unwrap_or_else(|e| e.into_inner()) {
            end(item, half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_ends_once_and_what_is_held_up_is_ended_by_all() {
        for threads in [1, 2, 3] {
            let pool = Pool::new(threads);
            for items in [0, 1, 2, 7] {
                let ended: Vec<_> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                // The last item waits until it is told to stop, if there is anybody else.
                let begin = |i: usize, more: &dyn Fn() -> bool| {
                    while i + 1 == items && threads > 1 && more() {
                        std::thread::yield_now();
                    }
                    let done = i + 1 < items || threads == 1;
                    ended[i].fetch_add(usize::from(done), Relaxed);
                    (!done).then_some(i)
                };
                pool.each(items, begin, |i, half| {
                    assert_eq!((i, half), (items - 1, items - 1));
                    ended[i].fetch_add(1, Relaxed);
                });
                assert!(ended.iter().all(|n| n.load(Relaxed) == 1), "{items} items, {threads} threads");
            }
        }
    }
}
