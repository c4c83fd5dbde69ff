//! Settings, merged once: default < file < environment < flag. The only module that reads the environment.

mod compute;
mod file;
mod hub;
mod limits;
mod log;
mod serve;
mod vars;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::types::{Coded, Fault};

pub use compute::{Compute, DeviceSetting, PrecisionSetting};
pub use file::DEFAULTS;
use file::File;
pub use hub::{HubSettings, Patience};
pub use limits::Limits;
pub use log::{LogFormat, LogSettings};
pub use serve::ServeSettings;
use vars::{Vars, absolute, number, path, text};

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} is {value:?}, which is no {want}; correct or unset it")]
    Value { name: &'static str, value: String, want: &'static str },
    #[error("{}:{line}: {key}: {why}; `simile config` prints what there is to set", .file.display())]
    File { file: PathBuf, line: usize, key: String, why: String },
    #[error("the settings file {} cannot be read ({why}); give another one", .file.display())]
    NoFile { file: PathBuf, why: String },
    #[error("there is no home folder to keep data in; set SIMILE_DATA or give --data FOLDER")]
    NoHome,
}

impl Coded for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Value { .. } => "config.value",
            Self::File { .. } => "config.file",
            Self::NoFile { .. } => "config.no_file",
            Self::NoHome => "config.no_home",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
}

/// What was given on the command line; it wins over the environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The settings file.
    pub file: Option<PathBuf>,
    pub data: Option<PathBuf>,
    /// Folders of encoders, separated by `:` as in SIMILE_MODELS.
    pub models: Option<OsString>,
    pub threads: Option<usize>,
    pub log_format: Option<LogFormat>,
    pub precision: Option<PrecisionSetting>,
    pub device: Option<DeviceSetting>,
}

/// Everything that can be set, after merging.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder; it need not exist yet.
    pub data: PathBuf,
    /// Folders of the user's encoders, searched in this order before simile's own.
    pub models: Vec<PathBuf>,
    /// Folders where simile's own weights may lie; those that do not exist count as empty.
    pub own_models: Vec<PathBuf>,
    pub hub: HubSettings,
    pub limits: Limits,
    pub serve: ServeSettings,
    /// Threads for computing; `None` means one per core.
    pub threads: Option<usize>,
    pub compute: Compute,
}

impl Config {
    /// Reads the settings file, lays the environment over it, and `flags` over both.
    ///
    /// # Errors
    /// `Value` for a variable that is not what is wanted, `File` for what a settings file may not say, `NoFile` for one that
    /// is not there, `NoHome` if no data folder can be told.
    #[allow(clippy::disallowed_methods)] // the one place
    pub fn from_env(flags: &Overrides) -> Result<Self, ConfigError> {
        Self::from_vars(&|name| std::env::var_os(name), flags)
    }

    /// The log's settings alone; they are wanted before anything can be logged.
    ///
    /// # Errors
    /// `Value`, as [`Self::from_env`].
    #[allow(clippy::disallowed_methods)] // the one place
    pub fn log_from_env(flags: &Overrides) -> Result<LogSettings, ConfigError> {
        let var = |name: &str| std::env::var_os(name);
        LogSettings::from_vars(&var, &File::find(&var, flags.file.as_deref())?, flags.log_format)
    }

    fn from_vars(var: Vars<'_>, flags: &Overrides) -> Result<Self, ConfigError> {
        let file = File::find(var, flags.file.as_deref())?;
        let home = path(var, "HOME");
        let data = match flags.data.clone().or_else(|| path(var, "SIMILE_DATA")).or(file.data.clone()) {
            Some(data) => data,
            None => absolute(var, "XDG_DATA_HOME")
                .or_else(|| home.as_ref().map(|home| home.join(".local/share")))
                .ok_or(ConfigError::NoHome)?
                .join("simile"),
        };
        Ok(Self {
            data,
            models: models(var, &file, flags),
            own_models: own_models(),
            limits: Limits::from_vars(var, &file.limits)?,
            serve: ServeSettings::from_vars(var, &file.serve)?,
            threads: match flags.threads {
                Some(threads) => Some(threads),
                None => number(var, "SIMILE_THREADS", file.threads)?.map(|n| n as usize),
            },
            compute: Compute::from_vars(var, &file, flags.precision, flags.device)?,
            hub: HubSettings::from_vars(var, file.hub, home.as_deref()),
        })
    }
}

fn models(var: Vars<'_>, file: &File, flags: &Overrides) -> Vec<PathBuf> {
    match flags.models.clone().or_else(|| var("SIMILE_MODELS")) {
        // An empty part would mean the current folder to split_paths' callers; nobody asks for that.
        Some(list) => std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect(),
        None => file.models.clone().unwrap_or_default(),
    }
}

/// `models/` beside the program, in `../share/simile/models`, and in the source tree that it was built from.
fn own_models() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|exe| exe.canonicalize()).ok();
    let beside = program.as_deref().and_then(Path::parent);
    let mut folders: Vec<PathBuf> = beside
        .map(|folder| vec![folder.join("models"), folder.join("../share/simile/models")])
        .unwrap_or_default();
    // Only where the program was built; elsewhere the folder does not exist and counts as empty.
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
    folders
}

#[cfg(test)]
mod tests;
