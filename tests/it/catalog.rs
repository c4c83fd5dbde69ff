//! The catalog over real folders and a small hub: what is found, what is said of the rest, what is pulled.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use simile::config::{HubSettings, Patience, PrecisionSetting};
use simile::encoder::{Catalog, EncoderError, Entry, Modality, Origin, Places, Role, State};
use simile::text::Language;
use simile::types::{Coded, EncoderName};

use crate::hub::{Fault, HubServer};

const REPO: &str = "somebody/small";

struct Home {
    dir: tempfile::TempDir,
    places: Places,
}

impl Home {
    /// An empty root and data folder; nothing of this machine is seen, and no hub is there.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("root")).unwrap();
        let patience = Patience {
            connect: Duration::from_secs(2),
            answer: Duration::from_millis(700),
            stall: Duration::from_millis(700),
        };
        let hub = HubSettings {
            endpoint: "http://127.0.0.1:1".to_owned(),
            cache: Some(at("hf")),
            patience,
            ..HubSettings::default()
        };
        let places = Places {
            roots: vec![at("root")],
            own: vec![at("own")],
            pulled: at("data/models"),
            digests: at("data/cache/digests.json"),
            hub,
            precision: PrecisionSetting::F32,
        };
        Self { dir, places }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn catalog(&self) -> Catalog {
        Catalog::open(self.places.clone())
    }

    /// A folder in the root that holds only a card, whose sources are given.
    fn card(&self, sources: &str) {
        let text = format!(
            "name = \"small\"\ntitle = \"Small\"\nmodality = \"text\"\narchitecture = \"bert\"\ndim = 32\n\
             pooling = \"cls\"\nlanguages = [\"en\"]\nquality = 90\n{sources}"
        );
        let folder = self.root().join("small");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("card.toml"), text).unwrap();
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn name(text: &str) -> EncoderName {
    text.parse().unwrap()
}

fn entry(catalog: &Catalog, text: &str) -> Entry {
    catalog.list().into_iter().find(|e| e.name.as_str() == text).unwrap_or_else(|| panic!("no {text}"))
}

fn hub_source() -> String {
    format!("[[sources]]\nkind = \"hub\"\nrepo = \"{REPO}\"\n")
}

#[test]
fn folders_of_a_root_are_encoders_and_odd_ones_break_nothing() {
    let home = Home::new();
    let root = home.root();
    copy(&fixture("bert"), &root.join("good"));
    fs::write(root.join("good/README.md"), "---\nlanguage: zh\nlicense: mit\n---\n").unwrap();
    copy(&fixture("albert_g2"), &home.dir.path().join("elsewhere"));
    symlink(home.dir.path().join("elsewhere"), root.join("linked")).unwrap();
    symlink(home.dir.path().join("nowhere"), root.join("dangling")).unwrap();
    for (odd, change) in [
        ("weightless", &(|f: &Path| fs::remove_file(f.join("model.safetensors")).unwrap()) as &dyn Fn(&Path)),
        ("truncated", &|f| {
            let bytes = fs::read(f.join("model.safetensors")).unwrap();
            fs::write(f.join("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("unknown-type", &|f| fs::write(f.join("config.json"), "{\"model_type\": \"gpt2\"}").unwrap()),
        ("no-json", &|f| fs::write(f.join("config.json"), "{").unwrap()),
        ("wrong-shape", &|f| {
            let config = fs::read_to_string(f.join("config.json")).unwrap();
            fs::write(f.join("config.json"), config.replace("\"vocab_size\": 128", "\"vocab_size\": 129"))
                .unwrap();
        }),
        ("no-tokenizer", &|f| fs::remove_file(f.join("tokenizer.json")).unwrap()),
        ("bad name", &|_| ()),
        ("bad-card", &|f| fs::write(f.join("card.toml"), "nme = 1").unwrap()),
        ("weighted", &|f| {
            fs::create_dir(f.join("1_Pooling")).unwrap();
            fs::write(f.join("1_Pooling/config.json"), "{\"pooling_mode_lasttoken\": true}").unwrap();
        }),
    ] {
        copy(&fixture("bert"), &root.join(odd));
        change(&root.join(odd));
    }
    copy(&fixture("bert"), &root.join(OsStr::from_bytes(b"caf\xe9")));
    fs::create_dir(root.join("notes")).unwrap();
    fs::write(root.join("file.txt"), "no folder").unwrap();

    let catalog = home.catalog();
    for (usable, dim, languages) in [("good", 32, vec!["zh"]), ("linked", 48, vec![])] {
        let e = entry(&catalog, usable);
        assert_eq!((e.state, e.origin), (State::OnDisk, Origin::Root), "{:?}", e.why);
        assert_eq!(e.languages, languages);
        assert!(e.dim.unwrap().get() == dim || usable == "linked");
        assert_eq!(catalog.load(&name(usable)).unwrap().name().as_str(), usable);
    }
    for (odd, says) in [
        ("weightless", "model.safetensors"),
        ("truncated", "copy the model again"),
        ("unknown-type", "gpt2"),
        ("no-json", "config.json"),
        ("wrong-shape", "embeddings.word_embeddings.weight"),
        ("no-tokenizer", "tokenizer.json"),
        ("bad_name", "rename"),
        ("bad-card", "card.toml"),
        ("weighted", "lasttoken"),
        ("caf_", "rename"),
    ] {
        let e = entry(&catalog, odd);
        let why = e.why.unwrap_or_default();
        assert!(e.state == State::Unusable && why.contains(says), "{odd}: {why}");
    }
    assert!(catalog.load(&name("truncated")).is_err_and(|e| e.code() == "model.damaged"));
    let ours = catalog.list().iter().filter(|e| e.origin == Origin::Root).count();
    assert_eq!(ours, 12, "notes, file.txt and dangling are none");
    assert!(catalog.warnings().is_empty(), "{:?}", catalog.warnings());
}

#[test]
fn roots_that_are_missing_warn_and_roots_that_are_models_count() {
    let mut home = Home::new();
    copy(&fixture("bert"), &home.dir.path().join("lonely"));
    home.places.roots = vec![home.dir.path().join("gone"), home.dir.path().join("lonely")];
    let catalog = home.catalog();
    assert_eq!(entry(&catalog, "lonely").state, State::OnDisk);
    let warnings = catalog.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("gone: does not exist"), "{warnings:?}");
}

#[test]
fn a_timm_folder_is_read_with_its_preprocessing() {
    let home = Home::new();
    // Weights of another width: the config is understood, the weights are found not to be its own.
    let folder = home.root().join("mine");
    copy(&fixture("resnet_basic"), &folder);
    fs::write(
        folder.join("config.json"),
        r#"{"architecture": "resnet18", "num_features": 512, "pretrained_cfg": {"input_size": [3, 224, 224],
            "crop_pct": 0.95, "interpolation": "bicubic", "crop_mode": "center"}}"#,
    )
    .unwrap();
    fs::remove_file(folder.join("expected.safetensors")).unwrap();
    let e = entry(&home.catalog(), "mine");
    let why = e.why.unwrap();
    assert!(why.contains("conv1.weight has shape [8, 3, 7, 7]"), "{why}");
    fs::write(folder.join("config.json"), r#"{"architecture": "resnet18d"}"#).unwrap();
    let why = entry(&home.catalog(), "mine").why.unwrap();
    assert!(why.contains("resnet18d"), "{why}");
}

#[test]
fn the_best_is_chosen_honestly() {
    let home = Home::new();
    let catalog = home.catalog();
    // What needs no file is there for every language, and is the last choice.
    let best = |language| catalog.best(Modality::Text, language).map(|e| e.name.to_string());
    for language in [None, Some(Language::Zh), Some(Language::Other)] {
        assert_eq!(best(language).as_deref(), Some("ngram-hash"));
    }
    assert!(catalog.load(&name("ngram-hash")).is_ok());
    let pullable = |language| catalog.best_pullable(Modality::Text, language).map(|e| e.name.to_string());
    assert_eq!(pullable(Some(Language::Zh)).as_deref(), Some("bge-base-zh-v1.5"));
    assert_eq!(pullable(Some(Language::En)).as_deref(), Some("bge-base-en-v1.5"));
    for language in [Language::Mixed, Language::Other] {
        assert_eq!(pullable(Some(language)).as_deref(), Some("paraphrase-multilingual-mpnet-base-v2"));
    }

    // One that tells no language, and one that reads English only: neither is taken for Chinese.
    copy(&fixture("bert"), &home.root().join("quiet"));
    copy(&fixture("bert"), &home.root().join("english"));
    fs::write(home.root().join("english/README.md"), "---\nlanguage: en\n---").unwrap();
    assert_eq!(best(Some(Language::En)).as_deref(), Some("english"));
    assert_eq!(best(Some(Language::Zh)).as_deref(), Some("ngram-hash"));
    assert!(catalog.best(Modality::Photo, None).is_none());
    let advice = catalog.none_fits(Modality::Text, Some(Language::Zh)).to_string();
    assert!(advice.contains("simile models pull bge-base-zh-v1.5"), "{advice}");
    assert!(advice.contains("--encoder quiet"), "{advice}");

    // A starter is the last choice of all.
    copy(&fixture("bert"), &home.root().join("small"));
    home.card("starter = true\n");
    assert_eq!(best(Some(Language::En)).as_deref(), Some("english"));
    fs::remove_dir_all(home.root().join("english")).unwrap();
    assert_eq!(best(Some(Language::En)).as_deref(), Some("small"));
}

/// ../bert with what sentence-transformers saved around it.
fn sentences(home: &Home, variant: &str) -> PathBuf {
    let folder = home.root().join(variant);
    copy(&fixture("bert"), &folder);
    for entry in walkdir::WalkDir::new(fixture("sentences").join(variant)).into_iter().flatten() {
        let to = folder.join(entry.path().strip_prefix(fixture("sentences").join(variant)).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    folder
}

#[test]
fn modules_are_computed_as_sentence_transformers_does() {
    let home = Home::new();
    for variant in ["cls", "mean", "max", "mean_sqrt_len_tokens", "short", "tanh", "identity", "pickled"] {
        let folder = sentences(&home, variant);
        let expected: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let e = entry(&home.catalog(), variant);
        assert_eq!(e.dim.map(|dim| u64::from(dim.get() as u32)), expected["dim"].as_u64(), "{:?}", e.why);
        let texts: Vec<&str> =
            expected["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        let encoder = home.catalog().load(&name(variant)).unwrap();
        let batch = encoder.encode_texts(&texts, Role::Query).unwrap();
        for (i, want) in expected["vectors"].as_array().unwrap().iter().enumerate() {
            let want: Vec<f32> = serde_json::from_value(want.clone()).unwrap();
            let alone = encoder.encode_texts(&texts[i..=i], Role::Query).unwrap().remove(0);
            for got in [&batch[i], &alone] {
                let worst =
                    got.vector.as_slice().iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 2e-5, "{variant} {:?}: {worst}", texts[i]);
            }
        }
    }
    let catalog = home.catalog();
    let [a, b] = ["tanh", "pickled"].map(|n| catalog.load(&name(n)).unwrap().space_id().clone());
    assert_ne!(a, b, "the file of the head is part of the space");
}

#[test]
fn modules_that_are_not_computed_are_refused_by_name() {
    let home = Home::new();
    let folder = sentences(&home, "tanh");
    let change = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from));
        fs::write(folder.join(file), text.replace(from, to)).unwrap();
        let why = entry(&home.catalog(), "tanh").why.unwrap();
        assert_eq!(home.catalog().load(&name("tanh")).err().unwrap().to_string(), why);
        fs::write(folder.join(file), text).unwrap();
        why
    };
    let why = change("modules.json", "dense.Dense", "lstm.LSTM");
    assert!(why.contains("a LSTM is not computed"), "{why}");
    let why = change("modules.json", "\"path\": \"\"", "\"path\": \"0_Transformer\"");
    assert!(why.contains("copy the files of 0_Transformer"), "{why}");
    let why = change("modules.json", "2_Dense", "../2_Dense");
    assert!(why.contains("leads out"), "{why}");
    let why = change("2_Dense/config.json", "activation.Tanh", "activation.GLU");
    assert!(why.contains("activation GLU"), "{why}");
    let why = change("2_Dense/config.json", "\"in_features\": 32", "\"in_features\": 31");
    assert!(why.contains("31 numbers behind 32"), "{why}");
    let why = change("1_Pooling/config.json", "mean_sqrt_len_tokens", "weightedmean");
    assert!(why.contains("weightedmean"), "{why}");
    fs::remove_file(folder.join("2_Dense/model.safetensors")).unwrap();
    let why = entry(&home.catalog(), "tanh").why.unwrap();
    assert!(why.contains("2_Dense: it has no weights"), "{why}");
}

#[test]
fn weights_of_other_programs_are_refused_with_what_converts_them() {
    let home = Home::new();
    let google = home.root().join("google");
    fs::create_dir_all(&google).unwrap();
    for file in
        ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001", "bert_config.json", "vocab.txt"]
    {
        fs::write(google.join(file), "{}").unwrap();
    }
    let keras = home.root().join("keras");
    copy(&fixture("bert"), &keras);
    fs::rename(keras.join("model.safetensors"), keras.join("tf_model.h5")).unwrap();
    for (folder, says) in [("google", "--tf_checkpoint_path"), ("keras", "from_tf=True")] {
        let error = home.catalog().load(&name(folder)).err().unwrap();
        assert_eq!(error.code(), "model.tensorflow");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(entry(&home.catalog(), folder).why, Some(error.to_string()));
    }
    // What that command leaves there is read, with Google's own name for the config.
    let config = fs::read_to_string(fixture("bert").join("config.json")).unwrap();
    let config = config.replace("\"model_type\": \"bert\"", "\"comment\": \"\"");
    fs::write(google.join("bert_config.json"), config).unwrap();
    fs::copy(fixture("pickle").join("pytorch_model.bin"), google.join("pytorch_model.bin")).unwrap();
    fs::copy(fixture("bert").join("tokenizer.json"), google.join("tokenizer.json")).unwrap();
    assert_eq!(entry(&home.catalog(), "google").state, State::OnDisk);

    let old = home.root().join("old");
    fs::create_dir_all(&old).unwrap();
    fs::copy(fixture("torchvision").join("old.pth"), old.join("resnet18-f37072fd.pth")).unwrap();
    let error = home.catalog().load(&name("old")).err().unwrap();
    assert_eq!(error.code(), "model.legacy_pickle");
    fs::copy(fixture("torchvision").join("plain.pth"), old.join("resnet18-f37072fd.pth")).unwrap();
    let why = entry(&home.catalog(), "old").why.unwrap();
    assert!(why.contains("its config wants [64, 3, 7, 7]"), "depth is told by the name: {why}");
}

#[test]
fn a_model_of_many_languages_is_read_from_its_folder() {
    let home = Home::new();
    let folder = home.root().join("many");
    copy(&fixture("multilingual"), &folder);
    fs::write(folder.join("README.md"), "---\nlanguage: multilingual\n---").unwrap();
    let e = entry(&home.catalog(), "many");
    assert_eq!((e.architecture.as_deref(), e.dim.unwrap().get()), (Some("XLM-R"), 32), "{:?}", e.why);
    let best = home.catalog().best_or_pull(Modality::Text, Some(Language::Mixed), &|_| ()).unwrap();
    assert_eq!(best.name.as_str(), "many");
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture("multilingual").join("expected.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        expected["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let encoder = home.catalog().load(&name("many")).unwrap();
    assert!(texts.iter().all(|text| encoder.reads(text)));
    let got = encoder.encode_texts(&texts, Role::Query).unwrap();
    for (got, want) in got.iter().zip(expected["mean"].as_array().unwrap()) {
        let want: Vec<f32> = serde_json::from_value(want.clone()).unwrap();
        let worst = got.vector.as_slice().iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 2e-5, "{worst}");
    }
    // Chinese alone on disk is better for a mixed table than no meaning at all.
    fs::write(folder.join("README.md"), "---\nlanguage: zh\n---").unwrap();
    let best = home.catalog().best_or_pull(Modality::Text, Some(Language::Mixed), &|_| ()).unwrap();
    assert_eq!(best.name.as_str(), "many");
}

#[test]
fn a_root_comes_before_simile_and_replaces_nothing() {
    let home = Home::new();
    copy(&fixture("bert"), &home.dir.path().join("own/twin"));
    let own = home.catalog().load(&name("twin")).unwrap();
    let space = own.space_id().clone();
    copy(&fixture("albert_g1"), &home.root().join("twin"));
    let catalog = home.catalog();
    let used = catalog.load(&name("twin")).unwrap();
    assert_ne!(used.space_id(), &space);
    assert_eq!(entry(&catalog, "twin").origin, Origin::Root);
    assert_eq!(entry(&catalog, "simile.twin").origin, Origin::Own);
    // By its full name, and for a collection that it made.
    assert_eq!(catalog.load(&name("simile.twin")).unwrap().space_id(), &space);
    assert_eq!(catalog.load_in(&name("twin"), &space).unwrap().space_id(), &space);
    fs::remove_dir_all(home.dir.path().join("own")).unwrap();
    let lost = home.catalog().load_in(&name("twin"), &space).err().unwrap();
    assert_eq!(lost.code(), "encoder.other_space");
}

#[test]
fn a_space_says_what_its_encoder_computes_in() {
    let mut home = Home::new();
    copy(&fixture("bert"), &home.root().join("twin"));
    let mut made = |setting| {
        home.places.precision = setting;
        home.catalog().load(&name("twin")).unwrap()
    };
    let (whole, exact) = (made(PrecisionSetting::Int8), made(PrecisionSetting::F32));
    assert_eq!((whole.computes_in(), exact.computes_in()), ("int8", "f32"));
    for setting in [PrecisionSetting::Auto, PrecisionSetting::F32, PrecisionSetting::Int8] {
        home.places.precision = setting;
        let of = |space| home.catalog().load_in(&name("twin"), space).unwrap();
        assert_eq!(of(whole.space_id()).computes_in(), "int8", "asked for {setting:?}");
        assert_eq!(of(exact.space_id()).space_id(), exact.space_id(), "asked for {setting:?}");
    }
}

#[test]
fn names_that_are_not_there_get_help() {
    let home = Home::new();
    let catalog = home.catalog();
    let e = catalog.load(&name("resnet50")).err().unwrap();
    assert!(e.to_string().contains("simile models pull resnet50"), "{e}");
    assert_eq!(e.code(), "encoder.not_on_disk");
    let e = catalog.load(&name("all-minilm-l6")).err().unwrap();
    assert!(e.to_string().contains("did you mean all-MiniLM-L6-v2"), "{e}");
    assert_eq!(catalog.load(&name("zzz")).err().unwrap().code(), "encoder.unknown");
}

#[test]
fn a_model_pulled_from_the_hub_encodes() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.places.hub.token = Some("secret".to_owned());
    home.card(&hub_source());
    let catalog = home.catalog();
    assert_eq!(entry(&catalog, "small").state, State::Pullable);
    let seen = std::sync::Mutex::new(Vec::new());
    let got = catalog.pull(&name("small"), &|p| seen.lock().unwrap().push(p)).unwrap();
    assert_eq!((got.state, got.origin), (State::OnDisk, Origin::Pulled));
    let last = seen.into_inner().unwrap().into_iter().rfind(|p| p.file == "model.safetensors").unwrap();
    assert_eq!(Some(last.done), last.total);

    let encoder = catalog.load(&name("small")).unwrap();
    let out = encoder.encode_texts(&["where is the red car"], Role::Query).unwrap();
    assert_eq!((out[0].vector.dim().get(), encoder.dim().get()), (32, 32));

    let folder = home.places.pulled.join("small");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["commit"], crate::hub::COMMIT);
    assert_eq!(manifest["files"]["model.safetensors"]["sha256"], encoder.space().weights);
    let strays: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(strays.len(), 4, "{strays:?}");
    let log = server.log();
    assert!(log.iter().any(|l| l.ends_with("model.safetensors with token")), "{log:?}");

    // Now it is on disk: nothing is asked any more, and hashes are remembered.
    catalog.pull(&name("small"), &|_| ()).unwrap();
    assert_eq!(server.log(), Vec::<String>::new());
    assert!(home.places.digests.is_file());
}

#[test]
fn weights_that_a_hub_has_only_as_a_pickle_are_read_and_never_run() {
    let home_of = |files: &Path| {
        let server = HubServer::start(REPO, files);
        let mut home = Home::new();
        home.places.hub.endpoint = server.url.clone();
        home.card(&hub_source());
        (home, server)
    };
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("bert"), folder.path());
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    copy(&fixture("pickle"), folder.path());
    let (home, _server) = home_of(folder.path());
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
    let (plain, _server) = home_of(&fixture("bert"));
    plain.catalog().pull(&name("small"), &|_| ()).unwrap();
    let encode = |home: &Home| {
        let encoder = home.catalog().load(&name("small")).unwrap();
        encoder.encode_texts(&["where is the red car"], Role::Passage).unwrap()
    };
    assert_eq!(encode(&home), encode(&plain));

    // A pickle that would run something is refused, and nothing is kept of it.
    fs::write(folder.path().join("pytorch_model.bin"), b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00x\x85R.")
        .unwrap();
    let (evil, _server) = home_of(folder.path());
    let error = evil.catalog().pull(&name("small"), &|_| ()).err().unwrap();
    assert_eq!(error.code(), "model.unfit", "{error}");
    assert!(error.to_string().contains("before 1.6"), "{error}");
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    server.fault("model.safetensors", Fault::CutOnce(20_000));
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
    let log = server.log();
    assert!(log.iter().any(|l| l.contains("/cdn/") && l.ends_with("bytes=20000-")), "{log:?}");
}

#[test]
fn a_silent_or_lying_hub_is_left_within_seconds() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    let pull = || {
        let begun = Instant::now();
        let error = home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        assert!(!home.places.pulled.join("small").exists());
        error
    };
    for (fault, code) in [
        (Fault::Silent, "hub.unreachable"),
        (Fault::Stall(1000), "hub.stalled"),
        (Fault::Flip, "model.hash"),
        (Fault::Status(401), "hub.denied"),
        (Fault::Status(503), "hub.status"),
    ] {
        server.heal();
        server.fault("model.safetensors", fault);
        let error = pull();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
    }
    server.heal();
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
}

#[test]
fn a_hub_without_the_model_or_with_too_little_of_it_is_told() {
    let server = HubServer::start("somebody/other", &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    let pull = || home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
    assert_eq!(pull().code(), "hub.not_found");

    let server = HubServer::start(REPO, &fixture("bert"));
    home.places.hub.endpoint = server.url.clone();
    // The line says how long the file is, and ends before; every attempt brings a little more, so five are made.
    server.fault("model.safetensors", Fault::Short(3000));
    let error = home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
    assert_eq!(error.code(), "hub.stalled", "{error}");
    assert!(error.to_string().contains("pull again to go on"), "{error}");
    assert!(!home.places.pulled.join("small").exists());
    server.heal();
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
    assert!(server.log().iter().any(|l| l.contains("bytes=15000-")), "what came was not asked for again");
}

#[test]
fn a_full_disk_ends_the_pull_and_says_so() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&format!("{}[[sources]]\nkind = \"folder\"\npath = {:?}\n", hub_source(), fixture("bert")));
    let staging = home.places.pulled.join(".partial/small-0");
    fs::create_dir_all(&staging).unwrap();
    // A file that takes nothing.
    symlink("/dev/full", staging.join("model.safetensors.part")).unwrap();
    let error = home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
    assert_eq!(error.code(), "disk.full", "{error}");
    assert!(!home.places.pulled.join("small").exists(), "no other source is tried");
    fs::remove_file(staging.join("model.safetensors.part")).unwrap();
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
}

#[test]
fn two_pulls_of_one_model_do_not_meet() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    let (begun, second) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    let first_piece = std::sync::Once::new();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            home.catalog().pull(&name("small"), &|_| {
                first_piece.call_once(|| {
                    begun.wait();
                    second.wait();
                });
            })
        });
        begun.wait();
        let error = home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
        assert_eq!(error.code(), "encoder.pulling");
        second.wait();
        assert_eq!(first.join().unwrap().unwrap().state, State::OnDisk);
    });
}

#[test]
fn files_that_changed_since_they_came_are_not_loaded() {
    let home = Home::new();
    home.card(&format!("[[sources]]\nkind = \"folder\"\npath = {:?}\n", fixture("bert")));
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
    let catalog = home.catalog();
    catalog.load(&name("small")).unwrap();
    assert_eq!(catalog.verify(&name("small")).unwrap().files, 3);
    let weights = home.places.pulled.join("small/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    for error in [catalog.load(&name("small")).err().unwrap(), catalog.verify(&name("small")).err().unwrap()]
    {
        assert_eq!(error.code(), "model.changed");
        assert!(error.to_string().contains("simile models remove small"), "{error}");
    }
}

#[test]
fn the_starter_in_the_box_is_what_was_shipped() {
    let mut home = Home::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet50-starter");
    home.places.own = vec![shipped.parent().unwrap().to_owned()];
    let starter = home.catalog().load(&name("resnet50-starter")).unwrap();
    assert_eq!(starter.dim().get(), 2048);
    home.places.own = vec![home.dir.path().join("own")];
    let copied = home.places.own[0].join("resnet50-starter");
    copy(&shipped, &copied);
    let weights = copied.join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    for (bytes, code) in [
        (
            {
                let mut b = whole.clone();
                *b.last_mut().unwrap() ^= 1;
                b
            },
            "model.changed",
        ),
        (whole[..whole.len() / 2].to_vec(), "model.damaged"),
    ] {
        fs::write(&weights, bytes).unwrap();
        assert_eq!(home.catalog().load(&name("resnet50-starter")).err().unwrap().code(), code);
    }
}

#[test]
fn an_added_model_is_verified_only_where_its_samples_ran() {
    let home = Home::new();
    let mine = home.dir.path().join("mine");
    copy(&fixture("bert"), &mine);
    fs::write(mine.join("optimizer.pt"), "not the model's").unwrap();
    let catalog = home.catalog();
    let understood = catalog.add(&mine, &name("mine"), false).unwrap();
    assert_eq!((understood.entry.origin, understood.max_tokens), (Origin::Pulled, Some(24)));
    assert!(!home.places.pulled.join("mine/optimizer.pt").exists());
    assert_eq!(catalog.add(&mine, &name("mine"), false).err().unwrap().code(), "encoder.exists");
    let plain = catalog.verify(&name("mine")).unwrap();
    assert_eq!((plain.verified, plain.samples), (false, 0));
    assert!(plain.files >= 3 && !entry(&catalog, "mine").verified);

    let vector = catalog.load(&name("mine")).unwrap().encode_texts(&["red car"], Role::Passage).unwrap();
    let starts = vector[0].vector.as_slice()[..4].to_vec();
    let card = |starts: &[f32]| {
        format!(
            "name = \"sampled\"\ntitle = \"S\"\nmodality = \"text\"\narchitecture = \"bert\"\ndim = 32\n\
             pooling = \"mean\"\n[[parity]]\ntext = \"red car\"\nstarts = {starts:?}\n"
        )
    };
    fs::write(mine.join("card.toml"), card(&starts)).unwrap();
    catalog.add(&mine, &name("sampled"), true).unwrap();
    assert!(!entry(&catalog, "sampled").verified);
    assert!(catalog.verify(&name("sampled")).unwrap().verified && entry(&catalog, "sampled").verified);
    // Other weights under the same name are not verified any more.
    fs::copy(fixture("bert").join("model.safetensors"), mine.join("model.safetensors")).unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options()
        .write(true)
        .open(mine.join("model.safetensors"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert!(!entry(&catalog, "sampled").verified);
    fs::write(mine.join("card.toml"), card(&[9.0])).unwrap();
    assert_eq!(catalog.verify(&name("sampled")).err().unwrap().code(), "encoder.parity");

    let used = catalog.remove(&name("mine"), vec!["faq".to_owned()], false).err().unwrap();
    assert_eq!(used.code(), "encoder.in_use");
    catalog.remove(&name("mine"), vec!["faq".to_owned()], true).unwrap();
    catalog.remove(&name("sampled"), Vec::new(), false).unwrap();
    assert!(mine.join("model.safetensors").is_file(), "of a linked folder only the link goes");
    copy(&fixture("bert"), &home.root().join("yours"));
    assert_eq!(
        catalog.remove(&name("yours"), Vec::new(), true).err().unwrap().code(),
        "encoder.not_removable"
    );
    assert_eq!(catalog.remove(&name("nothing"), Vec::new(), true).err().unwrap().code(), "encoder.unknown");
}

#[test]
fn offline_closes_the_hub_only() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.places.hub.offline = true;
    home.card(&hub_source());
    let error = home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
    assert_eq!(error.code(), "hub.offline");
    assert_eq!(server.log(), Vec::<String>::new());

    // What other programs fetched is on this disk already.
    let cached = home.dir.path().join("hf/models--somebody--small");
    fs::create_dir_all(cached.join("refs")).unwrap();
    fs::write(cached.join("refs/main"), "abc123").unwrap();
    copy(&fixture("bert"), &cached.join("snapshots/abc123"));
    home.catalog().pull(&name("small"), &|_| ()).unwrap();
    assert_eq!(server.log(), Vec::<String>::new());

    // The next source in the card's order is asked.
    fs::remove_dir_all(&home.places.pulled).unwrap();
    fs::remove_dir_all(&cached).unwrap();
    home.card(&format!("{}[[sources]]\nkind = \"folder\"\npath = {:?}\n", hub_source(), fixture("bert")));
    assert_eq!(home.catalog().pull(&name("small"), &|_| ()).unwrap().state, State::OnDisk);
}

#[test]
fn with_no_source_the_program_says_what_to_do() {
    let home = Home::new();
    let text = home.catalog().best_or_pull(Modality::Text, Some(Language::Zh), &|_| ()).unwrap();
    assert_eq!(text.name.as_str(), "ngram-hash");
    let begun = Instant::now();
    let error = home.catalog().best_or_pull(Modality::Photo, None, &|_| ()).err().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6));
    let said = error.to_string();
    assert!(matches!(error, EncoderError::NoneFits { .. }));
    assert!(said.contains("simile models pull resnet50") && said.contains("--models"), "{said}");
    assert!(said.contains("127.0.0.1:1 does not answer"), "{said}");
}

#[test]
fn a_pinned_file_that_differs_is_refused() {
    let home = Home::new();
    let pin = "0".repeat(64);
    home.card(&format!(
        "[[sources]]\nkind = \"folder\"\npath = {:?}\nsha256 = {{ \"model.safetensors\" = \"{pin}\" }}\n",
        fixture("bert")
    ));
    let error = home.catalog().pull(&name("small"), &|_| ()).err().unwrap();
    assert_eq!(error.code(), "model.hash");
}
