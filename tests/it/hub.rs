//! A small hub on loopback that speaks `resolve` addresses as huggingface.co does, and breaks off when told to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// What the server does wrong, by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Sends so many bytes of the body, then closes; once.
    CutOnce(usize),
    /// The same, each time.
    Short(usize),
    /// Sends so many bytes of the body, then nothing.
    Stall(usize),
    /// Accepts, and never answers.
    Silent,
    /// Sends the body in pieces of so many bytes, slowly.
    Drip(usize),
    /// Sends so many bytes as if they were the whole file.
    Resize(usize),
    /// Another byte than the hash says.
    Flip,
    Status(u16),
}

#[derive(Default)]
struct Inner {
    /// `repo/resolve/main/file` → bytes
    files: HashMap<String, Vec<u8>>,
    faults: Mutex<HashMap<String, Fault>>,
    log: Mutex<Vec<String>>,
    stop: AtomicBool,
}

pub struct HubServer {
    pub url: String,
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl HubServer {
    /// Serves every file of `folder` as those of `repo`.
    pub fn start(repo: &str, folder: &Path) -> Self {
        let mut files = HashMap::new();
        for entry in walkdir::WalkDir::new(folder).into_iter().flatten().filter(|e| e.file_type().is_file()) {
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            files.insert(format!("/{repo}/resolve/main/{name}"), std::fs::read(entry.path()).unwrap());
        }
        let inner = Arc::new(Inner { files, ..Inner::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&inner);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { url, inner, thread: Some(thread) }
    }

    pub fn fault(&self, file: &str, fault: Fault) {
        self.inner.faults.lock().unwrap().insert(file.to_owned(), fault);
    }

    pub fn heal(&self) {
        self.inner.faults.lock().unwrap().clear();
    }

    /// Request lines with their range, in order; asking empties the log.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.log.lock().unwrap())
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(mut stream: &TcpStream, inner: &Inner) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())))
        .collect();
    let range = headers.get("range").cloned().unwrap_or_default();
    let token = if headers.contains_key("authorization") { " with token" } else { "" };
    inner.log.lock().unwrap().push(format!("{path} {range}").trim().to_owned() + token);

    let file = path.rsplit('/').next().unwrap_or_default().to_owned();
    let fault = inner.faults.lock().unwrap().get(&file).copied();
    let mut send = |text: String| stream.write_all(text.as_bytes());
    let Some(body) = inner.files.get(path.trim_start_matches("/cdn")) else {
        let _ =
            send("HTTP/1.1 404 Not Found\r\nx-error-code: EntryNotFound\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into());
        return;
    };
    match fault {
        Some(Fault::Silent) => return std::thread::sleep(Duration::from_secs(8)),
        Some(Fault::Status(status)) => {
            let _ = send(format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
            return;
        }
        _ => {}
    }
    let hash: String = Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect();
    if file.ends_with(".safetensors") && !path.starts_with("/cdn") {
        // Large files lie elsewhere; what is known of them comes with the redirect.
        let _ = send(format!(
            "HTTP/1.1 302 Found\r\nlocation: /cdn{path}\r\nx-repo-commit: {COMMIT}\r\nx-linked-etag: \"{hash}\"\r\nx-linked-size: {}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n",
            body.len()
        ));
        return;
    }
    let mut bytes = body.clone();
    if fault == Some(Fault::Flip) {
        *bytes.last_mut().unwrap() ^= 1;
    }
    if let Some(Fault::Resize(n)) = fault {
        bytes.resize(n, 0);
    }
    let from = range.strip_prefix("bytes=").and_then(|r| r.trim_end_matches('-').parse::<usize>().ok());
    let from = from.filter(|_| headers.get("if-range").is_some_and(|tag| tag.trim_matches('"') == hash));
    if from.is_some_and(|from| from > bytes.len()) {
        let _ = send(
            "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
        );
        return;
    }
    let (status, from) = from.map_or(("200 OK", 0), |from| ("206 Partial Content", from));
    let rest = &bytes[from..];
    let mut head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"{hash}\"\r\nx-repo-commit: {COMMIT}\r\nconnection: close\r\n",
        rest.len()
    );
    if status.starts_with("206") {
        head += &format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
    }
    let _ = stream.write_all((head + "\r\n").as_bytes());
    match fault {
        Some(Fault::CutOnce(n)) => {
            inner.faults.lock().unwrap().remove(&file);
            let _ = stream.write_all(&rest[..n]);
        }
        Some(Fault::Short(n)) => drop(stream.write_all(&rest[..n.min(rest.len())])),
        Some(Fault::Drip(n)) => {
            for piece in rest.chunks(n) {
                if stream.write_all(piece).and_then(|()| stream.flush()).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Some(Fault::Stall(n)) => {
            let _ = stream.write_all(&rest[..n.min(rest.len())]);
            let _ = stream.flush();
            std::thread::sleep(Duration::from_secs(8));
        }
        _ => drop(stream.write_all(rest)),
    }
}
