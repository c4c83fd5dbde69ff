//! A bar in the terminal that follows a tracker, or the progress that a server tells.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};

use crate::library::{Phase, Progress, Tracker};

/// Times a second that the bar is drawn anew.
const EVERY: Duration = Duration::from_millis(200);

/// Draws while some work runs; draws nothing where standard error is no terminal.
pub struct Bar<'a> {
    tracker: &'a Tracker,
    shown: Option<ProgressBar>,
}

impl<'a> Bar<'a> {
    pub fn start(tracker: &'a Tracker, wanted: bool) -> Self {
        Self { tracker, shown: wanted.then(new_bar) }
    }

    /// Runs `work` and draws meanwhile.
    pub fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(bar) = &self.shown else { return work() };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    draw(bar, &self.tracker.progress());
                    thread::sleep(EVERY);
                }
            });
            // Ends the drawing thread also when `work` panics.
            let _end = SetOnDrop(&done);
            work()
        })
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A bar on standard error; indicatif hides it where that is no terminal.
pub fn new_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{prefix} {wide_bar} {msg}").expect("the template is a constant");
    bar.set_style(style);
    bar
}

/// Shows one state of a job.
pub fn draw(bar: &ProgressBar, progress: &Progress) {
    bar.set_prefix(name(progress.phase));
    bar.set_length(progress.total.max(progress.done));
    bar.set_position(progress.done);
    bar.set_message(message(progress));
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::GettingEncoder => "getting encoder",
        Phase::LoadingEncoder => "loading encoder",
        Phase::Listing => "listing",
        Phase::Indexing => "indexing",
        Phase::Compacting => "compacting",
        Phase::BuildingIndex => "building index",
        Phase::Finished => "finished",
    }
}

fn message(progress: &Progress) -> String {
    let amount = match progress.phase {
        Phase::GettingEncoder => format!("{} of {}", HumanBytes(progress.done), HumanBytes(progress.total)),
        _ => format!("{}/{}, {:.1}/s", progress.done, progress.total, progress.per_second),
    };
    let left = progress.seconds_left.filter(|s| s.is_finite()).map_or(String::new(), |seconds| {
        format!(", {} left", HumanDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e7))))
    });
    let rejected =
        if progress.rejected > 0 { format!(", {} rejected", progress.rejected) } else { String::new() };
    format!("{amount}{left}{rejected}")
}
