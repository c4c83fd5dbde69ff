//! A collection gets another encoder: from the command line, after a kill, with originals that are gone; and a table of
//! n-gram weights is fitted where there are enough texts.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use simile::config::{Compute, Config, HubSettings, Limits};
use simile::ingest::{Entry, put_entry};
use simile::library::{Library, Offer};
use simile::store::{Access, Field};
use simile::types::CollectionName;

use crate::handover::Server;
use crate::home::{FAQ, Home, PHOTO_ENCODER, Ran, TEXT_ENCODER, models};

fn config(home: &Home) -> Config {
    Config {
        data: home.data(),
        models: vec![models()],
        own_models: Vec::new(),
        hub: HubSettings { offline: true, ..HubSettings::default() },
        limits: Limits::default(),
        serve: simile::config::ServeSettings::default(),
        threads: Some(1),
        compute: Compute::default(),
    }
}

fn open(home: &Home) -> std::sync::Arc<Library> {
    Library::open(config(home), Access::Write).unwrap()
}

fn faq() -> CollectionName {
    "faq".parse().unwrap()
}

fn switch(home: &Home, args: &[&str]) -> Ran {
    home.run(["collections", "switch", "--json"].iter().chain(args))
}

fn record(home: &Home, name: &str) -> Value {
    let all = home.run(["collections", "--json"]).ok().json();
    all.as_array().unwrap().iter().find(|c| c["name"] == name).unwrap().clone()
}

fn first(home: &Home, question: &str) -> String {
    let told = home.run(["ask", question, "--collection", "faq", "--json"]).ok().json();
    told["hits"][0]["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_collection_is_switched_there_and_back() {
    let home = Home::new();
    let table = home.put("faq.csv", FAQ.as_bytes());
    let table = table.to_str().unwrap();
    home.run(["index", table, "--collection", "faq", "--encoder", "ngram-hash"]).ok();
    assert_eq!(first(&home, "Where is my parcel?"), "track");

    let told = switch(&home, &["faq", "--encoder", TEXT_ENCODER]).ok().json();
    assert_eq!((&told["swapped"], &told["encoded"]), (&Value::Bool(true), &Value::from(6)));
    let now = record(&home, "faq");
    assert_eq!((now["encoder"].as_str(), now["vectors"].as_u64()), (Some(TEXT_ENCODER), Some(6)));
    assert_eq!(now["dim"], 32);
    assert!(now.get("switching").is_none());
    assert_eq!(first(&home, "Where is my parcel?"), "track");
    // It is an ordinary collection of its new encoder: the same table changes nothing, another line is encoded.
    assert_eq!(home.run(["index", table, "--collection", "faq", "--json"]).ok().json()["unchanged"], 3);
    let more = home.put("more.csv", b"question,answer\nDo you sell gift cards?,Yes.\n");
    home.run(["index", more.to_str().unwrap(), "--collection", "faq"]).ok();
    assert_eq!(switch(&home, &["faq", "--encoder", "ngram-hash"]).ok().json()["encoded"], 7);
    assert_eq!(record(&home, "faq")["encoder"], "ngram-hash");
    assert_eq!(
        first(&home, "Do you sell gift cards?"),
        home.run(["ask", "gift cards", "--collection", "faq", "--json"]).ok().json()["hits"][0]["key"]
            .as_str()
            .unwrap()
    );

    for (args, exit, code) in [
        (&["faq", "--encoder", "ngram-hash"][..], 5, "switch.same"),
        (&["faq", "--encoder", "no-such"], 4, "encoder.unknown"),
        (&["faq", "--encoder", PHOTO_ENCODER], 2, "encoder.modality"),
        (&["faq", "--cancel"], 5, "switch.none"),
        (&["nothing", "--encoder", TEXT_ENCODER], 4, "collection.unknown"),
    ] {
        let ran = switch(&home, args);
        assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (exit, Some(code)), "{args:?}");
    }
    assert_eq!(home.run(["doctor"]).code, 0);
}

/// The seeded photo encoder under two names: what is another name is another space.
fn two_photo_encoders(home: &Home) -> PathBuf {
    let root = home.path("encoders");
    std::fs::create_dir(&root).unwrap();
    std::os::unix::fs::symlink(models().join(PHOTO_ENCODER), root.join("other-resnet")).unwrap();
    root
}

#[test]
fn photos_whose_original_is_gone_wait_for_their_owner() {
    let home = Home::new();
    let photos = home.photos("pics", 5);
    let roots = format!("{}:{}", models().display(), two_photo_encoders(&home).display());
    let run = |args: &[&str]| home.run(["--models", &roots].iter().chain(args));
    let pics = photos.to_str().unwrap();
    run(&["index", pics, "--collection", "photos", "--encoder", PHOTO_ENCODER]).ok();
    std::fs::rename(photos.join("2.jpg"), home.path("away.jpg")).unwrap();
    std::fs::copy(photos.join("0.jpg"), photos.join("1.jpg")).unwrap();

    let to = ["collections", "switch", "photos", "--encoder", "other-resnet", "--json"];
    let waits = run(&to);
    assert_eq!((waits.code, waits.json()["swapped"].as_bool()), (3, Some(false)), "{waits:?}");
    let told = waits.json();
    let missing: Vec<(&str, &str)> = told["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["path"].as_str().unwrap(), m["code"].as_str().unwrap()))
        .collect();
    assert_eq!(missing, [("1.jpg", "photo.changed"), ("2.jpg", "photo.original")]);
    let now = record(&home, "photos");
    assert_eq!(
        (now["encoder"].as_str(), &now["switching"]["filled"]),
        (Some(PHOTO_ENCODER), &Value::from(3))
    );
    let three = photos.join("3.jpg");
    let found = run(&["search", three.to_str().unwrap(), "--collection", "photos", "--json"]).ok().json();
    assert_eq!(found["hits"].as_array().unwrap().len(), 5, "the old space answers as before");

    // One original is back: it alone is encoded. Then the owner lets the other go.
    std::fs::rename(home.path("away.jpg"), photos.join("2.jpg")).unwrap();
    let waits = run(&["collections", "switch", "photos", "--json"]);
    assert_eq!((waits.code, waits.json()["encoded"].as_u64()), (3, Some(1)), "{waits:?}");
    let done = run(&["collections", "switch", "photos", "--drop-missing", "--json"]).ok().json();
    assert_eq!((done["swapped"].as_bool(), done["dropped"].as_u64()), (Some(true), Some(1)));
    let now = record(&home, "photos");
    assert_eq!((now["encoder"].as_str(), now["items"].as_u64()), (Some("other-resnet"), Some(4)));
    let found = run(&["search", three.to_str().unwrap(), "--collection", "photos", "--json"]).ok().json();
    assert_eq!(found["hits"][0]["key"], "3.jpg");
    // What had changed comes in again as what it is now.
    assert_eq!(run(&["index", pics, "--collection", "photos", "--json"]).ok().json()["indexed"], 1);
}

fn entry(question: &str) -> Entry {
    let question = question.to_owned();
    Entry { question, answer: "Yes.".into(), wordings: Vec::new(), tags: Vec::new(), language: None }
}

/// A collection of three entries on its way to another encoder; a fourth came meanwhile.
fn begun(home: &Home) -> String {
    let table = home.put("faq.csv", b"question,answer\nred car,1\nblue car,2\nreset my password,3\n");
    home.run(["index", table.to_str().unwrap(), "--collection", "faq", "--encoder", "ngram-hash"]).ok();
    let library = open(home);
    let collection = library.collection(&faq()).unwrap();
    let next = library.encoders().get(&TEXT_ENCODER.parse().unwrap(), None).unwrap();
    collection.begin_switch(Field::Own, next.about()).unwrap();
    assert_eq!(collection.lacking_beside(Field::Own).unwrap().len(), 3);
    put_entry(&library, &faq(), "new".parse().unwrap(), entry("where is the tab")).unwrap();
    assert_eq!(collection.lacking_beside(Field::Own).unwrap().len(), 3, "a write goes to both spaces");
    assert_eq!(collection.snapshot().rows(), 4);
    assert_eq!(collection.encoder().unwrap().about().name().as_str(), "ngram-hash");
    collection.name().to_string()
}

#[test]
fn a_switch_goes_on_after_its_program_ended() {
    let home = Home::new();
    begun(&home);
    let says = home.run(["doctor"]).ok().out;
    assert!(says.contains("being switched to bert, 1 of 4 encoded"), "{says}");
    let told = switch(&home, &["faq"]).ok().json();
    assert_eq!((told["encoder"].as_str(), told["encoded"].as_u64()), (Some(TEXT_ENCODER), Some(3)));
    assert_eq!(first(&home, "where is the tab"), "new");
}

#[test]
fn a_server_goes_on_with_what_another_left_and_a_program_may_give_it_up() {
    let home = Home::new();
    begun(&home);
    let server = Server::start(&home, &[]);
    let begin = Instant::now();
    while record(&home, "faq")["encoder"] != TEXT_ENCODER {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    // Handed to the server, with the same words and codes.
    assert_eq!(switch(&home, &["faq", "--encoder", "ngram-hash"]).ok().json()["encoded"], 4);
    let again = switch(&home, &["faq", "--encoder", "ngram-hash"]);
    assert_eq!((again.code, again.json()["error"]["code"].as_str()), (5, Some("switch.same")));
    let none = switch(&home, &["faq", "--cancel"]);
    assert_eq!((none.code, none.json()["error"]["code"].as_str()), (5, Some("switch.none")));
    drop(server);

    let home = Home::new();
    begun(&home);
    switch(&home, &["faq", "--cancel"]).ok();
    let now = record(&home, "faq");
    assert_eq!((now["encoder"].as_str(), now.get("switching")), (Some("ngram-hash"), None));
    assert_eq!(segments(&home.data().join("vectors")), 1, "what was encoded for it is gone");
}

fn segments(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.map(|p| if p.is_dir() { segments(&p) } else { 1 }).sum()
}

/// A table of so many different questions.
fn questions(home: &Home, name: &str, from: u32, to: u32) -> PathBuf {
    let line = |i| format!("How do I return parcel number {i} of {name}?,Send it back.\n");
    let lines: String = (from..to).map(line).collect();
    home.put(format!("{name}.csv"), format!("question,answer\n{lines}").as_bytes())
}

/// On how many texts the collection's table was fitted, and what is offered.
fn fitted(home: &Home) -> (u64, Vec<Offer>) {
    let library = open(home);
    let collection = library.collection(&faq()).unwrap();
    let texts = collection.encoder().unwrap().about().ngram_weights().unwrap().texts();
    let mut offers = library.offers(&collection).unwrap();
    offers.retain(|offer| matches!(offer, Offer::Refit { .. }));
    (texts, offers)
}

#[test]
fn ngram_weights_are_fitted_from_two_hundred_texts_on_and_offered_anew_at_ten_times_as_many() {
    let home = Home::new();
    let index = |table: PathBuf| {
        let table = table.to_str().unwrap().to_owned();
        home.run(["index", &table, "--collection", "faq", "--encoder", "ngram-hash"]).ok();
    };
    // Below 200 all weights are 1; as soon as a table may be fitted, it is offered.
    index(questions(&home, "few", 0, 199));
    assert_eq!(fitted(&home), (0, vec![]));
    index(questions(&home, "one", 0, 1));
    let (on, offers) = fitted(&home);
    assert_eq!((on, offers.len()), (0, 1));
    assert!(home.run(["doctor"]).ok().out.contains("simile collections switch faq --encoder ngram-hash"));
    switch(&home, &["faq"]).ok();
    assert_eq!(fitted(&home), (200, vec![]));
    assert_eq!(
        first(&home, "return parcel number 77 of few"),
        first(&home, "How do I return parcel number 77 of few?")
    );

    // The table lies with the space: another program encodes with the same one, and what comes is no reason to fit.
    index(questions(&home, "more", 0, 1799));
    assert_eq!(fitted(&home), (200, vec![]));
    index(questions(&home, "last", 0, 1));
    let offer = Offer::Refit { encoder: "ngram-hash".parse().unwrap(), texts: 2000, fitted_on: 200 };
    assert_eq!(fitted(&home), (200, vec![offer]));
    assert_eq!(switch(&home, &["faq", "--encoder", "ngram-hash"]).ok().json()["encoded"], 2000);
    assert_eq!(fitted(&home), (2000, vec![]));
}

#[test]
fn a_first_import_of_two_hundred_texts_fits_at_once() {
    let home = Home::new();
    let table = questions(&home, "first", 0, 200);
    let table = table.to_str().unwrap();
    home.run(["index", table, "--collection", "faq", "--encoder", "ngram-hash"]).ok();
    assert_eq!(fitted(&home), (200, vec![]));
    assert_eq!(home.run(["index", table, "--collection", "faq", "--json"]).ok().json()["unchanged"], 200);
}
