//! The web app and the API through a real server on a free port: the contract, the guard, odd names, both languages.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use image::ImageFormat;
use serde_json::{Value, json};
use simile::config::{Compute, Config, HubSettings, Limits, ServeSettings};
use simile::library::Library;
use simile::store::Access;
use simile::web::Door;
use tokio::sync::oneshot;

use crate::home::{PHOTO_ENCODER, TEXT_ENCODER, models, photo};

/// A server over an empty data folder.
pub struct TestApp {
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer, read whole.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text()))
    }
    /// Status, code and field of a problem document.
    pub fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        assert!(!text("detail").is_empty() && !text("title").is_empty() && !text("type").is_empty());
        (self.status, text("code"), text("field"))
    }
}

impl TestApp {
    pub fn start() -> Self {
        Self::behind(Door::default())
    }

    pub fn behind(door: Door) -> Self {
        Self::with(
            door,
            Limits { upload_bytes: 2 << 20, photo_bytes: 1 << 20, free_bytes: 1 << 20, ..Limits::default() },
        )
    }

    pub fn with(door: Door, limits: Limits) -> Self {
        Self::asking(HubSettings { offline: true, ..HubSettings::default() }, door, limits)
    }

    /// One that may ask a hub.
    pub fn asking(hub: HubSettings, door: Door, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            // The second is empty; a test may put encoders there while the server runs.
            models: vec![models(), folder.path().join("encoders")],
            own_models: Vec::new(),
            hub,
            limits,
            serve: ServeSettings::default(),
            threads: Some(1),
            compute: Compute::default(),
        };
        std::fs::create_dir(folder.path().join("encoders")).unwrap();
        let library = Library::open(config, Access::Write).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || serve(door, library, listener, stopped));
        Self { address, folder, stop: Some(stop), thread: Some(thread) }
    }

    /// Sends a request as it is given; the connection is closed behind it.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // A refusal may come, and the connection go, before all is sent.
        let _ = stream.write_all(body);
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw);
        parse(&raw)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }
    pub fn form(&self, path: &str, parts: &[Part]) -> Reply {
        let body = multipart(parts);
        self.send("POST", path, &[("content-type", "multipart/form-data; boundary=XxX")], &body)
    }

    pub fn put_form(&self, path: &str, parts: &[Part]) -> Reply {
        let body = multipart(parts);
        self.send("PUT", path, &[("content-type", "multipart/form-data; boundary=XxX")], &body)
    }

    pub fn photos(&self) -> &Self {
        let new = json!({"name": "photos", "kind": "photos", "encoder": PHOTO_ENCODER});
        let made = self.post("/api/v1/collections", &new);
        assert_eq!(made.status, 201, "{}", made.text());
        self
    }

    pub fn faq(&self) -> &Self {
        let new = json!({"name": "faq", "kind": "faq", "encoder": TEXT_ENCODER});
        assert_eq!(self.post("/api/v1/collections", &new).status, 201);
        self
    }

    pub fn put_photo(&self, key: &str, seed: u32) -> Reply {
        let path = format!("/api/v1/collections/photos/items/{}", encoded(key));
        self.send("PUT", &path, &[("content-type", "image/jpeg")], &photo(seed, ImageFormat::Jpeg))
    }

    /// A job's view once it has ended.
    pub fn ended(&self, job: i64) -> Value {
        let begin = Instant::now();
        loop {
            let view = self.get(&format!("/api/v1/jobs/{job}")).json();
            if !["queued", "running"].contains(&view["state"].as_str().unwrap()) {
                return view;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{view}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(door: Door, library: Arc<Library>, listener: std::net::TcpListener, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let shutdown = async {
            let _ = stopped.await;
        };
        simile::web::serve_behind(door, library, listener, shutdown).await.unwrap();
    });
}

/// A form's field, or a file of it.
pub enum Part<'a> {
    Field(&'a str, &'a str),
    File(&'a str, &'a str, &'a [u8]),
}

pub fn multipart(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        match part {
            Part::Field(name, value) => body.extend_from_slice(
                format!("--XxX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .as_bytes(),
            ),
            Part::File(name, file, bytes) => {
                let head = format!(
                    "--XxX\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
                     content-type: application/octet-stream\r\n\r\n"
                );
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(bytes);
                body.extend_from_slice(b"\r\n");
            }
        }
    }
    body.extend_from_slice(b"--XxX--\r\n");
    body
}

fn parse(raw: &[u8]) -> Reply {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = raw[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = dechunk(&body);
    }
    Reply { status, headers, body }
}

fn dechunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 4 + size..];
        if size == 0 {
            break;
        }
    }
    body
}

pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

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
fn odd_vectors_and_fields_are_told() {
    let app = TestApp::start();
    app.photos().put_photo("a.jpg", 1);
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
    let entry = json!({"question": "May I pay by card?", "answer": "Yes.", "wordings": ["credit card"]});
    let put = app.send("PUT", "/api/v1/collections/faq/items/q3", &[], entry.to_string().as_bytes());
    assert_eq!(put.status, 201, "{}", put.text());
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
