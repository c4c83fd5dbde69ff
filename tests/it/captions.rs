//! Photos with captions: from a table on the command line, in an upload and over HTTP; found by picture, by words, by both.

use image::ImageFormat;
use serde_json::{Value, json};

use super::home::{Home, PHOTO_ENCODER, Ran, TEXT_ENCODER, photo};
use super::web::{Part, TestApp};

const TABLE: &str = "\
File,Caption,Tags,Date
0.jpg,A red fire engine in front of the station,\"red, engine\",2023-07-01
1.jpg,\"Two ducks, on a pond\",water,2024-05-12
sub/2.jpg,<script>alert(1)</script> & a lighthouse at dusk,water; night,2024
9.jpg,Nobody has taken this one,,
1.jpg,The ducks again,,
3.jpg,No day like this,,2024-02-31
";

fn index(home: &Home, more: &[&str]) -> Ran {
    let mut args = vec!["index", "pics", "--collection", "photos", "--json"];
    args.extend(more);
    home.run(args)
}

fn search(home: &Home, more: &[&str]) -> Value {
    let mut args = vec!["search", "--collection", "photos", "--json"];
    args.extend(more);
    home.run(args).ok().json()
}

fn keys(answer: &Value) -> Vec<&str> {
    answer["hits"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap()).collect()
}

/// By what each hit was found, in the order of the hits.
fn by(hit: &Value) -> Vec<&str> {
    hit["matched"].as_array().unwrap().iter().map(|m| m["by"].as_str().unwrap()).collect()
}

fn captioned() -> Home {
    let home = Home::new();
    for (i, name) in ["0.jpg", "1.jpg", "sub/2.jpg", "3.jpg"].iter().enumerate() {
        home.put(format!("pics/{name}"), &photo(i as u32, ImageFormat::Jpeg));
    }
    home.put("told.csv", TABLE.as_bytes());
    let ran = index(
        &home,
        &["--encoder", PHOTO_ENCODER, "--captions", "told.csv", "--caption-encoder", "ngram-hash"],
    );
    assert_eq!(ran.code, 3, "{ran:?}");
    let report = ran.json();
    assert_eq!((&report["indexed"], &report["captioned"]), (&json!(4), &json!(3)), "{report}");
    let rejects = report["rejected"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        rejects.iter().map(|r| (r["path"].as_str().unwrap(), r["code"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("told.csv:6", "caption.duplicate"),
            ("told.csv:7", "date.unreadable"),
            ("told.csv:5", "caption.no_photo")
        ]
    );
    home
}

#[test]
fn a_photo_is_found_by_its_picture_by_its_words_and_by_both() {
    let home = captioned();
    let words = search(&home, &["ducks on the pond"]);
    assert_eq!(keys(&words)[0], "1.jpg");
    assert_eq!(words["hits"][0]["caption"], "Two ducks, on a pond");
    assert_eq!(
        (by(&words["hits"][0]), &words["hits"][0]["date"]),
        (vec!["caption", "words"], &json!("2024-05-12"))
    );
    assert_eq!((&words["caption_encoder"], &words["index"]), (&json!("ngram-hash"), &json!("Flat + words")));
    assert_eq!(words["notes"], Value::Null);

    let picture = search(&home, &["pics/0.jpg"]);
    assert_eq!((keys(&picture)[0], by(&picture["hits"][0])), ("0.jpg", vec!["picture"]));
    assert!(picture["hits"][0]["score"].as_f64().unwrap() > 0.999);

    // The words lead to another photo than the picture: both come first, each by its own way.
    let both = search(&home, &["pics/0.jpg", "--words", "ducks on the pond"]);
    let mut first = keys(&both)[..2].to_vec();
    first.sort();
    assert_eq!(first, ["0.jpg", "1.jpg"]);
    let matched = both["hits"][0]["matched"].as_array().unwrap();
    assert_eq!(matched[0]["by"], "picture");
    assert!(matched.iter().all(|m| m["rank"].as_u64().unwrap() >= 1 && m["score"].is_number()), "{both}");
    let same = search(&home, &["pics/1.jpg", "--words", "ducks on the pond"]);
    assert_eq!((keys(&same)[0], by(&same["hits"][0])), ("1.jpg", vec!["picture", "caption", "words"]));
    assert!((same["hits"][0]["score"].as_f64().unwrap() - 1.0).abs() < 1e-6);

    let item = search(&home, &["--item", "0.jpg", "lighthouse at dusk"]);
    assert_eq!(keys(&item)[0], "sub/2.jpg");
    assert!(!keys(&item).contains(&"0.jpg"), "itself is left out");
    let ran = home.run(["search", "ducks", "--collection", "photos"]).ok();
    assert!(
        ran.out.contains("Two ducks, on a pond") && ran.out.contains("found by its caption (place 1"),
        "{ran:?}"
    );
}

#[test]
fn tags_and_dates_filter() {
    let home = captioned();
    let all = ["0.jpg", "1.jpg", "sub/2.jpg"];
    for (filter, found) in [
        (vec!["--tag", "water"], vec!["1.jpg", "sub/2.jpg"]),
        (vec!["--date-from", "2024"], vec!["1.jpg", "sub/2.jpg"]),
        (vec!["--date-from", "2024-01"], vec!["1.jpg"]),
        (vec!["--date-to", "2023"], vec!["0.jpg"]),
        (vec!["--date-from", "2023/7/1", "--date-to", "2024-05"], all.to_vec()),
    ] {
        for query in ["lighthouse ducks engine", "pics/3.jpg"] {
            let answer = search(&home, &[&[query][..], &filter].concat());
            let mut found_now = keys(&answer);
            found_now.sort();
            assert_eq!(found_now, found, "{query} {filter:?}");
        }
    }
    let ran = home.run(["search", "x", "--collection", "photos", "--date-from", "soon"]);
    assert!(ran.code == 2 && ran.err.contains("is no date"), "{ran:?}");
}

#[test]
fn changed_captions_are_encoded_again_and_nothing_else_is() {
    let home = captioned();
    let again = index(&home, &["--captions", "told.csv"]).json();
    assert_eq!((&again["unchanged"], &again["captioned"]), (&json!(4), &Value::Null));
    // One changed, one emptied, the rest (also the columns that are gone) stays.
    home.put("told.csv", b"photo,caption\n1.jpg,A heron waits\n0.jpg,\n");
    let report = index(&home, &["--captions", "told.csv"]).ok().json();
    assert_eq!((&report["unchanged"], &report["captioned"]), (&json!(4), &json!(2)), "{report}");
    let heron = search(&home, &["heron waits", "--tag", "water"]);
    assert_eq!((keys(&heron)[0], by(&heron["hits"][0])), ("1.jpg", vec!["caption", "words"]));
    let gone = search(&home, &["fire engine station"]);
    assert!(
        gone["hits"]
            .as_array()
            .unwrap()
            .iter()
            .all(|hit| hit["caption"] != "A red fire engine in front of the station")
    );
    let listed = home.run(["collections", "--json"]).ok().json();
    assert_eq!((&listed[0]["captions"], &listed[0]["vectors"]), (&json!(2), &json!(4)));

    // A photo whose file changes keeps what was told of it, and a photo that goes takes it along.
    home.put("pics/1.jpg", &photo(77, ImageFormat::Jpeg));
    std::fs::remove_file(home.path("pics/sub/2.jpg")).unwrap();
    let report = index(&home, &["--prune"]).ok().json();
    assert_eq!(
        (&report["replaced"], &report["removed"], &report["captioned"]),
        (&json!(1), &json!(1), &Value::Null)
    );
    let heron = search(&home, &["heron waits", "--tag", "water"]);
    assert_eq!((keys(&heron), by(&heron["hits"][0])), (vec!["1.jpg"], vec!["caption", "words"]));
    assert!(!keys(&search(&home, &["lighthouse"])).contains(&"sub/2.jpg"));
}

#[test]
fn captions_that_cannot_be_are_told_before_anything_begins() {
    let home = captioned();
    let wrong = |more: &[&str]| {
        let ran = index(&home, more);
        (ran.code, ran.json()["error"]["code"].as_str().unwrap_or_default().to_owned(), ran.err)
    };
    let (code, what, said) = wrong(&["--captions", "pics"]);
    assert!((code, what.as_str()) == (2, "path.special") && said.contains("is a folder"), "{said}");
    // Nothing is to be encoded, and all the same another encoder is not passed over.
    let (code, what, said) = wrong(&["--caption-encoder", TEXT_ENCODER]);
    assert_eq!((code, what.as_str()), (5, "collection.other_encoder"));
    assert!(said.contains("collections switch photos --captions"), "{said}");
    assert_eq!(index(&home, &["--caption-encoder", "ngram-hash"]).ok().json()["unchanged"], 4);
}

#[test]
fn a_table_in_the_folder_is_known_by_its_columns() {
    let home = Home::new();
    home.photos("pics", 2);
    let table =
        encoding_rs::GB18030.encode("照片,说明,日期\n0.jpg,雪山上的日出,2024年1月1日\n").0.into_owned();
    home.put("pics/说明.csv", &table);
    home.put("pics/prices.csv", b"file,size\n0.jpg,3\n");
    let report = index(&home, &["--encoder", PHOTO_ENCODER]).ok().json();
    assert_eq!(
        (&report["indexed"], &report["captioned"], &report["skipped"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let answer = search(&home, &["雪山日出"]);
    assert_eq!((keys(&answer)[0], &answer["hits"][0]["date"]), ("0.jpg", &json!("2024-01-01")));

    for (table, code) in [("file,size\n0.jpg,3\n", "table.missing_column"), ("", "table.empty")] {
        home.put("bad.csv", table.as_bytes());
        let ran = index(&home, &["--captions", "bad.csv"]);
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (2, &json!(code)));
    }
    let other = index(&home, &["--captions", "nowhere.csv"]);
    assert_eq!((other.code, &other.json()["error"]["code"]), (4, &json!("path.missing")));
}

#[test]
fn captions_over_http_and_in_the_page() {
    let app = TestApp::start();
    app.photos();
    let path = "/api/v1/collections/photos/items/duck.jpg";
    let jpeg = photo(1, ImageFormat::Jpeg);
    let put = |parts: &[Part]| app.put_form(path, parts);
    let told = [
        Part::File("photo", "x", &jpeg),
        Part::Field("caption", "A <b>duck</b> & \"friends\""),
        Part::Field("tags", "<i>water</i>"),
        Part::Field("date", "2024-05-12 18:30"),
    ];
    assert_eq!(put(&told).json()["outcome"], "indexed");
    assert_eq!(put(&told).json()["outcome"], "unchanged");
    assert_eq!(put(&told[..1]).json()["outcome"], "unchanged", "what is not told stays");
    let item = app.get(path).json();
    assert_eq!(
        (&item["caption"], &item["date"]),
        (&json!("A <b>duck</b> & \"friends\""), &json!("2024-05-12T18:30:00"))
    );
    let bad = put(&[Part::File("photo", "x", &jpeg), Part::Field("date", "soon")]).json();
    assert_eq!((&bad["code"], &bad["field"]), (&json!("date.unreadable"), &json!("date")));

    // An upload brings its table before its photos.
    let table = "photo,caption,date\npond.jpg,A still pond in the woods,2022\nnone.jpg,x,\n";
    let other = photo(2, ImageFormat::Jpeg);
    let files = [
        Part::File("files", "set/captions.csv", table.as_bytes()),
        Part::File("files", "set/pond.jpg", &other),
    ];
    let report = app.form("/api/v1/collections/photos/uploads", &files).json();
    assert_eq!(
        (&report["indexed"], &report["captioned"], &report["skipped"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(report["rejected"][0]["code"], "caption.no_photo");

    let find = |body: Value| app.post("/api/v1/collections/photos/search", &body).json();
    let found = find(json!({"text": "a pond in the woods"}));
    assert_eq!((keys(&found)[0], &found["hits"][0]["matched"][0]["by"]), ("pond.jpg", &json!("caption")));
    let both = app.form(
        "/api/v1/collections/photos/search",
        &[
            Part::File("photo", "x", &jpeg),
            Part::Field("text", "duck friends"),
            Part::Field("date_from", "2024"),
        ],
    );
    assert_eq!(
        (keys(&both.json()), by(&both.json()["hits"][0])),
        (vec!["duck.jpg"], vec!["picture", "caption", "words"])
    );

    let page = app.get("/?c=photos&q=duck+friends").text();
    assert!(page.contains("by its caption") && page.contains("A &#60;b&#62;duck&#60;/b&#62;"), "{page}");
    let page = app.get("/?c=photos&q=duck+friends&item=pond.jpg").text();
    assert!(page.contains("by its picture and its caption"), "{page}");
    let filtered = app.get("/?c=photos&q=pond&until=2023").text();
    assert!(filtered.contains("pond.jpg") && !filtered.contains("duck.jpg"), "{filtered}");
    assert_eq!(app.get("/?c=photos&q=pond&until=soon").status, 400);
    let item = app.get("/c/photos/item/duck.jpg").text();
    assert!(item.contains("A &#60;b&#62;duck&#60;/b&#62;") && item.contains("2024-05-12 18:30:00"), "{item}");
    assert!(!item.contains("<b>duck") && !item.contains("<i>water"));
    assert_eq!(
        put(&[Part::File("photo", "x", &jpeg), Part::Field("caption", "")]).json()["outcome"],
        "replaced"
    );
    assert_eq!(app.get(path).json()["caption"], Value::Null);
}

#[test]
fn captions_are_switched_to_another_encoder_and_back() {
    let home = captioned();
    let switch = |more: &[&str]| {
        let mut args = vec!["collections", "switch", "photos", "--json"];
        args.extend(more);
        home.run(args)
    };
    let record = || home.run(["collections", "--json"]).ok().json()[0].clone();
    let before = record();
    let told = switch(&["--captions", TEXT_ENCODER]).ok().json();
    assert_eq!(
        (&told["swapped"], &told["encoded"], &told["encoder"]),
        (&json!(true), &json!(3), &json!(TEXT_ENCODER))
    );
    let now = record();
    assert_eq!((&now["caption_encoder"], &now["captions"]), (&json!(TEXT_ENCODER), &json!(3)));
    assert_eq!(
        (&now["encoder"], &now["vectors"]),
        (&before["encoder"], &before["vectors"]),
        "the pictures' stays"
    );
    let words = search(&home, &["Two ducks, on a pond"]);
    assert_eq!(
        (&words["hits"][0]["key"], &words["caption_encoder"]),
        (&json!("1.jpg"), &json!(TEXT_ENCODER))
    );
    assert!(by(&words["hits"][0]).contains(&"caption"));
    // What comes now is encoded with it; the same again changes nothing.
    home.put("more.csv", b"photo,caption\n3.jpg,A quiet street\n");
    assert_eq!(index(&home, &["--captions", "more.csv"]).ok().json()["captioned"], 1);
    assert_eq!(record()["captions"], 4);
    assert_eq!(switch(&["--captions", "ngram-hash"]).ok().json()["encoded"], 4);
    assert_eq!(record()["caption_encoder"], "ngram-hash");
    for (args, code) in [
        (vec!["--captions", "ngram-hash"], "switch.same"),
        (vec!["--captions", PHOTO_ENCODER], "encoder.modality"),
        (vec!["--captions", "--cancel"], "switch.none"),
        (vec!["--captions", "nothing"], "encoder.unknown"),
    ] {
        let ran = switch(&args);
        assert_eq!(ran.json()["error"]["code"], code, "{args:?}: {ran:?}");
    }
    assert_eq!(home.run(["doctor", "--deep", "--json"]).json()[0]["ok"], true);

    // Beside a server, over its API.
    let server = super::handover::Server::start(&home, &[]);
    assert_eq!(switch(&["--captions", TEXT_ENCODER]).ok().json()["swapped"], true);
    let (status, standing) = server.send("GET", "/collections/photos/switch", "");
    assert_eq!((status, &standing["caption_switching"]), (200, &Value::Null));
    let (status, gone) = server.send("DELETE", "/collections/photos/switch?captions=true", "");
    assert_eq!((status, &gone["cancelled"]), (200, &json!(false)));
    assert_eq!(server.send("POST", "/collections/photos/switch", r#"{"captions": "yes"}"#).0, 400);
}
