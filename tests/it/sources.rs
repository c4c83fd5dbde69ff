//! Folders within folders: a photo is one item, whichever folder around it is named; and an import that cannot be leaves no
//! collection behind.

use image::ImageFormat;
use serde_json::{Value, json};

use super::home::{Home, PHOTO_ENCODER, Ran, photo};
use super::interrupt::items;
use super::web::TestApp;

fn index(home: &Home, path: &str, more: &[&str]) -> Ran {
    let mut args = vec!["index", path, "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];
    args.extend(more);
    home.run(args)
}

/// New, unchanged, replaced, removed, vanished.
fn counts(ran: &Ran) -> [u64; 5] {
    let report = ran.json();
    ["indexed", "unchanged", "replaced", "removed", "vanished"].map(|name| report[name].as_u64().unwrap())
}

fn keys(home: &Home) -> Vec<String> {
    let args = ["search", "--item", "0.jpg", "--collection", "photos", "--k", "50", "--json"];
    let found = home.run(args).ok().json();
    let mut keys: Vec<String> =
        found["hits"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

fn shot(home: &Home, name: &str, seed: u32) {
    home.put(name, &photo(seed, ImageFormat::Jpeg));
}

#[test]
fn a_folder_within_an_indexed_one_brings_nothing_twice() {
    let home = Home::new();
    for (seed, name) in ["0.jpg", "trip/1.jpg", "trip/day/2.jpg", "other/3.jpg"].iter().enumerate() {
        shot(&home, &format!("pics/{name}"), seed as u32);
    }
    assert_eq!(counts(&index(&home, "pics", &[])), [4, 0, 0, 0, 0]);
    assert_eq!(counts(&index(&home, "pics/trip", &[])), [0, 2, 0, 0, 0]);
    assert_eq!(counts(&index(&home, "pics/trip/day/2.jpg", &[])), [0, 1, 0, 0, 0]);
    assert_eq!(items(&home, "photos"), 4);
    // What is new, changed or gone there has the name that it has from the outer folder.
    shot(&home, "pics/trip/day/4.jpg", 40);
    shot(&home, "pics/trip/1.jpg", 41);
    std::fs::remove_file(home.path("pics/trip/day/2.jpg")).unwrap();
    std::fs::remove_file(home.path("pics/other/3.jpg")).unwrap();
    home.put(
        "pics/trip/told.csv",
        b"photo,caption\n1.jpg,A changed one\nday/4.jpg,A new one\n0.jpg,Not below this folder\n",
    );
    let ran = index(&home, "pics/trip", &["--prune", "--caption-encoder", "ngram-hash"]);
    assert_eq!(counts(&ran), [1, 0, 1, 1, 0], "{ran:?}");
    assert_eq!(ran.json()["captioned"], 2);
    assert_eq!(keys(&home), ["other/3.jpg", "trip/1.jpg", "trip/day/4.jpg"]);
    assert_eq!(
        counts(&index(&home, "pics", &[])),
        [0, 3, 0, 0, 1],
        "only the outer folder's own has vanished"
    );
    // A prefix makes a source of its own, by wish.
    assert_eq!(counts(&index(&home, "pics/trip", &["--prefix", "again"])), [2, 0, 0, 0, 0]);
}

#[test]
fn a_folder_around_an_indexed_one_brings_nothing_twice() {
    let home = Home::new();
    for (seed, name) in ["0.jpg", "trip/1.jpg", "trip/2.jpg"].iter().enumerate() {
        shot(&home, &format!("pics/{name}"), seed as u32);
    }
    assert_eq!(counts(&index(&home, "pics/trip", &[])), [2, 0, 0, 0, 0]);
    assert_eq!(counts(&index(&home, "pics", &[])), [1, 2, 0, 0, 0]);
    assert_eq!(keys(&home), ["1.jpg", "2.jpg"]);
    shot(&home, "pics/trip/5.jpg", 50);
    std::fs::remove_file(home.path("pics/trip/2.jpg")).unwrap();
    assert_eq!(counts(&index(&home, "pics", &["--prune"])), [1, 2, 0, 1, 0]);
    assert_eq!(counts(&index(&home, "pics/trip", &[])), [0, 2, 0, 0, 0]);
    assert_eq!(keys(&home), ["1.jpg", "5.jpg"]);
}

#[test]
fn an_import_that_cannot_be_leaves_no_collection() {
    let home = Home::new();
    shot(&home, "pics/0.jpg", 0);
    std::fs::create_dir(home.path("empty")).unwrap();
    let all = |home: &Home| home.run(["collections", "--json"]).ok().json();
    let refused = home.run(["index", "pics", "--collection", "new", "--encoder", "resnet50", "--json"]);
    assert_eq!(refused.json()["error"]["code"], "hub.offline", "{refused:?}");
    assert_eq!(all(&home), json!([]));
    assert_ne!(home.run(["index", "empty", "--collection", "new", "--json"]).code, 0);
    assert_eq!(all(&home), json!([]));
    // One that was there stays.
    index(&home, "pics", &[]).ok();
    assert_ne!(home.run(["index", "empty", "--collection", "photos", "--json"]).code, 0);
    assert_eq!((all(&home).as_array().unwrap().len(), items(&home, "photos")), (1, 1));

    let app = TestApp::start();
    let put = |bytes: &[u8]| {
        app.send("PUT", "/api/v1/collections/new/items/a.jpg", &[("content-type", "image/jpeg")], bytes)
            .status
    };
    assert_ne!(put(b"no photo"), 201);
    assert_eq!(app.get("/api/v1/collections").json(), Value::Array(Vec::new()));
    assert_eq!(put(&photo(3, ImageFormat::Jpeg)), 201);
    assert_ne!(put(b"no photo"), 201);
    assert_eq!(app.get("/api/v1/collections").json()[0]["items"], 1);
}
