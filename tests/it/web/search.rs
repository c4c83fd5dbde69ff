//! `/search` of photos: what finds what, and what cannot be asked.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use image::ImageFormat;
use serde_json::{Value, json};

use super::{Part, TestApp, multipart};
use crate::home::photo;

const SEARCH: &str = "/api/v1/collections/photos/search";

#[test]
fn a_photo_finds_itself_first() {
    let app = TestApp::start();
    app.photos();
    for seed in 0..6 {
        assert_eq!(app.put_photo(&format!("set/{seed}.jpg"), seed).status, 201);
    }
    assert_eq!(app.put_photo("set/3.jpg", 3).json()["outcome"], "unchanged");
    let jpeg = photo(3, ImageFormat::Jpeg);
    let found = app.form(SEARCH, &[Part::File("photo", "x.jpg", &jpeg), Part::Field("k", "3")]).json();
    assert_eq!(found["hits"].as_array().unwrap().len(), 3);
    assert_eq!(found["hits"][0]["key"], "set/3.jpg");
    assert_eq!(found["hits"][0]["rank"], 1);
    assert!(found["hits"][0]["score"].as_f64().unwrap() > 0.999, "{found}");
    for timing in ["decode", "encode", "search", "load"] {
        assert!(found["timings_ms"][timing].is_number(), "{found}");
    }
    let more = app.post(SEARCH, &json!({"item": "set/3.jpg", "k": 100})).json();
    assert_eq!(more["hits"].as_array().unwrap().len(), 5, "itself is left out");
    let none = app.post(SEARCH, &json!({"item": "set/3.jpg", "filter": {"path_prefix": "other/"}})).json();
    assert_eq!(none["hits"], json!([]));
    let second = app.post(SEARCH, &json!({"item": "set/3.jpg", "offset": 1, "k": 1})).json();
    assert_eq!(second["hits"][0], more["hits"][1]);
    let filter = r#"{"tags": [], "path_prefix": "set/"}"#;
    let same = app.form(SEARCH, &[Part::File("photo", "x", &jpeg), Part::Field("filter", filter)]).json();
    assert_eq!(same["hits"].as_array().unwrap().len(), 6);
}

#[test]
fn what_cannot_be_asked_is_told_with_code_and_field() {
    let app = TestApp::start();
    app.photos().put_photo("a.jpg", 1);
    let told = |body: Value| app.post(SEARCH, &body).problem();
    let p = |status: u16, code: &str, field: &str| (status, code.to_owned(), field.to_owned());
    assert_eq!(told(json!({})), p(400, "search.nothing_asked", "text"));
    assert_eq!(told(json!({"text": "a", "vector": [1.0]})), p(400, "search.too_many", "vector"));
    assert_eq!(told(json!({"item": "a.jpg", "kk": 1})), p(400, "request.unknown_field", "kk"));
    let deep = json!({"item": "a.jpg", "filter": {"tagz": []}});
    assert_eq!(told(deep), p(400, "filter.unknown_field", "filter.tagz"));
    assert_eq!(told(json!({"item": "a.jpg", "k": 0})).2, "k");
    assert_eq!(told(json!({"text": "a", "k": -1})), p(400, "request.field", "k"));
    assert_eq!(told(json!({"vector": [1.0, 2.0]})), p(400, "vector.dimension", "vector"));
    assert_eq!(told(json!({"vector": [1e39]})).2, "vector");
    assert_eq!(told(json!({"text": "  \n "})).2, "text");
    assert_eq!(told(json!({"item": "nowhere.jpg"})), p(404, "item.unknown", ""));
    let long = told(json!({"text": "a".repeat(1 << 20)}));
    assert!([400, 413].contains(&long.0) && long.2 == "text", "{long:?}");
    let no = app.post("/api/v1/collections/nothing/search", &json!({"text": "a"})).problem();
    assert_eq!((no.0, no.1.as_str()), (404, "collection.unknown"));
    for broken in ["", "{", "{\"vector\": [NaN]}", "[1] x"] {
        let reply = app.send("POST", SEARCH, &[("content-type", "application/json")], broken.as_bytes());
        assert_eq!(reply.problem().0, 400, "{broken}");
    }
    let form = |parts: &[Part]| app.form(SEARCH, parts).problem();
    assert_eq!(form(&[Part::Field("k", "many"), Part::Field("text", "a")]).2, "k");
    assert_eq!(form(&[Part::Field("filter", "{\"x\":1}")]), p(400, "filter.unknown_field", "filter.x"));
    assert_eq!(form(&[Part::Field("colour", "red")]), p(400, "request.unknown_field", "colour"));
    assert_eq!(form(&[Part::File("photo", "x.jpg", b"no picture")]).2, "photo");
    assert_eq!(app.get("/api/v1/nothing").problem().0, 404);
    assert_eq!(app.send("DELETE", SEARCH, &[], b"").problem().0, 405);
    assert_eq!(app.get("/api/v1/jobs/999").problem(), p(404, "job.unknown", ""));
}

#[test]
fn odd_vectors_and_fields_are_told() {
    let app = TestApp::start();
    app.photos().put_photo("a.jpg", 1);
    let detail = |path: &str| app.get(path).json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail("/api/v1/jobs/abc"), "Cannot parse `abc` as a number; correct the address");
    assert_eq!(detail("/api/v1/jobs?limit=x"), "limit: is no whole number; correct the address");
    let dim = app.get("/api/v1/collections/photos").json()["dim"].as_u64().unwrap() as usize;
    let told = |body: Value| app.post(SEARCH, &body).problem();
    let p = |status: u16, code: &str, field: &str| (status, code.to_owned(), field.to_owned());
    let with = |at: usize, value: f64| {
        let mut vector = vec![0.5; dim];
        vector[at] = value;
        json!({"vector": vector})
    };
    assert_eq!(told(json!({"vector": vec![0.0; dim]})), p(400, "vector.zero", "vector"));
    assert_eq!(told(with(3, 1e39)), p(400, "vector.not_finite", "vector"), "infinite as f32");
    assert_eq!(told(json!({"vector": vec![0.5; dim + 1]})), p(400, "vector.dimension", "vector"));
    assert_eq!(told(json!({"vector": []})).2, "vector");
    assert_eq!(told(json!({"vector": [null]})).2, "vector[0]");
    assert_eq!(app.post(SEARCH, &with(3, 0.5)).status, 200);
    for odd in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let body = format!("{{\"vector\": [{odd}]}}");
        let problem = app.send("POST", SEARCH, &[], body.as_bytes()).problem();
        assert_eq!((problem.0, problem.2.as_str()), (400, "vector[0]"), "{odd}");
    }
    assert_eq!(told(json!({"item": "a.jpg", "k": 0})), p(400, "query.k", "k"));
    assert_eq!(told(json!({"text": ""})), p(400, "query.empty", "text"));
    assert_eq!(told(json!({"text": "a", "k": 1.5})).2, "k");
    assert_eq!(told(json!({"text": "a", "offset": -1})).2, "offset");
    assert_eq!(told(json!({"text": "a", "min_score": "high"})).2, "min_score");
    assert_eq!(told(json!({"text": "a", "photo": "x"})), p(400, "request.unknown_field", "photo"));
    let deep = json!({"text": "a", "filter": {"path_prefix": "a/", "tags": [{"x": 1}]}});
    assert_eq!(told(deep).2, "filter.tags[0]");
    for (k, offset) in [(500, 0), (1, 10_000_000)] {
        let answer = app.post(SEARCH, &json!({"item": "a.jpg", "k": k, "offset": offset}));
        assert_eq!(answer.json()["hits"], json!([]), "{k} {offset}");
    }
    let form = |parts: &[Part]| app.form(SEARCH, parts).problem();
    let text = || Part::Field("text", "a");
    assert_eq!(form(&[text(), Part::Field("k", "0")]), p(400, "query.k", "k"));
    assert_eq!(form(&[text(), Part::Field("min_score", "NaN")]), p(400, "query.min_score", "min_score"));
    assert_eq!(form(&[text(), Part::Field("filter", "{\"tags\":1}")]).2, "filter.tags");
    assert_eq!(form(&[Part::Field("text", "")]).0, 400);
}

#[test]
fn a_photo_waits_while_as_many_are_received_as_may_be() {
    let app = TestApp::start();
    app.photos().put_photo("plain.jpg", 1);
    let body = multipart(&[Part::File("photo", "x.jpg", &photo(1, ImageFormat::Jpeg))]);
    let head = format!(
        "POST {SEARCH} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\ncontent-type: multipart/form-data; boundary=XxX\r\n\r\n",
        app.address,
        body.len()
    );
    let begin = || {
        let mut stream = TcpStream::connect(app.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let goes_on = |stream: &mut TcpStream| {
        let mut told = [0; 25];
        stream.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    };
    let mut received: Vec<_> = (0..16).map(|_| begin()).collect();
    received.iter_mut().for_each(goes_on);
    let mut next = begin();
    next.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let told = next.read(&mut [0; 25]).map_err(|e| e.kind());
    assert_eq!(told, Err(ErrorKind::WouldBlock), "neither asked to go on nor refused");
    next.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    for stream in &mut received {
        stream.write_all(&body).unwrap();
    }
    goes_on(&mut next);
    next.write_all(&body).unwrap();
    for mut stream in received.into_iter().chain([next]) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}
