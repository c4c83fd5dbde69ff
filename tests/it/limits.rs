//! What is too slow, too many or too large: refused early, and the server answers others meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use image::ImageFormat;
use serde_json::{Value, json};
use simile::config::Limits;
use simile::web::{Door, Pace};

use crate::home::photo;
use crate::web::{Part, TestApp};

const SOON: Duration = Duration::from_secs(20);

fn connect(app: &TestApp) -> TcpStream {
    let stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// All that comes until the connection ends; panics if it does not.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("it stays open"),
        _ => String::from_utf8_lossy(&all).into_owned(),
    }
}

fn head(app: &TestApp, method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", app.address)
}

#[test]
fn who_sends_slowly_is_given_up() {
    let pace = Pace {
        head: Duration::from_millis(300),
        silence: Duration::from_millis(300),
        bytes_per_second: 10_000,
        ..Pace::default()
    };
    let app = TestApp::behind(Door { pace, ..Door::default() });
    // A head that does not end, and a connection on which nothing is asked.
    let mut slow = connect(&app);
    slow.write_all(b"GET / HTTP/1.1\r\nhost: 127").unwrap();
    assert!(!rest(&mut slow).contains("200 OK"));
    rest(&mut connect(&app));
    // A body that stalls.
    let mut stalls = connect(&app);
    let post = head(&app, "POST", "/api/v1/collections", "content-length: 1000\r\n");
    stalls.write_all(post.as_bytes()).unwrap();
    stalls.write_all(b"{\"name\":").unwrap();
    let told = rest(&mut stalls);
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("request.slow"), "{told}");
    // A body that drips, each drop in time: it takes the same way, and a form too.
    for (path, kind) in [
        ("/api/v1/collections", "application/json"),
        ("/api/v1/collections/photos/uploads", "multipart/form-data; boundary=XxX"),
    ] {
        let mut drips = connect(&app);
        let more = format!("content-type: {kind}\r\ncontent-length: 100000\r\n");
        drips.write_all(head(&app, "POST", path, &more).as_bytes()).unwrap();
        let begin = Instant::now();
        while drips.write_all(b"-").is_ok() && begin.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(20));
            drips.set_nonblocking(true).unwrap();
            let answered = drips.peek(&mut [0]).is_ok();
            drips.set_nonblocking(false).unwrap();
            if answered {
                break;
            }
        }
        let told = rest(&mut drips);
        assert!(told.starts_with("HTTP/1.1 408"), "{path}: {told}");
    }
    assert_eq!(app.get("/healthz").status, 200);
}

#[test]
fn who_reads_nothing_is_given_up() {
    let pace = Pace { stall: Duration::from_millis(500), ..Pace::default() };
    let app = TestApp::behind(Door { pace, ..Door::default() });
    let page = app.get("/").text();
    let style = page.split('"').find(|s| s.ends_with("style.css")).unwrap();
    let size = app.get(style).body.len();
    // Much more than two sockets hold, asked for in one go and not read.
    let count = (64 << 20) / size;
    let mut stream = connect(&app);
    let ask = head(&app, "GET", style, "").repeat(count);
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    // The server reads on only as fast as it can answer; what it does not take does not matter.
    let _ = stream.write_all(ask.as_bytes());
    assert_eq!(app.get("/healthz").status, 200);
    let begin = Instant::now();
    loop {
        // A closed connection refuses to be written to.
        if stream.write_all(b"GET / HTTP/1.1\r\n\r\n").is_err_and(|e| e.kind() != ErrorKind::WouldBlock) {
            break;
        }
        assert!(begin.elapsed() < SOON, "it is still held");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    assert!(got.len() < count * size, "not all was sent into the void");
}

#[test]
fn an_upload_that_nobody_goes_on_with_ends_by_itself() {
    let pace = Pace { upload: Duration::from_millis(400), ..Pace::default() };
    let app = TestApp::behind(Door { pace, ..Door::default() });
    app.photos();
    let uploads = "/api/v1/collections/photos/uploads";
    let job = app.post(uploads, &json!({"root": "trip", "files": 2})).json()["job"].as_i64().unwrap();
    let number = job.to_string();
    let jpeg = photo(1, ImageFormat::Jpeg);
    let parts = [Part::Field("job", &number), Part::File("files", "trip/1.jpg", &jpeg)];
    assert_eq!(app.form(uploads, &parts).json()["indexed"], 1);
    let ended = app.ended(job);
    assert_eq!((&ended["state"], &ended["report"]["indexed"]), (&json!("done"), &json!(1)), "{ended}");
    let finish = app.post(&format!("/api/v1/jobs/{job}/finish"), &Value::Null).problem();
    assert_eq!(finish.1, "upload.unknown");
}

#[test]
fn a_thousand_connections_keep_nobody_out() {
    rlimit::increase_nofile_limit(8192).unwrap();
    let pace = Pace { head: Duration::from_secs(4), ..Pace::default() };
    let app = TestApp::behind(Door { pace, ..Door::default() });
    let mut held: Vec<TcpStream> = (0..1000).map(|_| connect(&app)).collect();
    for (i, stream) in held.iter_mut().enumerate() {
        // Some say nothing, some begin, some have asked and stay.
        match i % 3 {
            0 => {}
            1 => stream.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap(),
            _ => stream.write_all(head(&app, "GET", "/healthz", "").as_bytes()).unwrap(),
        }
    }
    let begin = Instant::now();
    assert_eq!(app.get("/collections").status, 200);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // They end by themselves, and nothing of them is left.
    for stream in &mut held {
        rest(stream);
    }
    assert_eq!(app.get("/collections").status, 200);
}

#[test]
fn what_the_disk_does_not_hold_is_refused_before_it_is_sent() {
    let limits = Limits { free_bytes: u64::MAX / 2, ..Limits::default() };
    let app = TestApp::with(Door::default(), limits);
    app.photos();
    for (method, path) in [
        ("POST", "/api/v1/collections/photos/uploads"),
        ("POST", "/c/photos/upload"),
        ("PUT", "/api/v1/collections/photos/items/a.jpg"),
    ] {
        let mut stream = connect(&app);
        let more = "connection: close\r\ncontent-type: multipart/form-data; boundary=XxX\r\ncontent-length: 9000\r\n";
        stream.write_all(head(&app, method, path, more).as_bytes()).unwrap();
        let told = rest(&mut stream);
        assert!(told.starts_with("HTTP/1.1 507") && told.contains("disk.full"), "{path}: {told}");
    }
    // Looking and searching go on.
    assert_eq!(app.get("/collections").status, 200);
    let search = "/api/v1/collections/photos/search";
    assert_eq!(app.form(search, &[Part::File("photo", "x.jpg", &photo(1, ImageFormat::Jpeg))]).status, 200);

    let app = TestApp::with(Door::default(), Limits { data_bytes: Some(1 << 20), ..Limits::default() });
    app.photos();
    let mut last = Value::Null;
    for seed in 0..200 {
        let reply = app.put_photo(&format!("{seed}.jpg"), seed);
        if reply.status == 507 {
            last = reply.json();
            break;
        }
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    assert_eq!(last["code"], "disk.quota");
}

#[test]
fn counts_have_bounds() {
    let app = TestApp::start();
    app.photos();
    let uploads = "/api/v1/collections/photos/uploads";
    let told = app.post(uploads, &json!({"files": 5_000_000})).problem();
    assert_eq!((told.0, told.2.as_str()), (413, "files"));
    let opened = (0..100).map(|i| app.post(uploads, &json!({"root": format!("r{i}")})));
    let refused = opened.into_iter().find(|reply| reply.status != 201).expect("there is an end");
    assert_eq!(refused.problem().1, "upload.too_many");
    let fields: Vec<Part> = (0..10_001).map(|_| Part::Field("tags", "x")).collect();
    let told = app.form("/api/v1/collections/photos/search", &fields).problem();
    assert_eq!((told.0, told.1.as_str()), (413, "request.too_many"));
}
