//! The log on standard error: text for people, or JSON a line for programs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Begins to log. Where standard error is closed or broken, lines are dropped and nothing else happens.
pub fn begin(settings: &LogSettings) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would tell a broken standard error on standard error, and panic there.
        .log_internal_errors(false)
        .with_env_filter(EnvFilter::new(&settings.filter));
    match settings.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
