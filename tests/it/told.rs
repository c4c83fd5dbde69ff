//! What the command line tells where it cannot do what was asked, or may have been meant otherwise.

use image::ImageFormat;
use serde_json::json;

use super::cli::index;
use super::home::{FAQ, Home, PHOTO_ENCODER, TEXT_ENCODER, photo};

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    use std::process::Stdio;
    let home = Home::new();
    let mut child = home
        .command()
        .args(["models", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && !said.contains("panicked"), "{said}");
}

#[test]
fn a_card_that_is_not_there_is_told_before_anything_begins() {
    let home = Home::new();
    // With a card, the choice is good.
    if !(cfg!(feature = "cuda") && std::path::Path::new("/dev/nvidiactl").exists()) {
        let ran = home.run(["models", "list", "--device", "cuda", "--json"]);
        let wanted = if cfg!(feature = "cuda") { "device.no_card" } else { "device.not_built" };
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (6, &json!(wanted)), "{ran:?}");
        assert!(ran.err.contains("--device cpu"), "{ran:?}");
    }
    home.run(["models", "list", "--device", "cpu"]).ok();
    assert_eq!(home.run(["models", "list", "--device", "tpu"]).code, 2);

    let doctor = home.run(["doctor", "--json"]);
    for said in
        ["encoders compute on cpu", "f32 products ran on ", "bf16 products ran on ", "int8 products ran on "]
    {
        assert!(doctor.out.contains(said), "{doctor:?}");
    }
    let mut forced = home.command();
    let scalar = forced.env("SIMILE_ISA", "scalar").args(["doctor", "--json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&scalar.stdout).contains("int8 products ran on scalar"));
}

#[test]
fn what_is_named_in_an_error_is_in_a_person_s_words() {
    let home = Home::new();
    home.photos("pics", 1);
    home.run(["index", "pics", "--collection", "photos"]).ok();
    let no_item = home.run(["search", "--item", "no.jpg", "--collection", "photos"]);
    assert!(no_item.code == 4 && no_item.err.contains("no item \"no.jpg\";"), "{no_item:?}");
    let photos = home.run(["embed", "a word", "--encoder", PHOTO_ENCODER]);
    assert!(photos.code == 2 && photos.err.contains("reads photos, not texts;"), "{photos:?}");
    let nowhere = home.run(["models", "add", "/nowhere", "--name", "mine"]);
    assert!(nowhere.code == 6 && nowhere.err.contains("/nowhere: cannot be read"), "{nowhere:?}");
}

#[test]
fn arguments_that_cannot_be_understood_are_json_when_that_is_wanted() {
    let home = Home::new();
    for args in
        [vec!["search", "--json"], vec!["--json", "nonsense"], vec!["search", "a", "--k", "x", "--json"]]
    {
        let ran = home.run(&args);
        let error = &ran.json()["error"];
        assert_eq!((ran.code, &error["code"]), (2, &json!("command.arguments")), "{args:?}");
        let message = error["message"].as_str().unwrap();
        assert!(
            !message.starts_with("error") && !message.contains('\n') && ran.err.contains("--help"),
            "{ran:?}"
        );
    }
    // Behind `--` it is a text, and without it nobody asked for JSON.
    assert_eq!(home.run(["search", "--nonsense", "--", "--json"]).out, "");
}

#[test]
fn a_named_file_that_is_neither_picture_nor_table_is_refused_and_leaves_no_collection() {
    let home = Home::new();
    home.put("faq.txt", FAQ.as_bytes());
    home.put("empty", b"");
    for file in ["faq.txt", "empty"] {
        let ran = home.run(["index", file, "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"]);
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (2, &json!("upload.not_taken")), "{ran:?}");
        assert!(ran.err.contains(".csv"), "{ran:?}");
    }
    assert_eq!(home.run(["collections", "--json"]).ok().json(), json!([]));
    // A picture is known by its first bytes, whatever it is called.
    home.put("picture", &photo(1, ImageFormat::Png));
    assert_eq!(index(&home, "picture", &[]).ok().json()["indexed"], 1);
}

#[test]
fn a_file_that_is_not_there_is_searched_as_a_text_with_a_note() {
    let home = Home::new();
    home.photos("pics", 1);
    index(&home, "pics", &[]).ok();
    let notes = |args: &[&str]| {
        let ran = home.run(args.iter().chain(&["--collection", "photos"])).ok();
        ran.err.contains("there is no file")
    };
    for lost in ["nothing.jpg", "./nothing", "/nothing", "Ducks.HEIC"] {
        assert!(notes(&["search", lost]), "{lost}");
    }
    assert!(!notes(&["search", "nothing"]) && !notes(&["search", "--text", "nothing.jpg"]));
}

#[test]
fn what_has_no_files_or_no_captions_is_told_as_it_is() {
    let home = Home::new();
    for action in ["verify", "remove"] {
        let ran = home.run(["models", action, "ngram-hash", "--json"]);
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (5, &json!("encoder.built_in")), "{ran:?}");
    }
    let listed = home.run(["models", "--json"]).ok().json();
    assert_eq!(listed, home.run(["models", "list", "--json"]).ok().json());
    home.put("faq.csv", FAQ.as_bytes());
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER]).ok();
    let ran = home.run(["collections", "switch", "faq", "--captions", TEXT_ENCODER, "--json"]);
    assert_eq!((ran.code, &ran.json()["error"]["code"]), (2, &json!("captions.of_faq")), "{ran:?}");
    // A data folder that is a file, and a backup in the data folder.
    let file = home.run(["--data", "faq.csv", "collections", "--json"]);
    assert_eq!((file.code, &file.json()["error"]["code"]), (2, &json!("store.not_a_folder")), "{file:?}");
    for within in ["data", "data/backup"] {
        let ran = home.run(["backup", within, "--json"]);
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (5, &json!("backup.within")), "{ran:?}");
    }
    assert!(!home.path("data/backup").exists());
}

#[test]
fn a_bench_of_nothing_is_refused() {
    let home = Home::new();
    let hashed = home.run(["bench", "encoders", "--encoder", "ngram-hash", "--json"]);
    assert_eq!((hashed.code, &hashed.json()["error"]["code"]), (2, &json!("bench.no_network")), "{hashed:?}");
    for none in [["--batch", "0"], ["--tokens", "0"], ["--threads", "0"], ["--rounds", "0"]] {
        let ran = home.run(["bench", "encoders", "--encoder", TEXT_ENCODER].iter().chain(&none));
        assert!(ran.code == 2 && ran.err.contains("is not in 1.."), "{ran:?}");
    }
    assert_eq!(home.run(["bench", "limits", "--threads", "0"]).code, 2);
}
