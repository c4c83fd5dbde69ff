//! The settings file: which one, and what it says. An unknown key and a bad value are refused with file, line and key.

use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, DeviceSetting, LogFormat, PrecisionSetting, Vars, absolute, path};

/// Every setting with its default, commented: what `simile config` prints.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// What a settings file may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub data: Option<PathBuf>,
    pub models: Option<Vec<PathBuf>>,
    pub threads: Option<NonZeroU64>,
    pub precision: Option<PrecisionSetting>,
    pub device: Option<DeviceSetting>,
    pub isa: Option<String>,
    pub log: Log,
    pub serve: Serve,
    pub limits: Limits,
    pub hub: Hub,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub level: Option<String>,
    pub format: Option<LogFormat>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Serve {
    pub port: Option<u16>,
    pub request_seconds: Option<NonZeroU64>,
    pub streams: Option<NonZeroU64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub photo_mb: Option<NonZeroU64>,
    pub photo_mpixels: Option<NonZeroU64>,
    pub upload_mb: Option<NonZeroU64>,
    pub min_free_mb: Option<NonZeroU64>,
    pub max_data_mb: Option<NonZeroU64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Hub {
    pub endpoint: Option<String>,
    pub offline: Option<bool>,
    pub cache: Option<PathBuf>,
    pub connect_seconds: Option<NonZeroU64>,
    pub answer_seconds: Option<NonZeroU64>,
    pub stall_seconds: Option<NonZeroU64>,
}

impl File {
    /// The file that a flag, else SIMILE_CONFIG names, which must be there; else `simile/config.toml` in
    /// XDG_CONFIG_HOME or `~/.config`, if it is there.
    ///
    /// # Errors
    /// `NoFile` for a named file that cannot be read, `File` for what it may not say.
    pub fn find(var: Vars<'_>, flag: Option<&Path>) -> Result<Self, ConfigError> {
        let named = flag.map(Path::to_owned).or_else(|| path(var, "SIMILE_CONFIG"));
        let own = || {
            let folder =
                absolute(var, "XDG_CONFIG_HOME").or_else(|| Some(path(var, "HOME")?.join(".config")));
            Some(folder?.join("simile/config.toml"))
        };
        let must = named.is_some();
        let Some(file) = named.or_else(own) else { return Ok(Self::default()) };
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text, &file),
            Err(e) if !must && matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Self::default())
            }
            Err(e) => Err(ConfigError::NoFile { file, why: e.to_string() }),
        }
    }

    fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let refuse = |key: String, e: &toml::de::Error| {
            let at = e.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
            ConfigError::File { file: file.to_owned(), line, key, why: e.message().replace('\n', ", ") }
        };
        let reader = toml::Deserializer::parse(text).map_err(|e| refuse("this".to_owned(), &e))?;
        serde_path_to_error::deserialize(reader).map_err(|e| refuse(e.path().to_string(), e.inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, String> {
        File::parse(text, Path::new("/etc/simile.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn what_it_may_not_say_is_told_by_file_line_and_key() {
        let told = |text: &str, line: usize, key: &str| {
            let e = parse(text).unwrap_err();
            assert!(e.starts_with(&format!("/etc/simile.toml:{line}: {key}: ")), "{e}");
        };
        told("\n\nporrt = 1\n", 3, "porrt");
        told("[serve]\n# a comment\nport = 70000\n", 3, "serve.port");
        told("[serve]\nport = \"8080\"\n", 2, "serve.port");
        told("[limits]\nphoto_mb = 1\nphoto_mb = 2\n", 3, "this");
        told("[limits]\nphoto_mb = 0", 2, "limits.photo_mb");
        told("[log]\nformat = \"xml\"\n", 2, "log.format");
        told("models = \"a\"\n", 1, "models");
        told("[hub]\nend = ", 2, "this");
        told("[hub]\nendpoynt = 3", 2, "hub.endpoynt");
    }

    #[test]
    fn the_printed_file_can_be_uncommented_line_by_line() {
        let mut keys = 0;
        let mut text = String::new();
        for line in DEFAULTS.lines() {
            let setting = line.strip_prefix("# ").filter(|rest| {
                rest.split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            });
            keys += usize::from(setting.is_some());
            text += setting.unwrap_or(line);
            text.push('\n');
        }
        let file = parse(&text).unwrap();
        assert_eq!(keys, 5, "{text}");
        assert!(
            file.data.is_some() && file.threads.is_some() && file.isa.is_some() && file.hub.cache.is_some()
        );
    }
}
