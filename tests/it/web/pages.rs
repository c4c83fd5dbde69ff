//! The pages: both languages, odd names, a photo in the form.

use image::ImageFormat;
use serde_json::json;

use super::{Part, TestApp, encoded};
use crate::home::photo;

const SEARCH: &str = "/api/v1/collections/photos/search";

#[test]
fn odd_names_survive_url_page_and_json() {
    const ODD: &str = "a b/\"q'\n<script>alert(1)</script>&%41 照片 🚚.jpg";
    let app = TestApp::start();
    app.photos().put_photo("plain.jpg", 1);
    assert_eq!(app.put_photo(ODD, 2).status, 201);
    let listed = app.get("/api/v1/collections/photos/items").json();
    assert_eq!(listed["items"][0]["key"], ODD);
    let item = app.get(&format!("/api/v1/collections/photos/items/{}", encoded(ODD))).json();
    assert_eq!((item["key"].as_str().unwrap(), item["width"].as_u64()), (ODD, Some(96)));
    for page in [
        "/?c=photos&item=plain.jpg".to_owned(),
        format!("/?c=photos&item={}", encoded(ODD)),
        format!("/c/photos/item/{}", encoded(ODD)),
        "/c/photos".to_owned(),
        format!("/?c=photos&q={}", encoded("\"><script>alert(1)</script>")),
    ] {
        let reply = app.get(&page);
        assert_eq!(reply.status, 200, "{page}");
        let html = reply.text();
        assert!(!html.contains("<script>"), "{page}");
        for thumb in html.split("src=\"").skip(1).map(|s| s.split('"').next().unwrap()) {
            let path = thumb.replace("&amp;", "&").replace("&#38;", "&");
            let reply = app.get(&path);
            assert_eq!(reply.status, 200, "{path}");
        }
    }
    let thumb = format!("/c/photos/thumb/{}", encoded(ODD));
    let reply = app.get(&thumb);
    assert_eq!(reply.header("content-type"), "image/jpeg");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_ne!(reply.body, photo(2, ImageFormat::Jpeg), "re-encoded");
    let again = app.send("GET", &thumb, &[("if-none-match", reply.header("etag"))], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let gone = format!("/api/v1/collections/photos/items/{}", encoded(ODD));
    assert_eq!(app.send("DELETE", &gone, &[], b"").status, 204);
    assert_eq!(app.send("DELETE", &gone, &[], b"").problem().0, 404);
    let left = app.post(SEARCH, &json!({"item": "plain.jpg"})).json();
    assert_eq!(left["hits"], json!([]), "a deleted item is not found");
}

#[test]
fn a_photo_in_the_form_leads_to_a_url_that_can_be_shared() {
    let app = TestApp::start();
    app.photos();
    for seed in 0..4 {
        app.put_photo(&format!("{seed}.jpg"), seed);
    }
    let jpeg = photo(2, ImageFormat::Jpeg);
    let parts = [Part::Field("c", "photos"), Part::Field("q", ""), Part::File("photo", "x.jpg", &jpeg)];
    let sent = app.form("/", &parts);
    assert_eq!(sent.status, 303);
    let url = sent.header("location").to_owned();
    let id = blake3::hash(&jpeg).to_hex().to_string();
    assert_eq!(url, format!("/?c=photos&photo={id}"));
    let page = app.get(&url).text();
    let first = page.split("<li class=\"hit\">").nth(1).unwrap();
    assert!(first.contains("2.jpg") && first.contains(">1.00<"), "{first}");
    assert_eq!(app.get(&format!("/query/{id}")).header("content-type"), "image/jpeg");
    let gone = app.send("GET", &format!("/?c=photos&photo={}", "0".repeat(64)), &[], b"");
    assert_eq!(gone.status, 404);
    let text = app.form("/", &[Part::Field("c", "photos"), Part::Field("q", "2")]);
    assert_eq!(text.header("location"), "/?c=photos&q=2");
    assert!(app.get("/?c=photos&q=2").text().contains("ResNet"), "says that it reads no words");
    // An upload into one collection fills that one only.
    app.post("/api/v1/collections", &json!({"name": "other", "kind": "photos"}));
    let job = app.post("/api/v1/collections/other/uploads", &json!({"root": "r"})).json()["job"].to_string();
    assert!(app.get("/?c=other").text().contains("being filled"));
    app.post("/api/v1/collections", &json!({"name": "third", "kind": "photos"}));
    assert!(app.get("/?c=third").text().contains("This collection is empty."));
    let part = [Part::Field("job", &job), Part::File("files", "r/only.jpg", &jpeg)];
    app.form("/api/v1/collections/other/uploads", &part);
    for all in ["/?c=other&item=only.jpg", &format!("/?c=other&photo={id}&from=24")] {
        assert!(app.get(all).text().contains("There is nothing else in this collection."), "{all}");
    }
    app.post(&format!("/api/v1/jobs/{job}/finish"), &serde_json::Value::Null);
    // Where answers are asked for, a dropped photo knows where to go.
    app.faq();
    assert!(app.get("/?c=faq").text().contains("data-photos=\"other\""));
    // A list shows the beginning of what is very long, and where the rest is.
    let long = json!({"question": "Is it long?", "answer": "word ".repeat(100_000)}).to_string();
    assert_eq!(app.send("PUT", "/api/v1/collections/faq/items/long", &[], long.as_bytes()).status, 201);
    for list in ["/?c=faq&q=long", "/c/faq"] {
        let page = app.get(list).text();
        assert!(page.len() < 60_000 && page.contains("\"/c/faq/item/long\">All of it</a>"), "{list}");
    }
    assert!(app.get("/c/faq/item/long").text().len() > 400_000);
}

#[test]
fn every_page_speaks_both_languages_and_stays_light() {
    let app = TestApp::start();
    app.photos().put_photo("a.jpg", 1);
    let pages =
        ["/", "/?c=photos&item=a.jpg", "/collections", "/c/photos", "/c/faq?kind=faq", "/jobs", "/about"];
    for page in pages {
        for (lang, tag) in [("en", "<html lang=\"en\""), ("zh", "<html lang=\"zh-CN\"")] {
            let separator = if page.contains('?') { '&' } else { '?' };
            let reply = app.get(&format!("{page}{separator}lang={lang}&theme=dark"));
            assert_eq!(reply.status, 200, "{page}");
            let html = reply.text();
            assert!(html.contains(tag) && html.contains("data-theme=\"dark\""), "{page}");
            assert!(
                !html.contains("style=") && !html.contains("onclick"),
                "{page} has inline style or script"
            );
            assert!(!html.contains("://"), "{page} names another host");
            let cookies: Vec<&str> =
                reply.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v.as_str()).collect();
            assert!(cookies[0].starts_with(&format!("lang={lang};")), "{cookies:?}");
            let own = html.split(['"']).filter(|s| s.starts_with("/static/")).collect::<Vec<_>>();
            let total: usize = own.iter().map(|url| app.get(url).body.len()).sum();
            assert!(own.len() >= 3 && html.len() + total < 100_000, "{page}: {} bytes", html.len() + total);
        }
    }
    let accept = [("accept", "text/html"), ("accept-language", "zh-CN")];
    let missing = app.send("GET", "/c/nothing", &accept, b"");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("没有这个集合"), "{}", missing.text());
    assert!(app.send("GET", "/nowhere", &accept, b"").text().contains("没有找到"));
}

#[test]
fn what_is_wrong_is_said_in_the_reader_s_language() {
    let app = TestApp::start();
    app.photos();
    const CHINESE: [(&str, &str); 2] = [("accept", "text/html"), ("accept-language", "zh-CN")];
    let page = |path: &str| app.send("GET", path, &CHINESE, b"").text();
    let says = |text: String, said: &str| assert!(text.contains(said), "{said}: {text}");
    says(page("/c/nothing"), "nothing：没有这个集合；");
    says(page("/?c=photos&item=gone.jpg"), "gone.jpg：集合中没有这个条目；");
    says(page("/?c=photos&q=truck"), "<h1 class=\"sr\">搜索</h1>");
    says(page("/about"), "simile models verify seeded-resnet");
    says(page("/c/photos?after=%00"), "名称中含有 NUL 字符；");
    says(page("/collections?x=%FF&lang=zh"), "<html lang=\"zh-CN\"");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let form = |path: &str, body: &str| {
        app.send("POST", path, &[CHINESE[0], CHINESE[1], kind], body.as_bytes()).text()
    };
    says(form("/c/photos/index", "path=/nowhere/at/all"), "/nowhere/at/all：此路径下没有内容；");
    says(form("/collections", "name=photos&kind=photos"), "photos：已有同名集合；");
    says(form("/jobs/999/cancel", ""), "999：没有这个任务；");

    let folder = app.folder.path().join("pictures");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("broken.jpg"), b"no picture").unwrap();
    let begun = app.post("/api/v1/collections/photos/index", &json!({"path": folder})).json();
    let rejected = app.ended(begun["job"].as_i64().unwrap());
    let reason = rejected["report"]["rejected"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("not a picture"), "the API speaks English: {reason}");
    let pull = app.post("/api/v1/models/bge-base-zh-v1.5/pull", &json!({})).json();
    let failed = app.ended(pull["job"].as_i64().unwrap());
    assert_eq!(
        (&failed["error"]["code"], &failed["error"]["item"]),
        (&json!("hub.offline"), &json!("bge-base-zh-v1.5"))
    );
    let jobs = page("/jobs");
    says(jobs.clone(), "<span>这不是图片；");
    says(jobs, "bge-base-zh-v1.5：已设置 HF_HUB_OFFLINE，");
    // What the upload's script says.
    assert_eq!(app.get("/troubles").text(), "{}");
    says(page("/troubles"), "\"photo.truncated\":\"文件在图片结束之前就中断了；");
}
