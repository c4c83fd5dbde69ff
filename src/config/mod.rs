//! Settings, merged once: default < file < environment < flag. The only module that reads the environment.

mod compute;
mod file;
mod log;

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::types::{Coded, Fault};

pub use compute::{Compute, PrecisionSetting};
pub use file::DEFAULTS;
use file::File;
pub use log::{LogFormat, LogSettings};

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

/// How the Hugging Face hub is reached, in the words of its own variables.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// HF_ENDPOINT without a slash at its end.
    pub endpoint: String,
    /// HF_HUB_CACHE, else `hub` in HF_HOME: what other programs fetched is taken from here.
    pub cache: Option<PathBuf>,
    pub token: Option<String>,
    /// HF_HUB_OFFLINE: the hub is not asked; its cache and other sources stay open.
    pub offline: bool,
    pub patience: Patience,
}

/// How long a source may keep silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a name to be resolved, and again for a connection.
    pub connect: Duration,
    /// For the first answer.
    pub answer: Duration,
    /// Between two pieces of a file.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
            stall: Duration::from_secs(30),
        }
    }
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            cache: None,
            token: None,
            offline: false,
            patience: Patience::default(),
        }
    }
}

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

/// How much one input may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// SIMILE_MAX_PHOTO_MB, in bytes.
    pub photo_bytes: u64,
    /// SIMILE_MAX_PHOTO_MPIXELS, in pixels.
    pub photo_pixels: u64,
    /// SIMILE_MAX_UPLOAD_MB: one request, in bytes.
    pub upload_bytes: u64,
    /// SIMILE_MIN_FREE_MB: what uploads leave free on the disk, in bytes.
    pub free_bytes: u64,
    /// SIMILE_MAX_DATA_MB: how large uploads may make the data folder, in bytes; `None` means as large as the disk allows.
    pub data_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            photo_bytes: 64 << 20,
            photo_pixels: 120_000_000,
            upload_bytes: 72 << 20,
            free_bytes: 256 << 20,
            data_bytes: None,
        }
    }
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
            limits: limits(var, &file)?,
            serve: serve(var, &file)?,
            threads: match flags.threads {
                Some(threads) => Some(threads),
                None => number(var, "SIMILE_THREADS", file.threads)?.map(|n| n as usize),
            },
            compute: Compute::from_vars(var, &file, flags.precision)?,
            hub: hub(var, file.hub, home.as_deref()),
        })
    }
}

type Vars<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A variable that is set and not empty.
fn text(var: Vars<'_>, name: &str) -> Option<String> {
    var(name).map(|v| v.to_string_lossy().trim().to_owned()).filter(|v| !v.is_empty())
}

fn path(var: Vars<'_>, name: &str) -> Option<PathBuf> {
    var(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The XDG rules ignore relative paths.
fn absolute(var: Vars<'_>, name: &str) -> Option<PathBuf> {
    path(var, name).filter(|p| p.is_absolute())
}

/// A number above 0: the variable's, else the file's.
fn number(var: Vars<'_>, name: &'static str, file: Option<NonZeroU64>) -> Result<Option<u64>, ConfigError> {
    let Some(value) = text(var, name) else { return Ok(file.map(NonZeroU64::get)) };
    match value.parse::<u64>() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => Err(ConfigError::Value { name, value, want: "whole number above 0" }),
    }
}

fn models(var: Vars<'_>, file: &File, flags: &Overrides) -> Vec<PathBuf> {
    match flags.models.clone().or_else(|| var("SIMILE_MODELS")) {
        // An empty part would mean the current folder to split_paths' callers; nobody asks for that.
        Some(list) => std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect(),
        None => file.models.clone().unwrap_or_default(),
    }
}

fn limits(var: Vars<'_>, file: &File) -> Result<Limits, ConfigError> {
    let (default, file) = (Limits::default(), &file.limits);
    let mega = |name, file, unit: u64, default| {
        Ok(number(var, name, file)?.map_or(default, |n: u64| n.saturating_mul(unit)))
    };
    Ok(Limits {
        photo_bytes: mega("SIMILE_MAX_PHOTO_MB", file.photo_mb, 1 << 20, default.photo_bytes)?,
        photo_pixels: mega("SIMILE_MAX_PHOTO_MPIXELS", file.photo_mpixels, 1_000_000, default.photo_pixels)?,
        upload_bytes: mega("SIMILE_MAX_UPLOAD_MB", file.upload_mb, 1 << 20, default.upload_bytes)?,
        free_bytes: mega("SIMILE_MIN_FREE_MB", file.min_free_mb, 1 << 20, default.free_bytes)?,
        data_bytes: number(var, "SIMILE_MAX_DATA_MB", file.max_data_mb)?.map(|n| n.saturating_mul(1 << 20)),
    })
}

fn serve(var: Vars<'_>, file: &File) -> Result<ServeSettings, ConfigError> {
    let (default, file) = (ServeSettings::default(), &file.serve);
    let port = match text(var, "SIMILE_PORT") {
        None => file.port.unwrap_or(default.port),
        Some(value) => value.parse().map_err(|_| ConfigError::Value {
            name: "SIMILE_PORT",
            value,
            want: "port (0 to 65535)",
        })?,
    };
    Ok(ServeSettings {
        port,
        patience: number(var, "SIMILE_REQUEST_SECONDS", file.request_seconds)?
            .map_or(default.patience, Duration::from_secs),
        streams: number(var, "SIMILE_STREAMS", file.streams)?
            // More than a semaphore could count is as good as no bound.
            .map_or(default.streams, |n| n.min(100_000) as usize),
    })
}

fn hub(var: Vars<'_>, file: file::Hub, home: Option<&Path>) -> HubSettings {
    let default = HubSettings::default();
    let hf_home = path(var, "HF_HOME");
    let usual = || {
        let cache = absolute(var, "XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")))?;
        Some(cache.join("huggingface"))
    };
    let token_home = hf_home.clone().or_else(usual);
    let saved = || {
        let token = std::fs::read_to_string(token_home.as_ref()?.join("token")).ok()?;
        Some(token.trim().to_owned()).filter(|t| !t.is_empty())
    };
    // The hub's own reading of a yes.
    let yes = |v: String| ["1", "on", "yes", "true"].contains(&v.to_ascii_lowercase().as_str());
    let seconds = |n: Option<NonZeroU64>, default| n.map_or(default, |n| Duration::from_secs(n.get()));
    let patience = default.patience;
    HubSettings {
        endpoint: text(var, "HF_ENDPOINT")
            .or(file.endpoint)
            .map_or(default.endpoint, |url| url.trim_end_matches('/').to_owned()),
        token: text(var, "HF_TOKEN").or_else(saved),
        cache: path(var, "HF_HUB_CACHE")
            .or_else(|| hf_home.map(|home| home.join("hub")))
            .or(file.cache)
            .or_else(|| usual().map(|home| home.join("hub"))),
        offline: text(var, "HF_HUB_OFFLINE").map_or(file.offline.unwrap_or(default.offline), yes),
        patience: Patience {
            connect: seconds(file.connect_seconds, patience.connect),
            answer: seconds(file.answer_seconds, patience.answer),
            stall: seconds(file.stall_seconds, patience.stall),
        },
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
mod tests {
    use simile_compute::Isa;

    use super::*;

    fn config(vars: &[(&str, &str)], flags: &Overrides) -> Result<Config, ConfigError> {
        let vars = vars.to_vec();
        let find = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Config::from_vars(&find, flags)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_defaults() {
        let none = Overrides::default();
        let vars = [("HOME", "/h"), ("SIMILE_MODELS", "/a::/b"), ("SIMILE_THREADS", "3")];
        let c = config(&vars, &none).unwrap();
        assert_eq!(c.data, Path::new("/h/.local/share/simile"));
        assert_eq!(c.models, [Path::new("/a"), Path::new("/b")]);
        assert_eq!((c.threads, c.limits), (Some(3), Limits::default()));
        assert_eq!(c.hub.cache.as_deref(), Some(Path::new("/h/.cache/huggingface/hub")));

        let flags =
            Overrides { data: Some("/d".into()), models: Some("/m".into()), threads: Some(1), ..none };
        let c = config(&vars, &flags).unwrap();
        assert_eq!((c.data.as_path(), c.threads), (Path::new("/d"), Some(1)));
        assert_eq!(c.models, [Path::new("/m")]);
        assert_eq!(config(&[], &Overrides::default()).unwrap_err(), ConfigError::NoHome);
        let x = config(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")], &Overrides::default()).unwrap();
        assert_eq!(x.data, Path::new("/x/simile"));
    }

    #[test]
    fn the_printed_file_says_the_defaults_and_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, DEFAULTS).unwrap();
        let home = [("HOME", "/h")];
        let named = Overrides { file: Some(file.clone()), ..Overrides::default() };
        let (with, without) = (config(&home, &named).unwrap(), config(&home, &Overrides::default()).unwrap());
        // Every field, also those to come.
        assert_eq!(format!("{with:?}"), format!("{without:?}"));
        let var = |_: &str| None;
        let parsed = File::find(&var, Some(&file)).unwrap();
        assert_eq!(LogSettings::from_vars(&var, &parsed, None).unwrap(), LogSettings::default());
        let (limits, hub) = (parsed.limits, parsed.hub);
        assert!(limits.photo_mb.is_some() && limits.photo_mpixels.is_some() && limits.upload_mb.is_some());
        assert!(hub.endpoint.is_some() && hub.offline.is_some() && hub.connect_seconds.is_some());
        assert!(hub.answer_seconds.is_some() && hub.stall_seconds.is_some());
        assert!(parsed.log.level.is_some() && parsed.log.format.is_some());
        let serve = parsed.serve;
        assert!(serve.port.is_some() && serve.request_seconds.is_some() && serve.streams.is_some());
    }

    #[test]
    fn flags_win_over_the_environment_that_over_the_file_that_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let text = "data = \"/file\"\nmodels = [\"/m:1\"]\nisa = \"scalar\"\n[serve]\nport = 1\nstreams = 2\n\
                    [limits]\nphoto_mb = 3\nupload_mb = 4\n[hub]\noffline = true\ncache = \"/c\"\nstall_seconds = 5\n";
        let own = put("own/simile/config.toml", text);
        let other = put("other.toml", "data = \"/other\"\n");
        let xdg = folder.path().join("own").to_str().unwrap().to_owned();
        let vars = [("HOME", "/h"), ("XDG_CONFIG_HOME", xdg.as_str())];
        let c = config(&vars, &Overrides::default()).unwrap();
        assert_eq!((c.data.as_path(), c.models.as_slice()), (Path::new("/file"), &["/m:1".into()][..]));
        assert_eq!((c.serve.port, c.serve.streams, c.compute.isa), (1, 2, Isa::named("scalar")));
        assert_eq!((c.limits.photo_bytes, c.limits.upload_bytes), (3 << 20, 4 << 20));
        assert_eq!((c.hub.offline, c.hub.cache.as_deref()), (true, Some(Path::new("/c"))));
        assert_eq!((c.hub.patience.stall, c.threads), (Duration::from_secs(5), None));
        let more = [
            ("SIMILE_DATA", "/env"),
            ("SIMILE_PORT", "7"),
            ("SIMILE_MAX_PHOTO_MB", "8"),
            ("HF_HUB_OFFLINE", "0"),
            ("SIMILE_MODELS", ""),
        ];
        let c = config(&[&vars[..], &more].concat(), &Overrides::default()).unwrap();
        assert_eq!((c.data.as_path(), c.serve.port, c.serve.streams), (Path::new("/env"), 7, 2));
        assert_eq!((c.limits.photo_bytes, c.limits.upload_bytes), (8 << 20, 4 << 20));
        assert_eq!((c.hub.offline, c.models.len()), (false, 0));
        let flags = Overrides { data: Some("/flag".into()), ..Overrides::default() };
        assert_eq!(config(&[&vars[..], &more].concat(), &flags).unwrap().data, Path::new("/flag"));
        // Which file: the flag's, else the variable's, else one's own; one that is named must be there.
        let named = [&vars[..], &[("SIMILE_CONFIG", other.as_str())]].concat();
        assert_eq!(config(&named, &Overrides::default()).unwrap().data, Path::new("/other"));
        let flag = Overrides { file: Some(own.into()), ..Overrides::default() };
        assert_eq!(config(&named, &flag).unwrap().data, Path::new("/file"));
        let gone = Overrides { file: Some("/nowhere.toml".into()), ..Overrides::default() };
        assert!(matches!(config(&vars, &gone), Err(ConfigError::NoFile { .. })));
        assert!(matches!(
            config(&[("HOME", "/h"), ("SIMILE_ISA", "neon9")], &Overrides::default()),
            Err(ConfigError::Value { name: "SIMILE_ISA", .. })
        ));
    }

    #[test]
    fn the_hub_is_set_by_its_own_variables() {
        let vars = [
            ("HOME", "/h"),
            ("HF_HOME", "/hf"),
            ("HF_ENDPOINT", "http://127.0.0.1:9/"),
            ("HF_HUB_OFFLINE", "True"),
            ("HF_TOKEN", " t "),
        ];
        let hub = config(&vars, &Overrides::default()).unwrap().hub;
        assert_eq!(hub.endpoint, "http://127.0.0.1:9");
        assert_eq!((hub.token.as_deref(), hub.offline), (Some("t"), true));
        assert_eq!(hub.cache.as_deref(), Some(Path::new("/hf/hub")));
        let off = config(&[("HOME", "/h"), ("HF_HUB_OFFLINE", "0")], &Overrides::default()).unwrap();
        assert!(!off.hub.offline);
    }

    #[test]
    fn a_number_that_is_none_is_told_by_name() {
        let e = config(&[("HOME", "/h"), ("SIMILE_MAX_PHOTO_MB", "lots")], &Overrides::default());
        assert!(e.unwrap_err().to_string().starts_with("SIMILE_MAX_PHOTO_MB is \"lots\""));
    }
}
