//! A page of another site, in the browser of simile's user: it reads nothing here and changes nothing. In a real browser,
//! from another port of this machine, from another site, and under a foreign name that leads here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};

use crate::journey::Driver;
use crate::web::TestApp;

/// Names that this test's browser takes for 127.0.0.1.
const EVIL: &str = "evil.example";
const REBOUND: &str = "rebound.example";

/// A site with one empty page, on a port of its own; it ends with the test's process.
fn site() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let page = "<!doctype html><title>elsewhere</title><body></body>";
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// Every way of asking that a page has. Each tells what it could read: nothing is `null`. All are asked at once, six at a
/// time reach the server: a busy machine needs seconds for them.
const ATTACK: &str = r#"
const [target, done] = arguments;
const within = (promise) => Promise.race([promise, new Promise((end) => setTimeout(() => end("silence"), 15000))]);
const read = (options, path) => async () => {
  const response = await fetch(target + path, options);
  return response.type === "opaque" || response.type === "opaqueredirect" ? null : [response.status, await response.text()];
};
const element = (make) => () => new Promise((end) => {
  const it = make();
  it.onload = () => end("loaded");
  it.onerror = () => end(null);
  document.body.append(it);
});
const tag = (name, attributes) => element(() => Object.assign(document.createElement(name), attributes));
const ways = {};
for (const mode of ["cors", "no-cors", "same-origin", "navigate"]) {
  for (const credentials of ["omit", "same-origin", "include"]) {
    for (const path of ["/", "/api/v1/collections", "/strip", "/c/faq/item/q1", "/static/x/app.js"]) {
      ways[`GET ${mode} ${credentials} ${path}`] = read({ mode, credentials }, path);
    }
    const json = { mode, credentials, method: "POST", body: '{"name":"theirs","kind":"faq"}' };
    ways[`POST ${mode} ${credentials}`] = read(json, "/api/v1/collections");
    const text = { ...json, headers: { "content-type": "text/plain" } };
    ways[`POST text ${mode} ${credentials}`] = read(text, "/api/v1/collections");
    ways[`POST json ${mode} ${credentials}`] = read({ ...json, headers: { "content-type": "application/json" } }, "/api/v1/collections");
    for (const method of ["DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"]) {
      ways[`${method} ${mode} ${credentials}`] = read({ mode, credentials, method }, method === "HEAD" ? "/" : "/api/v1/collections/faq");
    }
    ways[`POST delete ${mode} ${credentials}`] = read({ mode, credentials, method: "POST" }, "/c/faq/delete");
    const form = new FormData();
    form.append("files", new File(["id,question,answer\ntheirs,a,b"], "t.csv"));
    ways[`upload ${mode} ${credentials}`] = read({ mode, credentials, method: "POST", body: form }, "/api/v1/collections/faq/uploads");
  }
}
ways.beacon = async () => { navigator.sendBeacon(target + "/c/faq/delete"); return null; };
ways.image = tag("img", { src: target + "/static/x/icon.svg" });
ways.script = tag("script", { src: target + "/static/x/app.js" });
ways.module = tag("script", { type: "module", src: target + "/static/x/app.js" });
ways.style = tag("link", { rel: "stylesheet", href: target + "/static/x/style.css" });
ways.events = () => new Promise((end) => {
  const source = new EventSource(target + "/jobs/events", { withCredentials: true });
  source.onmessage = source.onopen = () => { source.close(); end("open"); };
  source.addEventListener("job", (event) => { source.close(); end(event.data); });
  source.onerror = () => { source.close(); end(null); };
});
ways.xhr = () => new Promise((end) => {
  const xhr = new XMLHttpRequest();
  xhr.onload = () => end([xhr.status, xhr.responseText]);
  xhr.onerror = () => end(null);
  xhr.open("GET", target + "/api/v1/collections");
  xhr.send();
});
ways.socket = () => new Promise((end) => {
  const socket = new WebSocket(target.replace("http", "ws") + "/jobs/events");
  socket.onopen = () => end("open");
  socket.onerror = () => end(null);
});
ways.frame = () => new Promise((end) => {
  const frame = document.createElement("iframe");
  frame.onload = () => { try { end(frame.contentDocument ? frame.contentDocument.title || null : null); } catch { end(null); } };
  frame.src = target + "/";
  document.body.append(frame);
});
for (const enctype of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
  for (const [path, name, value] of [
    ["/c/faq/delete", "a", "b"],
    ["/collections", "name", "theirs"],
    ["/c/faq/index", "path", "/etc"],
    ["/api/v1/collections", '{"name":"theirs","kind":"faq","x":"', '"}'],
    ["/logout", "a", "b"],
  ]) {
    ways[`form ${enctype} ${path}`] = () => new Promise((end) => {
      const frame = Object.assign(document.createElement("iframe"), { name: "f" + Math.random() });
      document.body.append(frame);
      const form = Object.assign(document.createElement("form"), { action: target + path, method: "POST", enctype, target: frame.name });
      form.append(Object.assign(document.createElement("input"), { name, value }));
      document.body.append(form);
      form.submit();
      setTimeout(() => end(null), 50);
    });
  }
}
(async () => {
  const names = Object.keys(ways);
  const results = await Promise.all(names.map((name) => within(ways[name]()).catch(() => null)));
  const got = {};
  names.forEach((name, i) => { if (results[i] !== null && results[i] !== "silence") got[name] = results[i]; });
  done([names.length, got]);
})();
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_elsewhere_reads_nothing_and_changes_nothing() {
    let app = TestApp::start();
    app.faq();
    let entry = json!({"question": "A secret question?", "answer": "A secret answer."});
    assert_eq!(
        app.send("PUT", "/api/v1/collections/faq/items/q1", &[], entry.to_string().as_bytes()).status,
        201
    );
    let state = |app: &TestApp| -> [Value; 3] {
        ["/collections", "/collections/faq/items", "/jobs"]
            .map(|path| app.get(&format!("/api/v1{path}")).json())
    };
    let before = state(&app);
    let (port, theirs) = (app.address.port(), site().port());

    let driver = Driver::start();
    let rules = format!("--host-resolver-rules=MAP {EVIL} 127.0.0.1, MAP {REBOUND} 127.0.0.1");
    let client = driver.browser_with(&app.folder.path().join("profile"), &[&rules]).await;
    // The user has been here: cookies are there, to be sent along if anything does.
    client.goto(&format!("http://127.0.0.1:{port}/?lang=en&theme=dark")).await.unwrap();
    assert_eq!(client.title().await.unwrap(), "simile");

    let elsewhere = [
        format!("http://127.0.0.1:{theirs}"),
        format!("http://localhost:{theirs}"),
        format!("http://{EVIL}:{theirs}"),
    ];
    let targets = [format!("http://127.0.0.1:{port}"), format!("http://{REBOUND}:{port}")];
    for page in &elsewhere {
        for target in &targets {
            client.goto(page).await.unwrap();
            let got = client.execute_async(ATTACK, vec![json!(target)]).await.unwrap();
            assert!(got[0].as_u64().unwrap() > 150, "{got}");
            assert_eq!(got[1], json!({}), "{page} read this from {target}");
        }
    }
    // The foreign name that leads here is no page of ours: it is refused, and has nothing to read the rest with.
    client.goto(&format!("http://{REBOUND}:{port}/")).await.unwrap();
    let shown = client.source().await.unwrap();
    assert!(shown.contains("host.not_allowed") && !shown.contains("secret"), "{shown}");
    let got = client.execute_async(ATTACK, vec![json!(format!("http://{REBOUND}:{port}"))]).await.unwrap();
    for (way, read) in got[1].as_object().unwrap() {
        assert!(!read.to_string().contains("secret") && read[0] == json!(421), "{way} read {read}");
    }
    // A form that takes the whole window along.
    for path in ["/c/faq/delete", "/collections", "/logout"] {
        client.goto(&elsewhere[2]).await.unwrap();
        let form = "const f = document.createElement('form'); f.method = 'post'; f.action = arguments[0]; \
                    document.body.append(f); f.submit()";
        client.execute(form, vec![json!(format!("{}{path}", targets[0]))]).await.unwrap();
        let begin = std::time::Instant::now();
        while !client.source().await.unwrap().contains("origin.foreign") {
            assert!(begin.elapsed().as_secs() < 20, "{path}: {}", client.source().await.unwrap());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    assert_eq!(state(&app), before, "nothing has changed");
    // The same from a page of ours reads and changes much: it was the door that held, not a blunt tool.
    client.goto(&format!("{}/about", targets[0])).await.unwrap();
    let got = client.execute_async(ATTACK, vec![json!(targets[0])]).await.unwrap();
    let read = &got[1]["GET cors include /api/v1/collections"];
    assert!(got[1].as_object().unwrap().len() > 50 && read[0] == json!(200), "{got}");
    assert_ne!(state(&app), before);
    client.close().await.unwrap();
}
