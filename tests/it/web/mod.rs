//! The web app and the API through a real server on a free port: here the server and how it is asked; tests by route below.

mod around;
mod collections;
mod pages;
mod search;
mod uploads;

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
