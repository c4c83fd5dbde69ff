//! Ctrl-C and SIGTERM while a command works: asked once, it ends after its batch; asked twice, at once.

use std::sync::Arc;

use super::exit;
use crate::library::Tracker;

/// A tracker that a signal stops. For commands that work in this process.
pub fn tracker() -> Arc<Tracker> {
    let tracker = Arc::new(Tracker::default());
    let stop = tracker.clone();
    // A second handler in one process is the only way for this to fail.
    let _ = ctrlc::set_handler(move || {
        if stop.cancelled() {
            // Asked twice: not even the end of a batch or a download is waited for. Nothing committed is lost.
            std::process::exit(exit::STOPPED.into());
        }
        stop.cancel();
    });
    tracker
}
