//! How defaults, file, environment and flags are merged.

use std::time::Duration;

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

    let flags = Overrides { data: Some("/d".into()), models: Some("/m".into()), threads: Some(1), ..none };
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

#[test]
fn a_log_level_that_is_none_is_refused_and_silences_nothing() {
    let level = |text: &str| {
        let vars = [("HOME", "/h"), ("SIMILE_LOG", text)];
        let find = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        LogSettings::from_vars(&find, &Default::default(), None).map(|settings| settings.filter)
    };
    for good in ["info", "WARN", "off", "warn,simile::web=info", "simile", "simile::web"] {
        assert_eq!(level(good).as_deref(), Ok(good));
    }
    for bad in ["inf", "warn,inf", "verbose", "loud=very"] {
        assert!(level(bad).unwrap_err().to_string().starts_with("SIMILE_LOG is"), "{bad}");
    }
}
