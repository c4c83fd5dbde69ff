//! `/collections`, `/index` and `/switch`: a folder in place, another encoder.

use image::ImageFormat;
use serde_json::{Value, json};

use super::{TestApp, encoded};
use crate::home::photo;

#[test]
fn a_folder_of_this_machine_is_indexed_in_place() {
    let app = TestApp::start();
    app.photos();
    let folder = app.folder.path().join("pictures");
    std::fs::create_dir(&folder).unwrap();
    for seed in 0..3 {
        std::fs::write(folder.join(format!("{seed}.png")), photo(seed, ImageFormat::Png)).unwrap();
    }
    std::fs::write(folder.join("broken.jpg"), b"no picture").unwrap();
    let path = folder.to_str().unwrap();
    let begun = app.post("/api/v1/collections/photos/index", &json!({"path": path}));
    assert_eq!(begun.status, 202, "{}", begun.text());
    let view = app.ended(begun.json()["job"].as_i64().unwrap());
    assert_eq!(
        (view["state"].as_str(), view["report"]["indexed"].as_u64()),
        (Some("done"), Some(3)),
        "{view}"
    );
    assert_eq!(view["report"]["rejected"][0]["path"], "broken.jpg");
    let missing = app.post("/api/v1/collections/photos/index", &json!({"path": "/nowhere/at/all"})).problem();
    assert_eq!((missing.0, missing.2.as_str()), (404, "path"));
    let form = format!("path={}", encoded("/nowhere/at/all"));
    let kind = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let page = app.send("POST", "/c/photos/index", &kind, form.as_bytes());
    assert_eq!(page.status, 404);
    assert!(page.text().contains("<details class=\"here\" open>"), "the form is shown again");
}

#[test]
fn a_collection_s_page_offers_another_encoder_and_the_api_switches() {
    let app = TestApp::start();
    let new = json!({"name": "faq", "kind": "faq", "encoder": "ngram-hash"});
    assert_eq!(app.post("/api/v1/collections", &new).status, 201);
    assert!(!app.get("/c/faq").text().contains("id=\"encoder\""), "nothing is in it yet");
    let put = |key: &str, question: &str| {
        let body = json!({"question": question, "answer": "yes"}).to_string();
        let path = format!("/api/v1/collections/faq/items/{key}");
        app.send("PUT", &path, &[("content-type", "application/json")], body.as_bytes()).status
    };
    assert_eq!((put("a", "红色的卡车在哪里"), put("b", "怎么退款")), (201, 201));
    const SWITCH: &str = "/api/v1/collections/faq/switch";
    let standing = app.get(SWITCH).json();
    let better =
        json!([{"why": "better", "encoder": "bge-base-zh-v1.5", "fetch": true, "bytes": 409_600_000}]);
    assert_eq!(
        (&standing["switching"], &standing["offers"]),
        (&Value::Null, &better),
        "one that reads Chinese"
    );
    let page = app.get("/c/faq").text();
    for words in
        ["A starter encoder that came with simile", "about 410 MB", "Fetch it and switch", "<option>bert<"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(app.get("/?c=faq&q=%E9%80%80%E6%AC%BE").text().contains("Get a better one"));
    assert!(app.get("/about").text().contains("A starter encoder that came with simile"));
    let chinese = app.send("GET", "/c/faq", &[("accept-language", "zh")], b"").text();
    assert!(chinese.contains("获取并切换") && chinese.contains("入门编码器"), "{chinese}");

    // Without a hub it fails with words, and nothing has changed.
    let job = app.post(SWITCH, &json!({"encoder": "bge-base-zh-v1.5"})).json()["job"].as_i64().unwrap();
    let view = app.ended(job);
    assert_eq!(
        (view["state"].as_str(), view["error"]["code"].as_str()),
        (Some("failed"), Some("hub.offline"))
    );
    assert_eq!(app.get("/api/v1/collections/faq").json()["encoder"], "ngram-hash");

    let begun = app.post(SWITCH, &json!({"encoder": "bert"}));
    assert_eq!(begun.status, 202);
    let view = app.ended(begun.json()["job"].as_i64().unwrap());
    assert_eq!(
        (view["kind"].as_str(), view["report"]["swapped"].as_bool()),
        (Some("switch"), Some(true)),
        "{view}"
    );
    assert_eq!(view["progress"]["done"], 2);
    assert_eq!(app.get("/api/v1/collections/faq").json()["encoder"], "bert");
    let ask = json!({"text": "红色的卡车在哪里", "k": 1});
    assert_eq!(app.post("/api/v1/collections/faq/ask", &ask).json()["hits"][0]["key"], "a");
    assert!(!app.get("/?c=faq&q=x").text().contains("Get a better one"));

    assert_eq!(app.send("DELETE", SWITCH, &[], b"").json()["cancelled"], false);
    assert_eq!(app.post(SWITCH, &json!({"encodr": "x"})).problem().0, 400);
    assert_eq!(app.get("/api/v1/collections/none/switch").problem().0, 404);
    assert_eq!(app.send("POST", "/c/faq/switch", &[("origin", "http://evil.example")], b"").status, 403);
}
