//! The command line as a person and a script use it, on small seeded encoders.

use std::os::unix::ffi::OsStrExt;

use image::ImageFormat;
use serde_json::{Value, json};

use super::home::{FAQ, Home, PHOTO_ENCODER, TEXT_ENCODER, photo};

pub fn index(home: &Home, path: &str, more: &[&str]) -> super::home::Ran {
    let mut args = vec!["index", path, "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];
    args.extend(more);
    home.run(args)
}

fn keys(answer: &Value) -> Vec<&str> {
    answer["hits"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap()).collect()
}

fn report(of: [u64; 6]) -> Value {
    let [indexed, unchanged, replaced, removed, vanished, skipped] = of;
    json!({"indexed": indexed, "unchanged": unchanged, "replaced": replaced, "removed": removed,
           "vanished": vanished, "skipped": skipped, "rejected": []})
}

#[test]
fn a_folder_is_indexed_once_and_every_photo_finds_itself() {
    let home = Home::new();
    home.photos("pics/sub", 5);
    home.put("pics/notes.txt", b"no picture");
    assert_eq!(index(&home, "pics", &[]).ok().json(), report([5, 0, 0, 0, 0, 1]));
    assert_eq!(index(&home, "pics", &[]).ok().json(), report([0, 5, 0, 0, 0, 1]));
    for i in 0..5 {
        let args = ["search", &format!("pics/sub/{i}.jpg"), "--collection", "photos", "--k", "2", "--json"];
        let answer = home.run(args).ok().json();
        assert_eq!(keys(&answer)[0], format!("sub/{i}.jpg"));
        assert!(answer["hits"][0]["score"].as_f64().unwrap() > 0.9999);
        assert_eq!(answer["hits"][1]["rank"], 2);
        for stage in ["decode", "encode", "search", "load"] {
            assert!(answer["timings_ms"][stage].as_f64().unwrap() >= 0.0, "{answer}");
        }
        assert_eq!(answer["index"], "Flat");
    }
    let all = home.run(["collections", "--json"]).ok().json();
    assert_eq!(
        (&all[0]["name"], &all[0]["kind"], &all[0]["items"]),
        (&json!("photos"), &json!("photos"), &json!(5))
    );
}

#[test]
fn changed_and_vanished_photos_are_told_and_pruned_on_demand() {
    let home = Home::new();
    home.photos("pics", 5);
    index(&home, "pics", &[]).ok();
    home.put("pics/0.jpg", &photo(100, ImageFormat::Jpeg));
    std::fs::remove_file(home.path("pics/1.jpg")).unwrap();
    assert_eq!(index(&home, "pics", &[]).ok().json(), report([0, 3, 1, 0, 1, 0]));
    assert_eq!(index(&home, "pics", &["--prune"]).ok().json(), report([0, 4, 0, 1, 0, 0]));
    for i in 2..5 {
        std::fs::remove_file(home.path(format!("pics/{i}.jpg"))).unwrap();
    }
    let refused = index(&home, "pics", &["--prune"]);
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (5, &json!("prune.refused")));
    assert_eq!(index(&home, "pics", &["--prune", "--force"]).ok().json(), report([0, 1, 0, 3, 0, 0]));
    std::fs::remove_dir_all(home.path("pics")).unwrap();
    assert_eq!(index(&home, "pics", &["--prune"]).code, 5);
    assert_eq!(index(&home, "pics", &["--prune", "--force"]).ok().json(), report([0, 0, 0, 1, 0, 0]));
    assert_eq!(index(&home, "pics", &[]).code, 4);
}

#[test]
fn odd_names_are_keys_that_find_themselves() {
    let home = Home::new();
    let names: [&[u8]; 6] = [
        "照片 🚚.jpg".as_bytes(),
        b"line\nbreak.jpg",
        b"quote\"'<script>.jpg",
        b"caf\xe9.jpg",
        b"caf%E9.jpg",
        b"100%.jpg",
    ];
    for (i, name) in names.iter().enumerate() {
        home.put(
            std::path::Path::new("pics").join(std::ffi::OsStr::from_bytes(name)),
            &photo(i as u32, ImageFormat::Png),
        );
    }
    assert_eq!(index(&home, "pics", &[]).ok().json()["indexed"], 6);
    let answers = home.run(["search", "pics", "--collection", "photos", "--k", "1", "--json"]).ok().json();
    let mut found: Vec<(&str, &str)> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["query"].as_str().unwrap(), a["hits"][0]["key"].as_str().unwrap()))
        .collect();
    found.sort();
    let mut expected =
        ["照片 🚚.jpg", "line\nbreak.jpg", "quote\"'<script>.jpg", "caf%E9.jpg", "caf%25E9.jpg", "100%.jpg"];
    expected.sort();
    assert_eq!(found, expected.map(|key| (key, key)));
}

#[test]
fn a_bad_photo_is_rejected_with_its_reason_and_the_rest_goes_on() {
    let home = Home::new();
    home.photos("pics", 2);
    let whole = photo(9, ImageFormat::Jpeg);
    home.put("pics/cut.jpg", &whole[..whole.len() / 2]);
    home.put("pics/text.png", b"this is no picture");
    home.put("pics/empty.gif", b"");
    home.put("pics/film.mp4", b"\0\0\0\x20ftypisom");
    home.put("pics/raw.nef", b"II*\0");
    home.put("pics/renamed.dat", &whole);
    std::os::unix::fs::symlink(home.path("pics/0.jpg"), home.path("pics/link.jpg")).unwrap();
    let ran = index(&home, "pics", &[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let report = ran.json();
    assert_eq!((&report["indexed"], &report["skipped"]), (&json!(3), &json!(3)), "{report}");
    assert_eq!(report["skipped_kinds"], json!({"raw": 1, "video": 1}));
    let rejected = report["rejected"].as_array().unwrap();
    let mut codes: Vec<(&str, &str)> =
        rejected.iter().map(|r| (r["path"].as_str().unwrap(), r["code"].as_str().unwrap())).collect();
    codes.sort();
    assert_eq!(
        codes,
        [("cut.jpg", "photo.truncated"), ("empty.gif", "photo.empty"), ("text.png", "photo.not_a_picture")]
    );
    assert!(rejected.iter().all(|r| r["reason"].as_str().unwrap().len() > 10));
}

#[test]
fn an_empty_folder_and_other_wrong_paths_say_what_to_do() {
    let home = Home::new();
    std::fs::create_dir(home.path("empty")).unwrap();
    for (path, code, exit) in
        [("empty", "folder.empty", 2), ("nowhere", "path.missing", 4), ("/dev/null", "path.special", 2)]
    {
        let ran = index(&home, path, &[]);
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (exit, &json!(code)), "{ran:?}");
        assert!(ran.err.contains(';') || ran.err.contains("give"), "{}", ran.err);
    }
}

#[test]
fn two_roots_with_the_same_keys_need_a_prefix() {
    let home = Home::new();
    home.photos("a", 2);
    home.photos("b", 2);
    index(&home, "a", &[]).ok();
    let refused = index(&home, "b", &[]);
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (5, &json!("key.collides")));
    assert_eq!(index(&home, "b", &["--prefix", "second"]).ok().json()["indexed"], 2);
    // The root remembers its prefix.
    assert_eq!(index(&home, "b", &[]).ok().json(), report([0, 2, 0, 0, 0, 0]));
    let filtered = home
        .run(["search", "a/0.jpg", "--collection", "photos", "--path-prefix", "second/", "--json"])
        .ok()
        .json();
    assert!(keys(&filtered).iter().all(|key| key.starts_with("second/")) && keys(&filtered).len() == 2);
}

#[test]
fn words_find_photos_by_name_and_say_so() {
    let home = Home::new();
    home.put("pics/red truck/first.jpg", &photo(1, ImageFormat::Jpeg));
    home.put("pics/红色卡车.jpg", &photo(2, ImageFormat::Jpeg));
    home.put("pics/boat.jpg", &photo(3, ImageFormat::Jpeg));
    index(&home, "pics", &[]).ok();
    let truck = home.run(["search", "red truck", "--collection", "photos", "--json"]).ok().json();
    assert_eq!(keys(&truck), ["red truck/first.jpg"]);
    assert_eq!(truck["notes"][0]["code"], "search.words");
    let chinese = home.run(["search", "卡车", "--collection", "photos", "--json"]).ok().json();
    assert_eq!(keys(&chinese), ["红色卡车.jpg"]);
}

#[test]
fn an_faq_answers_by_its_best_wording_and_comes_in_again() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    let args = ["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"];
    assert_eq!(home.run(args).ok().json(), report([3, 0, 0, 0, 0, 0]));
    assert_eq!(home.run(args).ok().json(), report([0, 3, 0, 0, 0, 0]));
    let answer = home.run(["ask", "I want a refund", "--collection", "faq", "--json"]).ok().json();
    assert_eq!(keys(&answer).len(), 3, "each entry counts once: {answer}");
    let hit = &answer["hits"][0];
    assert_eq!(
        (&hit["key"], &hit["wording"], &hit["question"]),
        (&json!("refund"), &json!("I want a refund"), &json!("How do I get my money back?"))
    );
    assert_eq!(hit["answer"], "Send it back within 30 days.");
    home.put("faq.csv", FAQ.replace("Nine to five", "Ten to four").replace("track,", "where,").as_bytes());
    assert_eq!(home.run(args).ok().json(), report([1, 1, 1, 1, 0, 0]));
}

#[test]
fn a_table_without_its_columns_says_which() {
    let home = Home::new();
    home.put("bad.csv", b"frage,antwort\na,b\n");
    let ran = home.run(["index", "bad.csv", "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"]);
    assert_eq!((ran.code, &ran.json()["error"]["code"]), (2, &json!("table.missing_column")));
    assert!(ran.err.contains("question") && ran.err.contains("frage"), "{}", ran.err);
}

#[test]
fn queries_that_cannot_be_are_refused() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER]).ok();
    let long = "x".repeat(1 << 20);
    for (args, code, exit) in [
        (vec!["ask", "", "--collection", "faq"], "query.empty", 2),
        (vec!["ask", " \t ", "--collection", "faq"], "query.empty", 2),
        (vec!["ask", "a", "--collection", "faq", "--k", "0"], "query.k", 2),
        (vec!["ask", "a", "--collection", "none"], "collection.unknown", 4),
        (vec!["search", "--item", "none", "--collection", "faq"], "item.unknown", 4),
    ] {
        let ran = home.run(args.iter().chain(&["--json"]));
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (exit, &json!(code)), "{args:?}");
    }
    // Longer than one argument of a command may be: through the library instead.
    assert!(long.len() > 128 * 1024);
    let many = home.run(["search", "parcel", "--collection", "faq", "--k", "500", "--json"]).ok().json();
    assert_eq!(keys(&many).len(), 3);
}

#[test]
fn recipes_are_checked_when_given_and_named_in_the_answer() {
    let home = Home::new();
    home.photos("pics", 12);
    for (recipe, code) in [
        ("IVF4", "recipe.unknown"),
        ("Nonsense", "recipe.unknown"),
        ("IVF4,PQ7", "recipe.dimension"),
        ("IVF64,Flat", "recipe.too_few_rows"),
    ] {
        let ran = index(&home, "pics", &["--recipe", recipe]);
        assert_eq!(ran.code, 2, "{recipe}: {ran:?}");
        assert!(ran.err.contains(code) || ran.err.contains("recipe"), "{recipe}: {ran:?}");
    }
    index(&home, "pics", &["--recipe", "IVF2,Flat"]).ok();
    let answer = home.run(["search", "pics/3.jpg", "--collection", "photos", "--json"]).ok().json();
    assert_eq!((&answer["index"], keys(&answer)[0]), (&json!("IVF2,Flat"), "3.jpg"));
    // A damaged or deleted cache is rebuilt, and answers flat meanwhile.
    std::fs::remove_dir_all(home.path("data/cache")).unwrap();
    let flat = home.run(["search", "pics/3.jpg", "--collection", "photos", "--json"]).ok().json();
    assert_eq!((&flat["index"], keys(&flat)[0]), (&json!("Flat"), "3.jpg"));
    index(&home, "pics", &[]).ok();
    let again = home.run(["search", "pics/3.jpg", "--collection", "photos", "--json"]).ok().json();
    assert_eq!(again["index"], "IVF2,Flat");
}

#[test]
fn embed_prints_vectors_and_writes_npy_whole_or_not_at_all() {
    let home = Home::new();
    let rows = home.run(["embed", "one text", "another", "--encoder", TEXT_ENCODER, "--json"]).ok().json();
    let first = &rows[0];
    let vector = first["vector"].as_array().unwrap();
    assert_eq!((vector.len() as u64, &first["input"]), (first["dim"].as_u64().unwrap(), &json!("one text")));
    assert_eq!(first["truncated"], false);
    home.run(["embed", "one text", "another", "--encoder", TEXT_ENCODER, "--out", "v.npy"]).ok();
    let npy = std::fs::read(home.path("v.npy")).unwrap();
    assert_eq!(&npy[..6], b"\x93NUMPY");
    let header = String::from_utf8_lossy(&npy[..128]);
    assert!(header.contains("'<f4'") && header.contains(&format!("(2, {}", vector.len())), "{header}");
    home.photos("pics", 1);
    home.put("pics/bad.jpg", b"no picture");
    let bad = home.run([
        "embed",
        "pics/0.jpg",
        "pics/bad.jpg",
        "--encoder",
        PHOTO_ENCODER,
        "--out",
        "w.npy",
        "--json",
    ]);
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("bad.jpg") && !home.path("w.npy").exists(), "{bad:?}");
    let text = home
        .run(["embed", "--text", "--encoder", TEXT_ENCODER, "--json", "--", "--dashes", "pics/0.jpg"])
        .ok()
        .json();
    assert_eq!(text[0]["input"], "--dashes");
}

#[test]
fn without_a_data_folder_there_are_no_collections() {
    let home = Home::new();
    assert_eq!(home.run(["collections", "--json"]).ok().json(), json!([]));
    assert!(!home.data().exists());
    let listed = home.run(["models", "list", "--json"]).ok().json();
    assert!(listed.as_array().unwrap().iter().any(|m| m["name"] == TEXT_ENCODER), "{listed}");
    assert_eq!(home.run(["--help"]).ok().code, 0);
    assert_eq!(home.run(["index"]).code, 2);
}

#[test]
fn a_models_folder_that_is_not_there_is_a_warning() {
    let home = Home::new();
    home.photos("pics", 1);
    let roots = format!("{}:{}", home.path("nowhere").display(), super::home::models().display());
    let args =
        ["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json", "--models", &roots];
    let ran = home.run(args).ok();
    assert_eq!(ran.json()["indexed"], 1);
    assert!(ran.err.contains("nowhere"), "{}", ran.err);
}

#[test]
fn without_a_published_encoder_the_starters_serve() {
    let home = Home::new();
    home.photos("pics", 1);
    let ran = home.run(["index", "pics", "--collection", "photos", "--models", "", "--json"]);
    assert_eq!(ran.ok().json()["indexed"], 1);
    let listed = home.run(["collections", "--json"]).ok().out.clone();
    assert!(listed.contains("resnet50-starter"), "{listed}");
    let told = |args: &[&str]| home.run(["index", "pics", "--collection"].iter().chain(args)).ok().err;
    assert!(told(&["plain", "--models", ""]).contains("resnet50-starter, a starter;"));
    assert!(!told(&["plain", "--models", ""]).contains("a starter"), "nothing new");
    assert!(!told(&["named", "--encoder", PHOTO_ENCODER]).contains("a starter"));
    // An FAQ needs no file: its built-in encoder serves until a better one is there.
    home.put("faq.csv", FAQ.as_bytes());
    let args = ["index", "faq.csv", "--collection", "faq", "--encoder", "ngram-hash", "--json"];
    assert_eq!(home.run(args).ok().json()["indexed"], 3);
}

#[test]
fn copies_are_the_same_for_the_same_seed_and_never_written_over() {
    let home = Home::new();
    home.photos("pics", 2);
    let run = |seed: &str, out: &str| {
        home.run(["augment", "pics", "--copies", "2", "--seed", seed, "--out", out, "--json"])
    };
    assert_eq!(run("7", "a").ok().json()["written"], 4);
    run("7", "b").ok();
    run("8", "c").ok();
    let copy = |folder: &str| std::fs::read(home.path(format!("{folder}/1_2.jpg"))).unwrap();
    assert_eq!(copy("a"), copy("b"));
    assert_ne!(copy("a"), copy("c"));
    let again = run("7", "a");
    assert_eq!((again.code, &again.json()["error"]["code"]), (5, &json!("augment.exists")));
}

#[test]
fn rehash_looks_into_every_file_and_touching_one_replaces_nothing() {
    let home = Home::new();
    home.photos("pics", 3);
    index(&home, "pics", &[]).ok();
    // The same bytes written anew: another time, the same content.
    home.put("pics/0.jpg", &photo(0, ImageFormat::Jpeg));
    assert_eq!(index(&home, "pics", &[]).ok().json(), report([0, 3, 0, 0, 0, 0]));
    assert_eq!(index(&home, "pics", &["--rehash"]).ok().json(), report([0, 3, 0, 0, 0, 0]));
}
