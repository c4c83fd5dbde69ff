//! `simile models` as a person uses it: through a mirror, a proxy, from a folder, and away again.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::home::{FAQ, Home, Ran};
use crate::hub::HubServer;
use crate::web::TestApp;

fn bert() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert")
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A proxy that answers CONNECT, whatever the host, with a line to one server.
struct Proxy {
    url: String,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (to, count, end) = (to.trim_start_matches("http://").to_owned(), asked.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let to = to.clone();
                std::thread::spawn(move || connect(stream, &to));
            }
        });
        Self { url, asked, stop, thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn connect(client: TcpStream, to: &str) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if !line.starts_with("CONNECT ") {
        return (&client).write_all(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    while reader.read_line(&mut line)? > 2 {}
    let server = TcpStream::connect(to)?;
    (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut there, mut back) = (server.try_clone()?, client.try_clone()?);
    let up = std::thread::spawn(move || io::copy(&mut reader, &mut there));
    let _ = io::copy(&mut &server, &mut back);
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = up.join();
    Ok(())
}

/// A card in a root of the person's own, for `somebody/small` on the hub.
fn carded(home: &Home) -> PathBuf {
    let card = "name = \"small\"\ntitle = \"Small\"\nmodality = \"text\"\narchitecture = \"bert\"\ndim = 32\n\
                pooling = \"cls\"\nlanguages = [\"en\"]\n[[sources]]\nkind = \"hub\"\nrepo = \"somebody/small\"\n";
    home.put("encoders/small/card.toml", card.as_bytes());
    home.path("encoders")
}

#[test]
fn a_mirror_and_a_proxy_are_set_by_their_usual_variables() {
    let server = HubServer::start("somebody/small", &bert());
    let proxy = Proxy::start(&server.url);
    let home = Home::new();
    let encoders = carded(&home);
    let pull = |endpoint: &str, vars: &[(&str, &str)]| {
        let mut command = home.command();
        command.env("SIMILE_MODELS", &encoders).env("HF_ENDPOINT", endpoint).env_remove("HF_HUB_OFFLINE");
        command.envs(vars.iter().copied()).args(["models", "pull", "small", "--json"]);
        ran(&mut command)
    };
    let offline = pull(&server.url, &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!((offline.code, offline.json()["error"]["code"].as_str()), (6, Some("hub.offline")));
    assert_eq!(server.log(), Vec::<String>::new());

    // A name that only the proxy can reach.
    let got = pull("http://hub.invalid", &[("HTTP_PROXY", &proxy.url), ("http_proxy", &proxy.url)]).ok();
    assert_eq!(
        (got.json()["state"].as_str(), got.json()["verified"].as_bool()),
        (Some("on_disk"), Some(false))
    );
    assert!(proxy.asked.load(Ordering::SeqCst) > 0 && !server.log().is_empty());

    home.run(["models", "remove", "small"]).ok();
    let asked = proxy.asked.load(Ordering::SeqCst);
    let direct = [("HTTP_PROXY", proxy.url.as_str()), ("NO_PROXY", "127.0.0.1")];
    pull(&format!("{}/", server.url), &direct).ok();
    assert_eq!(proxy.asked.load(Ordering::SeqCst), asked, "NO_PROXY was honoured");
}

#[test]
fn a_folder_is_added_used_and_removed() {
    let home = Home::new();
    let add = home
        .run([
            Path::new("models"),
            Path::new("add"),
            bert().as_path(),
            Path::new("--name"),
            Path::new("mine"),
        ])
        .ok();
    for says in
        ["mine\ttext\t32-d", "not verified", "architecture: BERT", "pooling: mean", "tokens at most: 24"]
    {
        assert!(add.out.contains(says), "{says}: {}", add.out);
    }
    let twice = home.command().args(["models", "add"]).arg(bert()).args(["--name", "mine"]).output().unwrap();
    assert_eq!(twice.status.code(), Some(5));
    let verify: Value = home.run(["models", "verify", "mine", "--json"]).ok().json();
    assert_eq!((verify["verified"].as_bool(), verify["samples"].as_u64()), (Some(false), Some(0)));
    assert!(verify["files"].as_u64() >= Some(3));

    home.put("faq.csv", FAQ.as_bytes());
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", "mine"]).ok();
    let used = home.run(["models", "remove", "mine", "--json"]);
    assert_eq!((used.code, used.json()["error"]["code"].as_str()), (5, Some("encoder.in_use")));
    assert!(used.err.contains("faq"), "{used:?}");
    home.run(["models", "remove", "mine", "--force"]).ok();
    assert_eq!(home.run(["models", "verify", "mine"]).code, 4);
}

#[test]
fn the_page_and_the_api_say_what_was_verified() {
    let app = TestApp::start();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet50-starter");
    let folder = app.folder.path().join("encoders/resnet50-starter");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["card.toml", "model.safetensors"] {
        std::fs::copy(shipped.join(file), folder.join(file)).unwrap();
    }
    let told = || {
        let all = app.get("/api/v1/models").json();
        let mine = all.as_array().unwrap().iter().find(|e| e["name"] == "resnet50-starter").unwrap().clone();
        let page = app.get("/about").text();
        let card = page.split("<h2>resnet50-starter</h2>").nth(1).unwrap().split("</li>").next().unwrap();
        (mine["verified"].as_bool().unwrap(), card.contains("Verified:"), card.contains("Not verified"))
    };
    assert_eq!(told(), (false, false, true));
    let home = Home::new();
    let mut command = home.command();
    command
        .env("SIMILE_DATA", app.folder.path().join("data"))
        .env("SIMILE_MODELS", app.folder.path().join("encoders"));
    let ran = command.args(["models", "verify", "resnet50-starter", "--json"]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(told(), (true, true, false));
}
