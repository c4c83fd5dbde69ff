//! How the log is written: its form and what passes into it.

use tracing_subscriber::EnvFilter;

use super::file::File;
use super::{ConfigError, Vars, text};

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write json or text".to_owned()),
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module as `warn,simile::web=info`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "warn".to_owned() }
    }
}

impl LogSettings {
    /// # Errors
    /// `Value` for a level or a format that is none.
    pub(super) fn from_vars(
        var: Vars<'_>,
        file: &File,
        flag: Option<LogFormat>,
    ) -> Result<Self, ConfigError> {
        let default = Self::default();
        let format = match (flag, text(var, "SIMILE_LOG_FORMAT")) {
            (Some(format), _) => format,
            (None, None) => file.log.format.unwrap_or(default.format),
            (None, Some(value)) => value.parse().map_err(|_| ConfigError::Value {
                name: "SIMILE_LOG_FORMAT",
                value,
                want: "log format (json or text)",
            })?,
        };
        let (name, filter) = match (text(var, "SIMILE_LOG"), &file.log.level) {
            (Some(filter), _) => ("SIMILE_LOG", filter),
            (None, Some(filter)) => ("log.level", filter.clone()),
            (None, None) => ("log.level", default.filter),
        };
        if filter.parse::<EnvFilter>().is_err() || !filter.split(',').all(is_directive) {
            let want = "log level (error, warn, info, debug, or by module as warn,simile::web=info)";
            return Err(ConfigError::Value { name, value: filter, want });
        }
        Ok(Self { format, filter })
    }
}

/// A level, or something of a module. A bare word that is neither would be taken for a module, and silence everything.
fn is_directive(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || text.parse::<tracing_subscriber::filter::LevelFilter>().is_ok()
        || text.contains(['=', '[', ':'])
        || text == "simile"
}
