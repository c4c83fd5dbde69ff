//! The program as the one who runs it meets it: its log, its figures, its end and its next start.

use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::home::{FAQ, Home, PHOTO_ENCODER, TEXT_ENCODER, photo};
use super::interrupt::{end_within, items, signal, until};

/// `simile serve` on a free port, with its log.
pub struct Served {
    child: Option<Child>,
    pub address: String,
    log: Receiver<String>,
}

impl Served {
    pub fn start(home: &Home, more: &[&str], vars: &[(&str, &str)]) -> Self {
        Self::start_with(home, &[&["serve", "--port", "0", "--json"], more].concat(), vars)
    }

    pub fn start_with(home: &Home, args: &[&str], vars: &[(&str, &str)]) -> Self {
        let mut command = home.command();
        command.args(args).envs(vars.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        let (send, log) = crossbeam_channel::unbounded();
        std::thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("{e}: {line:?} {:?}", log.iter().collect::<Vec<_>>()));
        Self { child: Some(child), address: told["address"].as_str().unwrap().to_owned(), log }
    }

    /// Opens a connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// The head of a request; `more` are whole header lines.
    pub fn head(&self, method: &str, path: &str, length: usize, more: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n",
            self.address
        )
    }

    /// The whole answer to a request, as it came.
    pub fn ask(&self, method: &str, path: &str, more: &str, body: &str) -> String {
        let mut stream = self.connect();
        stream.write_all((self.head(method, path, body.len(), more) + body).as_bytes()).unwrap();
        rest(stream)
    }

    /// The JSON that the API answers.
    pub fn api(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.ask(method, &format!("/api/v1{path}"), "", body);
        serde_json::from_str(body_of(&answer)).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    /// The first line of the log, from where the last call was, that `fits`.
    pub fn logged(&self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(60)).expect("such a line is logged");
            if fits(&line) {
                return line;
            }
        }
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.as_ref().unwrap(), name);
    }

    /// Waits for the end and returns the exit code and the rest of the log.
    pub fn ended(mut self, seconds: u64) -> (Option<i32>, Vec<String>) {
        let output = end_within(self.child.take().unwrap(), seconds);
        (output.status.code(), self.log.iter().collect())
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What still comes until the connection closes.
pub fn rest(mut stream: TcpStream) -> String {
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).unwrap();
    String::from_utf8_lossy(&raw).into_owned()
}

/// What follows an answer's head.
pub fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

pub fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let head = answer.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

#[test]
fn a_request_is_found_in_the_log_by_its_id() {
    let home = Home::new();
    let server = Served::start(&home, &["--log-format", "json"], &[("SIMILE_LOG", "info")]);
    let path = "/api/v1/collections/none";
    let answer = server.ask("GET", &format!("{path}?q=secret"), "x-request-id: order-66\r\n", "");
    assert_eq!(header(&answer, "x-request-id"), "order-66", "{answer}");
    let problem: Value = serde_json::from_str(body_of(&answer)).unwrap();
    assert_eq!(problem["request_id"], "order-66");
    let line = server.logged(|line| line.contains("order-66"));
    assert!(!line.contains("secret"), "what was asked stays out: {line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["status"], &line["level"]), (&404.into(), &"INFO".into()), "{line}");
    assert_eq!((&line["span"]["path"], &line["span"]["id"]), (&path.into(), &"order-66".into()), "{line}");
    assert!(line["ms"].is_number() && line["timestamp"].is_string(), "{line}");
    // One that is not sane is replaced, in all three places.
    let answer = server.ask("GET", path, "x-request-id: <script>\r\n", "");
    let id = header(&answer, "x-request-id");
    assert!(id.len() == 32 && body_of(&answer).contains(id), "{answer}");
    server.logged(|line| line.contains(id));
    // Refused at the door, answered with an id all the same.
    let foreign = server.ask("POST", "/api/v1/collections", "origin: http://evil.example\r\n", "");
    assert_eq!(header(&foreign, "x-request-id").len(), 32, "{foreign}");
    server.signal("TERM");
    let (code, log) = server.ended(20);
    assert_eq!(code, Some(0));
    assert!(log.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log:?}");
}

#[test]
fn the_log_is_quiet_unless_asked_and_refuses_what_it_does_not_know() {
    let home = Home::new();
    let server = Served::start(&home, &[], &[]);
    server.ask("GET", "/healthz", "", "");
    server.signal("TERM");
    let (code, log) = server.ended(20);
    assert_eq!((code, log.len()), (Some(0), 0), "{log:?}");
    for (name, value) in [("SIMILE_LOG_FORMAT", "xml"), ("SIMILE_LOG", "loud,,=")] {
        let output = home.command().args(["collections", "--json"]).env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name) && said.contains(value) && said.contains("[config.value]"), "{said}");
    }
}

#[test]
fn nobody_at_standard_error_is_no_panic() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    let index = ["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER];
    let ask = ["ask", "I want a refund", "--collection", "faq"];
    let (list, wrong) = (["models", "list"], ["search"]);
    for args in [&index[..], &ask, &list, &wrong] {
        // A pipe whose reader has gone: every line that is written to it fails.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = home.command();
        let status = command.args(args).env("SIMILE_LOG", "debug").stderr(writer).status().unwrap();
        assert!(matches!(status.code(), Some(0 | 2)), "{args:?}: {status:?}");
    }
    // The server too, through a request, an import and its end.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = home
        .command()
        .args(["serve", "--port", "0", "--json", "--index", "faq=faq.csv"])
        .env("SIMILE_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(writer)
        .spawn()
        .unwrap();
    drop(reader);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let address = told["address"].as_str().unwrap().to_owned();
    let (log, server) = (crossbeam_channel::unbounded().1, child);
    let server = Served { child: Some(server), address, log };
    until("the end of the job", || server.api("GET", "/jobs", "")[0]["state"] == "done");
    server.signal("TERM");
    assert_eq!(server.ended(20).0, Some(0));
}

/// The samples of a Prometheus text: each full name with its labels, and its value. Checks the form of every line.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut types = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is told twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let kind = base.and_then(|base| types.get(base)).or_else(|| types.get(name));
        assert!(name.starts_with("simile_") && kind.is_some(), "{line}");
        assert!(sample.matches('"').count() % 2 == 0, "{line}");
        assert!(found.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{line} comes twice");
    }
    found
}

pub fn figures(server: &Served) -> BTreeMap<String, f64> {
    let answer = server.ask("GET", "/metrics", "", "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("text/plain; version=0.0.4"), "{answer}");
    samples(&body_of(&answer).replace("\r\n", "\n"))
}

#[test]
fn prometheus_reads_what_was_done() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    home.photos("pics", 3);
    let faq = ["index", "faq.csv", "--collection", "问答", "--encoder", TEXT_ENCODER];
    home.run(faq).ok();
    home.run(["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER]).ok();
    let server = Served::start(&home, &["--index", "photos=pics"], &[]);
    until("the end of the job", || server.api("GET", "/jobs", "")[0]["state"] == "done");
    let path = "/collections/%E9%97%AE%E7%AD%94";
    assert_eq!(server.api("POST", &format!("{path}/ask"), r#"{"text": "refund"}"#)["hits"][0]["rank"], 1);
    let like = r#"{"item": "1.jpg"}"#;
    assert_eq!(server.api("POST", "/collections/photos/search", like)["hits"][0]["rank"], 1);
    let jpeg = photo(7, image::ImageFormat::Jpeg);
    let mut stream = server.connect();
    stream
        .write_all(server.head("PUT", "/api/v1/collections/photos/items/n.jpg", jpeg.len(), "").as_bytes())
        .unwrap();
    stream.write_all(&jpeg).unwrap();
    assert!(rest(stream).starts_with("HTTP/1.1 201"));
    let all = figures(&server);
    let value = |name: &str| *all.get(name).unwrap_or_else(|| panic!("no {name} in {all:#?}"));
    let ask = r#"simile_http_requests_total{method="POST",route="/api/v1/collections/{c}/ask",status="200"}"#;
    assert_eq!(value(ask), 1.0);
    assert_eq!(value(r#"simile_http_request_seconds_count{route="/api/v1/collections/{c}/ask"}"#), 1.0);
    for stage in ["decode", "encode", "search", "items", "commit"] {
        assert!(value(&format!("simile_stage_seconds_count{{stage=\"{stage}\"}}")) >= 1.0, "{stage}");
        assert!(value(&format!("simile_stage_seconds_sum{{stage=\"{stage}\"}}")) > 0.0, "{stage}");
    }
    assert_eq!(value(r#"simile_collection_items{collection="问答"}"#), 3.0);
    assert_eq!(value(r#"simile_collection_items{collection="photos"}"#), 4.0);
    assert_eq!((value(r#"simile_jobs{state="done"}"#), value(r#"simile_jobs{state="failed"}"#)), (1.0, 0.0));
    for queue in ["questions", "pictures", "uploads", "encoder_people", "encoder_bulk"] {
        assert_eq!(value(&format!("simile_queue_waiting{{queue=\"{queue}\"}}")), 0.0);
    }
    assert!(value("simile_resident_bytes") > 1e6 && value("simile_uptime_seconds") > 0.0);
    // What is gone is not told.
    server.ask("DELETE", "/api/v1/collections/photos", "", "");
    let odd = |i: u32| {
        server.ask("GET", &format!("/nowhere/{i}"), "", "");
        server.ask(&format!("ODD{i}"), &format!("/c/{i}"), "", "");
    };
    odd(0);
    let before = figures(&server);
    assert!(!before.keys().any(|name| name.contains(r#"collection="photos""#)));
    // Whatever is asked, the labels stay the same.
    (1..40).for_each(odd);
    let later = figures(&server);
    assert!(later.keys().eq(before.keys()), "{} series, {} before", later.len(), before.len());
    let lost = r#"simile_http_requests_total{method="GET",route="unmatched",status="404"}"#;
    assert_eq!(later[lost], 40.0);
}

#[test]
fn sigterm_finishes_what_is_asked_closes_streams_and_refuses_the_rest() {
    let home = Home::new();
    home.photos("pics", 400);
    let server = Served::start(&home, &[], &[("SIMILE_LOG", "info")]);
    for (name, encoder, kind) in [("faq", TEXT_ENCODER, "faq"), ("photos", PHOTO_ENCODER, "photos")] {
        let new = serde_json::json!({"name": name, "kind": kind, "encoder": encoder});
        server.api("POST", "/collections", &new.to_string());
    }
    let import = serde_json::json!({"path": home.path("pics")}).to_string();
    let job = server.api("POST", "/collections/photos/index", &import)["job"].as_i64().unwrap();
    let second = server.api("POST", "/collections/photos/index", &import)["job"].as_i64().unwrap();
    // A stream, and a request in the middle of its body.
    let mut stream = server.connect();
    stream.write_all(server.head("GET", &format!("/api/v1/jobs/{job}/events"), 0, "").as_bytes()).unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    let entry = r#"{"question": "Are you there?", "answer": "Still."}"#;
    let mut slow = server.connect();
    let head = server.head("PUT", "/api/v1/collections/faq/items/late", entry.len(), "");
    slow.write_all((head + &entry[..9]).as_bytes()).unwrap();
    // The server is asked, not a command: on a busy machine the import would be over before one begins.
    until("a commit", || server.api("GET", "/collections/photos", "")["items"].as_u64() > Some(0));
    server.signal("TERM");
    server.logged(|line| line.contains("stopping"));
    until("refusal", || TcpStream::connect(&server.address).is_err());
    assert!(rest(stream).contains("event: job"), "the stream ends");
    slow.write_all(&entry.as_bytes()[9..]).unwrap();
    assert!(rest(slow).starts_with("HTTP/1.1 201"), "what was being asked is answered");
    let begin = Instant::now();
    let (code, log) = server.ended(20);
    assert!(code == Some(0) && begin.elapsed() < Duration::from_secs(10), "{code:?} {log:?}");
    // What was answered is there; the import stands where its last commit was.
    assert_eq!(items(&home, "faq"), 1);
    let committed = items(&home, "photos");
    assert!(committed > 0 && committed < 400, "{committed}");
    for i in committed + 20..400 {
        std::fs::remove_file(home.path(format!("pics/{i}.jpg"))).unwrap();
    }
    let left = std::fs::read_dir(home.path("pics")).unwrap().count() as u64;
    let server = Served::start(&home, &[], &[]);
    until("the end of both jobs", || {
        [job, second].iter().all(|id| server.api("GET", &format!("/jobs/{id}"), "")["state"] == "done")
    });
    let report = &server.api("GET", &format!("/jobs/{job}"), "")["report"];
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("unchanged") + count("indexed"), left, "{report}");
    assert!(count("indexed") > 0 && count("replaced") == 0, "nothing is encoded again: {report}");
}

#[test]
fn a_job_that_is_killed_each_time_does_not_go_on_for_ever() {
    let home = Home::new();
    home.photos("pics", 300);
    let server = Served::start(&home, &["--index", "photos=pics"], &[("SIMILE_THREADS", "1")]);
    let state = |server: &Served| server.api("GET", "/jobs", "")[0]["state"].as_str().unwrap().to_owned();
    until("the job", || state(&server) == "running");
    let mut server = Some(server);
    for _ in 0..3 {
        server.take().unwrap().kill();
        let again = Served::start(&home, &[], &[]);
        until("the job", || state(&again) == "running");
        server = Some(again);
    }
    server.take().unwrap().kill();
    let last = Served::start(&home, &[], &[]);
    let job = &last.api("GET", "/jobs", "")[0];
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&"failed".into(), &"job.interrupted".into()),
        "{job}"
    );
}
