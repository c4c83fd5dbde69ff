//! Where and how patiently a server serves.

use std::time::Duration;

use super::vars::{number, text};
use super::{ConfigError, Vars, file};

/// How the server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeSettings {
    pub port: u16,
    /// Longest that a request may take which is neither an upload nor a stream.
    pub patience: Duration,
    /// Streams of events at once.
    pub streams: usize,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self { port: 8080, patience: Duration::from_secs(120), streams: 64 }
    }
}

impl ServeSettings {
    /// # Errors
    /// `Value` for a variable that is no port, or no number above 0.
    pub(super) fn from_vars(var: Vars<'_>, file: &file::Serve) -> Result<Self, ConfigError> {
        let default = Self::default();
        let port = match text(var, "SIMILE_PORT") {
            None => file.port.unwrap_or(default.port),
            Some(value) => value.parse().map_err(|_| ConfigError::Value {
                name: "SIMILE_PORT",
                value,
                want: "port (0 to 65535)",
            })?,
        };
        Ok(Self {
            port,
            patience: number(var, "SIMILE_REQUEST_SECONDS", file.request_seconds)?
                .map_or(default.patience, Duration::from_secs),
            streams: number(var, "SIMILE_STREAMS", file.streams)?
                // More than a semaphore could count is as good as no bound.
                .map_or(default.streams, |n| n.min(100_000) as usize),
        })
    }
}
