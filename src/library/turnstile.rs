//! Whose turn it is at the encoder: one at a time, people before bulk work. Knows nothing of encoders.

use std::sync::{Condvar, Mutex};

/// Why somebody encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A person waits.
    Interactive,
    /// An import; yields between batches.
    Bulk,
}

#[derive(Default)]
struct State {
    busy: bool,
    people_waiting: usize,
    bulk_waiting: usize,
}

/// Who is at the turnstile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub busy: bool,
    /// Those who wait.
    pub people: usize,
    pub bulk: usize,
}

/// Kernels use every core, so two encodes at once only slow each other down.
#[derive(Default)]
pub struct Turnstile {
    state: Mutex<State>,
    freed: Condvar,
}

impl Turnstile {
    /// Waits for a turn and runs `work` in it.
    pub fn pass<T>(&self, urgency: Urgency, work: impl FnOnce() -> T) -> T {
        self.enter(urgency);
        let _leave = Leave(self);
        work()
    }

    /// How long the line is now.
    pub fn line(&self) -> Line {
        let state = self.state.lock().expect("no holder of this lock panics");
        Line { busy: state.busy, people: state.people_waiting, bulk: state.bulk_waiting }
    }

    fn enter(&self, urgency: Urgency) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let person = urgency == Urgency::Interactive;
        state.people_waiting += usize::from(person);
        state.bulk_waiting += usize::from(!person);
        while state.busy || (!person && state.people_waiting > 0) {
            state = self.freed.wait(state).expect("no holder of this lock panics");
        }
        state.people_waiting -= usize::from(person);
        state.bulk_waiting -= usize::from(!person);
        state.busy = true;
    }
}

/// Leaves also when `work` panics.
struct Leave<'a>(&'a Turnstile);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.state.lock().expect("no holder of this lock panics").busy = false;
        self.0.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn people_go_before_bulk_work() {
        let turnstile = Turnstile::default();
        let (order, seen) = mpsc::channel();
        let (hold, held) = mpsc::channel::<()>();
        thread::scope(|s| {
            let t = &turnstile;
            s.spawn(move || t.pass(Urgency::Bulk, || held.recv().unwrap()));
            while !t.state.lock().unwrap().busy {
                thread::yield_now();
            }
            let bulk = order.clone();
            s.spawn(move || t.pass(Urgency::Bulk, || bulk.send("bulk").unwrap()));
            while t.line().bulk == 0 {
                thread::yield_now();
            }
            s.spawn(move || t.pass(Urgency::Interactive, || order.send("person").unwrap()));
            while t.state.lock().unwrap().people_waiting == 0 {
                thread::yield_now();
            }
            assert_eq!(t.line(), Line { busy: true, people: 1, bulk: 1 });
            hold.send(()).unwrap();
        });
        assert_eq!(seen.iter().collect::<Vec<_>>(), ["person", "bulk"]);
    }
}
