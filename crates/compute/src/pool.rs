//! A persistent pool for steps of 20 to 500 µs, of which waking a thread would cost much.
//!
//! Workers spin on a generation counter for about a millisecond after the last job, then park. Tasks are handed out
//! one by one. A job is over when its *tasks* are done, not when every worker has come by: a worker that the system
//! has put aside holds nobody up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a worker without work keeps looking before it parks.
const PATIENCE: Duration = Duration::from_millis(1);
/// Looks between two readings of the clock.
const LOOKS: u32 = 256;
/// The low half of `State::next` while no task can be taken.
const CLOSED: u64 = u32::MAX as u64;

type Job<'a> = &'a (dyn Fn(usize) + Sync);

struct State {
    /// Points at the `Job` of the current generation, on the stack of `run`.
    job: AtomicPtr<()>,
    tasks: AtomicUsize,
    /// generation << 32 | next task
    next: AtomicU64,
    done: AtomicUsize,
    parked: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
}

/// Threads that run the tasks of one job at a time; the calling thread is one of them.
pub struct Pool {
    state: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job runs.
    turn: Mutex<()>,
}

impl Pool {
    /// `threads` counts the caller; 0 is taken as 1. Where the system refuses a thread, there is one less.
    pub fn new(threads: usize) -> Self {
        let state = Arc::new(State {
            job: AtomicPtr::new(std::ptr::null_mut()),
            tasks: AtomicUsize::new(0),
            next: AtomicU64::new(CLOSED),
            done: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let spawn = |i: usize| {
            let state = state.clone();
            std::thread::Builder::new().name(format!("compute-{i}")).spawn(move || state.work()).ok()
        };
        let workers = (1..threads).filter_map(spawn).collect();
        Self { state, workers, turn: Mutex::new(()) }
    }

    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `f(0)` to `f(tasks - 1)` and returns when all are done. While another caller's job runs (or from inside a
    /// task), the caller does all of its tasks itself.
    ///
    /// # Panics
    /// If a task panicked, after the others are done.
    pub fn run(&self, tasks: usize, f: impl Fn(usize) + Sync) {
        let turn = if tasks < 2 || self.workers.is_empty() { None } else { self.turn.try_lock().ok() };
        let Some(_turn) = turn else { return (0..tasks).for_each(f) };
        assert!((tasks as u64) < CLOSED, "tasks fit 32 bits");
        let job: Job<'_> = &f;
        let state = &*self.state;
        let generation = (state.next.load(Relaxed) >> 32).wrapping_add(1) & CLOSED;
        // Closed while the job changes, so that none is taken with half of it.
        state.next.store(state.next.load(Relaxed) | CLOSED, SeqCst);
        state.done.store(0, Relaxed);
        state.tasks.store(tasks, Relaxed);
        state.job.store((&raw const job).cast_mut().cast(), Relaxed);
        state.next.store(generation << 32, SeqCst);
        if state.parked.load(SeqCst) > 0 {
            self.workers.iter().for_each(|w| w.thread().unpark());
        }
        state.drain(generation);
        let mut looks = 0u32;
        while state.done.load(Acquire) != tasks {
            looks += 1;
            // More threads than cores: the worker may wait for ours.
            if looks.is_multiple_of(4096) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        state.next.store(generation << 32 | CLOSED, SeqCst);
        assert!(!state.panicked.swap(false, Relaxed), "a task of the pool panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.state.stop.store(true, SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches what its tasks throw.
            worker.join().ok();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool of {}", self.threads())
    }
}

impl State {
    /// Takes tasks of this generation until there are none.
    fn drain(&self, generation: u64) {
        loop {
            let next = self.next.load(Acquire);
            let (tasks, job) = (self.tasks.load(Acquire), self.job.load(Acquire));
            let task = next & CLOSED;
            if next >> 32 != generation || task == CLOSED || task as usize >= tasks {
                return;
            }
            if self.next.compare_exchange_weak(next, next + 1, AcqRel, Relaxed).is_ok() {
                // SAFETY: the exchange succeeded, so `next` still was of this generation and open, and `run`, which
                // owns the job, waits for this task before it returns; `job`, read before, is that generation's,
                // since it changes only while `next` is closed.
                let f = unsafe { *job.cast::<Job<'_>>().cast_const() };
                if catch_unwind(AssertUnwindSafe(|| f(task as usize))).is_err() {
                    self.panicked.store(true, Relaxed);
                }
                self.done.fetch_add(1, Release);
            }
        }
    }

    fn work(&self) {
        let (mut seen, mut since, mut looks) = (0, Instant::now(), 0u32);
        while !self.stop.load(Relaxed) {
            let generation = self.next.load(SeqCst) >> 32;
            if generation != seen {
                seen = generation;
                self.drain(generation);
                (since, looks) = (Instant::now(), 0);
                continue;
            }
            looks += 1;
            if !looks.is_multiple_of(LOOKS) || since.elapsed() < PATIENCE {
                std::hint::spin_loop();
                continue;
            }
            self.parked.fetch_add(1, SeqCst);
            if self.next.load(SeqCst) >> 32 == seen && !self.stop.load(SeqCst) {
                std::thread::park();
            }
            self.parked.fetch_sub(1, SeqCst);
            since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn every_task_runs_once_whoever_asks() {
        let pool = Pool::new(3);
        for tasks in [0, 1, 2, 3, 100] {
            for _ in 0..50 {
                let counts: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
                pool.run(tasks, |i| {
                    // A job within a job runs on this thread.
                    pool.run(2, |_| {
                        counts[i].fetch_add(1, Relaxed);
                    });
                });
                assert!(counts.iter().all(|c| c.load(Relaxed) == 2));
            }
        }
    }

    #[test]
    fn several_callers_at_once_get_their_own_results() {
        let pool = Pool::new(2);
        std::thread::scope(|s| {
            for caller in 0..3 {
                let pool = &pool;
                s.spawn(move || {
                    for _ in 0..200 {
                        let sum = AtomicUsize::new(0);
                        pool.run(20, |i| {
                            sum.fetch_add(i * caller, Relaxed);
                        });
                        assert_eq!(sum.into_inner(), 190 * caller);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let ran = AtomicU32::new(0);
        let count = || {
            ran.fetch_add(1, Relaxed);
        };
        let job = || pool.run(8, |i| if i == 5 { panic!("five") } else { count() });
        assert!(catch_unwind(AssertUnwindSafe(job)).is_err());
        assert_eq!(ran.swap(0, Relaxed), 7);
        pool.run(8, |_| count());
        assert_eq!(ran.into_inner(), 8);
    }
}
