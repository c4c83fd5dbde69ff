//! What stands around the routes: who is let in, whether it is ready, `/embed` and `/models`.

use image::ImageFormat;
use serde_json::json;

use super::{Part, TestApp};
use crate::home::{PHOTO_ENCODER, TEXT_ENCODER, photo};

#[test]
fn strangers_are_refused() {
    let app = TestApp::start();
    let own = format!("http://{}", app.address);
    let post = |headers: &[(&str, &str)]| app.send("POST", "/api/v1/collections", headers, b"{}").status;
    assert_eq!(post(&[]), 400, "a program is let in and told what its body lacks");
    assert_eq!(post(&[("origin", &own), ("cookie", "lang=en")]), 400);
    assert_eq!(post(&[("origin", "http://evil.example")]), 403);
    assert_eq!(post(&[("cookie", "lang=en")]), 403);
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(app.send("GET", "/", &[("host", "evil.example")], b"").problem().0, 421);
    let page = app.get("/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let large = app.send("POST", "/", &[("content-length", "99999999")], b"").problem();
    assert_eq!((large.0, large.1.as_str()), (413, "request.too_large"));
}

#[test]
fn ready_means_that_it_encodes_and_finds() {
    let app = TestApp::start();
    assert_eq!(app.get("/healthz").status, 200);
    let empty = app.get("/readyz");
    assert_eq!((empty.status, empty.json()["ready"].as_bool()), (503, Some(false)));
    app.photos().put_photo("a.jpg", 1);
    let ready = app.get("/readyz");
    assert_eq!(ready.status, 200, "{}", ready.text());
}

#[test]
fn texts_and_photos_are_embedded() {
    let app = TestApp::start();
    let made =
        app.post("/api/v1/embed", &json!({"encoder": TEXT_ENCODER, "texts": ["hello", "world"]})).json();
    assert_eq!(made[1]["input"], "world");
    assert_eq!(made[0]["vector"].as_array().unwrap().len() as u64, made[0]["dim"].as_u64().unwrap());
    let jpeg = photo(1, ImageFormat::Jpeg);
    let parts = [Part::Field("encoder", PHOTO_ENCODER), Part::File("photo", "x.jpg", &jpeg)];
    assert_eq!(app.form("/api/v1/embed", &parts).json()[0]["truncated"], false);
    let wrong = app.post("/api/v1/embed", &json!({"encoder": PHOTO_ENCODER, "texts": ["x"]})).problem();
    assert_eq!(wrong.0, 400);
    let unknown = app.post("/api/v1/embed", &json!({"encoder": "nothing", "texts": ["x"]})).problem();
    assert_eq!(unknown.0, 404);
    assert!(!app.get("/api/v1/models").json().as_array().unwrap().is_empty());
}
