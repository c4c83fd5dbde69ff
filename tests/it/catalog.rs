//! The catalog over real folders and a small hub: what is found, what is said of the rest, which is chosen.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simile::config::{HubSettings, Patience, PrecisionSetting};
use simile::encoder::{Catalog, Entry, Modality, Origin, Places, Progress, Role, State};
use simile::text::Language;
use simile::types::{Coded, EncoderName};

mod formats;
mod kept;
mod pulls;

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
            packed: at("data/cache/packed"),
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

/// Follows a pull and says nothing.
fn quiet(_: Progress) {}

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

/// A folder of the root that holds only a card: `fixture` can be had under that name, for texts of that language.
fn published(home: &Home, name: &str, languages: &str, quality: u8) {
    let text = format!(
        "name = \"{name}\"\ntitle = \"T\"\nmodality = \"text\"\narchitecture = \"bert\"\ndim = 32\npooling = \"cls\"\n\
         languages = [{languages}]\nquality = {quality}\n[[sources]]\nkind = \"folder\"\npath = {:?}\n",
        fixture("bert")
    );
    let folder = home.root().join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("card.toml"), text).unwrap();
}

#[test]
fn a_published_encoder_of_the_language_is_asked_for_before_a_starter_is_taken() {
    let home = Home::new();
    copy(&fixture("bert"), &home.root().join("small"));
    home.card("starter = true\n");
    let card = home.root().join("small/card.toml");
    fs::write(&card, fs::read_to_string(&card).unwrap().replace("[\"en\"]", "[\"*\"]")).unwrap();
    let catalog = home.catalog();
    let pulled = |language| catalog.best_or_pull(Modality::Text, Some(language), &quiet).unwrap();
    for language in [Language::En, Language::Zh] {
        assert_eq!(catalog.best(Modality::Text, Some(language)).unwrap().name.as_str(), "small");
    }
    // Only the English one can be had, and it is the best of all: for Chinese texts the starter stays.
    published(&home, "english", "\"en\"", 100);
    assert_eq!(pulled(Language::Zh).name.as_str(), "small");
    let got = pulled(Language::En);
    assert_eq!((got.name.as_str(), got.origin, got.starter), ("english", Origin::Pulled, false));
    // It is on disk by now.
    assert_eq!(pulled(Language::Zh).name.as_str(), "small");
    published(&home, "chinese", "\"zh\"", 90);
    assert_eq!(pulled(Language::Zh).name.as_str(), "chinese");
    assert_eq!(pulled(Language::En).name.as_str(), "english");
    // Of both: one that reads the Chinese half, rather than one that reads none of it.
    assert_eq!(pulled(Language::Mixed).name.as_str(), "chinese");
}

#[test]
fn a_table_gets_the_encoder_of_its_language() {
    let home = Home::new();
    published(&home, "english", "\"en\"", 100);
    published(&home, "chinese", "\"zh\"", 90);
    let person = crate::home::Home::new();
    person.put(
        "zh.csv",
        "question,answer\n红色的卡车在哪里？,在门口。\n怎么退款？,三十天之内寄回。\n".as_bytes(),
    );
    person.put("en.csv", crate::home::FAQ.as_bytes());
    for (table, encoder) in [("zh", "chinese"), ("en", "english")] {
        let mut command = person.command();
        let file = format!("{table}.csv");
        command.env("SIMILE_MODELS", home.root()).args(["index", &file, "--collection", table, "--json"]);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let all = person.run(["collections", "--json"]).ok().json();
        let made = all.as_array().unwrap().iter().find(|c| c["name"] == table).unwrap();
        assert_eq!(made["encoder"], encoder);
    }
}
