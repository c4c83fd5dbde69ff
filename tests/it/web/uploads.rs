//! `/uploads`: folders file by file, roots, prefixes, tables.

use std::io::{Read, Write};
use std::net::TcpStream;

use image::ImageFormat;
use serde_json::{Value, json};

use super::{Part, TestApp, multipart, parse};
use crate::home::photo;

#[test]
fn a_folder_is_uploaded_file_by_file() {
    let app = TestApp::start();
    app.photos();
    let uploads = "/api/v1/collections/photos/uploads";
    let opened = app.post(uploads, &json!({"root": "trip", "files": 3}));
    assert_eq!(opened.status, 201);
    let job = opened.json()["job"].as_i64().unwrap().to_string();
    let add = |path: &str, bytes: &[u8]| {
        let parts = [Part::Field("job", &job), Part::Field("path", path), Part::File("file", "file", bytes)];
        app.form(uploads, &parts).json()
    };
    assert_eq!(add("trip/red/1.jpg", &photo(1, ImageFormat::Jpeg))["indexed"], 1);
    assert_eq!(add("trip/a%22b.png", &photo(2, ImageFormat::Png))["indexed"], 1);
    let bad = add("trip/cut.jpg", &photo(3, ImageFormat::Jpeg)[..200]);
    assert_eq!(bad["rejected"][0]["path"], "trip/cut.jpg");
    assert!(bad["rejected"][0]["code"].as_str().unwrap().starts_with("photo."), "{bad}");
    let reason = bad["rejected"][0]["reason"].as_str().unwrap();
    assert!(!reason.contains("cut.jpg"), "its name stands beside it: {reason}");
    let report = app.post(&format!("/api/v1/jobs/{job}/finish"), &Value::Null).json();
    assert_eq!((report["indexed"].as_u64(), report["rejected"].as_array().unwrap().len()), (Some(2), 1));
    let keys: Vec<Value> = app.get("/api/v1/collections/photos/items").json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["key"].clone())
        .collect();
    assert_eq!(keys, ["a\"b.png", "red/1.jpg"], "the folder's name is left out");
    let view = app.ended(job.parse().unwrap());
    assert_eq!((view["state"].as_str(), view["rejects"].as_u64()), (Some("done"), Some(1)));
    assert!(view["progress"]["seconds_left"].is_null(), "it has ended: {view}");
    let rejects = app.get(&format!("/api/v1/jobs/{job}/rejects")).json();
    assert_eq!(rejects["rejects"].as_array().unwrap().len(), 1);
    let events = app.get(&format!("/api/v1/jobs/{job}/events")).text();
    assert!(events.contains("event: job") && events.contains("event: end"), "{events}");
    assert!(app.get("/jobs").text().contains("cut.jpg"));
}

#[test]
fn another_source_may_not_take_a_name() {
    let app = TestApp::start();
    app.photos();
    let jpeg = photo(1, ImageFormat::Jpeg);
    let whole = |file: &str, more: &[Part]| {
        let parts: Vec<Part> = more
            .iter()
            .map(|p| match p {
                Part::Field(n, v) => Part::Field(n, v),
                Part::File(n, f, b) => Part::File(n, f, b),
            })
            .chain([Part::File("files", file, &jpeg)])
            .collect();
        app.form("/api/v1/collections/photos/uploads", &parts)
    };
    assert_eq!(whole("one/a.jpg", &[]).json()["indexed"], 1);
    assert_eq!(whole("one/a.jpg", &[]).json()["unchanged"], 1, "the same root again upserts");
    let refused = whole("two/a.jpg", &[]).problem();
    assert_eq!((refused.0, refused.1.as_str(), refused.2.as_str()), (409, "key.collides", "prefix"));
    assert_eq!(whole("two/a.jpg", &[Part::Field("prefix", "two")]).json()["indexed"], 1);
    let loose = whole("b.jpg", &[]).json();
    assert_eq!(loose["indexed"], 1);
    let info = app.get("/api/v1/collections/photos").json();
    let roots: Vec<&str> =
        info["roots"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert!(roots.contains(&"one") && roots.contains(&"uploads"), "{roots:?}");
    let page = app.form("/c/photos/upload", &[Part::File("folder", "three/a.jpg", &jpeg)]);
    assert_eq!(page.status, 409);
}

#[test]
fn an_upload_has_a_root_a_prefix_and_a_limit() {
    let app = TestApp::start();
    app.photos();
    let uploads = "/api/v1/collections/photos/uploads";
    let (a, b) = (photo(1, ImageFormat::Jpeg), photo(2, ImageFormat::Jpeg));
    let given = [
        Part::Field("root", "holiday"),
        Part::Field("prefix", "2024"),
        Part::File("files", "picked/sea/a.jpg", &a),
        Part::File("files", "picked/b.jpg", &b),
        Part::File("files", "picked/notes.txt", b"none"),
    ];
    let report = app.form(uploads, &given).json();
    assert_eq!((&report["indexed"], &report["skipped"]), (&json!(2), &json!(1)), "{report}");
    assert_eq!(app.form(uploads, &given).json()["unchanged"], 2, "the same root again upserts");
    let changed = [Part::Field("root", "holiday"), Part::File("files", "other/b.jpg", &a)];
    assert_eq!(app.form(uploads, &changed).json()["replaced"], 1, "and remembers its prefix");
    let keys = |app: &TestApp| -> Vec<String> {
        let listed = app.get("/api/v1/collections/photos/items").json();
        let items = listed["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&app), ["2024/b.jpg", "2024/sea/a.jpg"]);
    let roots = app.get("/api/v1/collections/photos").json()["roots"].clone();
    assert_eq!(roots.as_array().unwrap().len(), 1, "{roots}");
    assert_eq!((&roots[0]["name"], &roots[0]["prefix"]), (&json!("holiday"), &json!("2024")));
    for bad in ["/abs", "a/../b", ".."] {
        let parts = [Part::Field("prefix", bad), Part::File("files", "b.jpg", &a)];
        let problem = app.form(uploads, &parts).problem();
        assert_eq!((problem.0, problem.2.as_str()), (400, "prefix"), "{bad}");
    }
    for bad in ["../b.jpg", "a/../b.jpg", "/etc/b.jpg"] {
        let report = app.form(uploads, &[Part::File("files", bad, &a)]).json();
        assert_eq!(report["rejected"][0]["code"], "key.path", "{bad}: {report}");
    }
    let unknown = app.form(uploads, &[Part::Field("folder_name", "x"), Part::File("files", "b.jpg", &a)]);
    assert_eq!(unknown.problem().2, "folder_name");
    assert_eq!(app.form(uploads, &[Part::Field("root", "x")]).problem().0, 400);
    // 3 MiB where 2 are allowed: told by its head, and read without one.
    let large = vec![0; 3 << 20];
    let body = multipart(&[Part::File("files", "b.jpg", &large)]);
    let form = ("content-type", "multipart/form-data; boundary=XxX");
    assert_eq!(app.send("POST", uploads, &[form], &body).problem().0, 413);
    let mut chunked = format!("{:x}\r\n", body.len()).into_bytes();
    chunked.extend(&body);
    chunked.extend(b"\r\n0\r\n\r\n");
    let mut stream = TcpStream::connect(app.address).unwrap();
    let head = format!(
        "POST {uploads} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{}: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        app.address, form.0, form.1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&chunked);
    let mut raw = Vec::new();
    let _ = stream.read_to_end(&mut raw);
    assert_eq!(parse(&raw).problem().0, 413);
    // A photo within the upload's limit and over a photo's.
    let photo = vec![0xff; (1 << 20) + 1];
    let report = app.form(uploads, &[Part::File("files", "large.jpg", &photo)]).json();
    assert_eq!(report["rejected"][0]["code"], "photo.too_large", "{report}");
    assert_eq!(keys(&app), ["2024/b.jpg", "2024/sea/a.jpg"]);
}

#[test]
fn an_faq_is_uploaded_asked_and_changed() {
    let app = TestApp::start();
    let table = "id,question,answer,tags\nq1,How do I log in?,Use your e-mail address.,login\n\
                 q2,Where is my invoice?,Under billing.,money\n";
    let parts = [Part::Field("kind", "faq"), Part::File("files", "help.csv", table.as_bytes())];
    app.faq();
    let report = app.form("/api/v1/collections/faq/uploads", &parts).json();
    assert_eq!(report["indexed"], 2, "{report}");
    let ask = |body: Value| app.post("/api/v1/collections/faq/ask", &body);
    let answer = ask(json!({"text": "How do I log in?", "k": 1})).json();
    let hit = &answer["hits"][0];
    assert_eq!((hit["key"].as_str(), hit["answer"].as_str()), (Some("q1"), Some("Use your e-mail address.")));
    assert_eq!(hit["wording"], "How do I log in?");
    assert_eq!(ask(json!({"text": ""})).problem().2, "text");
    assert_eq!(ask(json!({"text": "a", "top": 1})).problem().2, "top");
    let entry = json!({"question": "May I pay by card?", "answer": "Yes.", "wordings": ["credit card"],
                       "tags": ["", " money ", "money"]});
    let put = app.send("PUT", "/api/v1/collections/faq/items/q3", &[], entry.to_string().as_bytes());
    assert_eq!(put.status, 201, "{}", put.text());
    assert_eq!(app.get("/api/v1/collections/faq/items/q3").json()["tags"], json!(["money"]));
    let answer = ask(json!({"text": "credit card", "k": 1})).json();
    assert_eq!(
        (answer["hits"][0]["key"].as_str(), answer["hits"][0]["wording"].as_str()),
        (Some("q3"), Some("credit card"))
    );
    let page = app.get("/?c=faq&q=credit+card").text();
    assert!(page.contains("<div class=\"text\" dir=\"auto\">Yes.</div>"), "{page}");
    let empty = json!({"question": " ", "answer": "x"});
    let put = app.send("PUT", "/api/v1/collections/faq/items/q4", &[], empty.to_string().as_bytes());
    assert_eq!(put.problem().2, "question");
    let photo = photo(1, ImageFormat::Jpeg);
    let wrong = app.form("/api/v1/collections/faq/search", &[Part::File("photo", "x", &photo)]).problem();
    assert_eq!((wrong.0, wrong.2.as_str()), (400, "photo"));
}

#[test]
fn many_may_be_the_first_to_put_into_a_collection() {
    let app = TestApp::start();
    for round in 0..4 {
        let at_once = std::sync::Barrier::new(8);
        let put = |n: u32| {
            let entry = json!({"question": format!("question {n}"), "answer": "yes"});
            at_once.wait();
            let path = format!("/api/v1/collections/new{round}/items/{n}");
            app.send("PUT", &path, &[], entry.to_string().as_bytes()).status
        };
        let put = &put;
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|n| scope.spawn(move || put(n))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(statuses, [201; 8], "round {round}");
        assert_eq!(app.get(&format!("/api/v1/collections/new{round}")).json()["items"], 8);
    }
}
