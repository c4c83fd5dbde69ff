//! Commands beside a server that holds the data folder: handed to it, or answered from the same files.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use image::ImageFormat;
use serde_json::{Value, json};

use super::home::{FAQ, Home, PHOTO_ENCODER, Ran, TEXT_ENCODER, photo};
use super::interrupt::{end_within, items, signal, until};

/// `simile serve` on a free port.
pub struct Server {
    child: Option<Child>,
    pub address: String,
}

impl Server {
    pub fn start(home: &Home, more: &[&str]) -> Self {
        let mut command = home.command();
        command.args(["serve", "--port", "0", "--json"]).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Self { child: Some(child), address: told["address"].as_str().unwrap().to_owned() }
    }

    pub fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut raw = String::new();
        stream.read_to_string(&mut raw).unwrap();
        let status = raw.split(' ').nth(1).unwrap().parse().unwrap();
        let body = raw.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn jobs(&self) -> Vec<Value> {
        self.send("GET", "/jobs", "").1.as_array().unwrap().clone()
    }

    /// SIGTERM; it must end well within ten seconds.
    pub fn stop(mut self) {
        let child = self.child.take().unwrap();
        signal(&child, "TERM");
        let begin = Instant::now();
        let output = end_within(child, 60);
        assert_eq!(output.status.code(), Some(0));
        assert!(begin.elapsed() < Duration::from_secs(10), "took {:?}", begin.elapsed());
    }

    fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn photos(home: &Home, path: &str, more: &[&str]) -> Ran {
    let mut args = vec!["index", path, "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];
    args.extend(more);
    home.run(args)
}

fn code(ran: &Ran) -> String {
    ran.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_owned()
}

#[test]
fn what_is_indexed_beside_a_server_is_as_if_it_were_alone() {
    let home = Home::new();
    home.photos("pics", 3);
    home.put("pics/cut.jpg", &photo(9, ImageFormat::Jpeg)[..200]);
    home.put("pics/notes.txt", b"none");
    home.put("single/one.jpg", &photo(50, ImageFormat::Jpeg));
    home.put("faq.csv", FAQ.as_bytes());
    let server = Server::start(&home, &[]);
    let folder = photos(&home, "pics", &[]);
    assert_eq!(folder.code, 3, "{folder:?}");
    let report = folder.json();
    assert_eq!((&report["indexed"], &report["skipped"]), (&json!(3), &json!(1)));
    assert_eq!(report["rejected"][0]["path"], "cut.jpg");
    assert_eq!(photos(&home, "single/one.jpg", &[]).ok().json()["indexed"], 1);
    let table = ["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"];
    assert_eq!(home.run(table).ok().json()["indexed"], 3);
    assert_eq!(home.run(table).ok().json()["unchanged"], 3);
    // Read beside it, and over it.
    assert_eq!((items(&home, "photos"), items(&home, "faq")), (4, 3));
    let found = home.run(["search", "pics/1.jpg", "--collection", "photos", "--json"]).ok().json();
    assert_eq!(found["hits"][0]["key"], "1.jpg");
    let ask = ["ask", "I want a refund", "--collection", "faq", "--k", "1", "--json"];
    let (status, over) =
        server.send("POST", "/collections/faq/ask", r#"{"text": "I want a refund", "k": 1}"#);
    assert_eq!((status, &over["hits"]), (200, &home.run(ask).ok().json()["hits"]));
    assert!(home.run(["doctor", "--json"]).out.contains(&server.address));
}

#[test]
fn errors_beside_a_server_have_the_exit_codes_they_have_alone() {
    let alone = Home::new();
    let beside = Home::new();
    let mut tell = Vec::new();
    for (home, served) in [(&alone, false), (&beside, true)] {
        let _server = served.then(|| Server::start(home, &[]));
        home.photos("pics", 3);
        home.photos("other", 3);
        std::fs::create_dir(home.path("empty")).unwrap();
        home.put("bad.csv", b"frage,antwort\na,b\n");
        photos(home, "pics", &[]).ok();
        let mut told = Vec::new();
        let mut note = |ran: Ran| told.push((ran.code, code(&ran)));
        note(photos(home, "nowhere", &[]));
        note(photos(home, "empty", &[]));
        note(photos(home, "/dev/null", &[]));
        note(photos(home, "other", &[]));
        note(photos(home, "pics", &["--prefix", "a/../b"]));
        note(photos(home, "pics", &["--recipe", "IVF4,PQ7"]));
        note(photos(home, "pics", &["--recipe", "IVF64,Flat"]));
        // What cannot be is not kept.
        photos(home, "pics", &[]).ok();
        note(home.run(["index", "pics", "--collection", "photos", "--encoder", TEXT_ENCODER, "--json"]));
        note(home.run(["index", "pics", "--collection", "new", "--encoder", "nothing", "--json"]));
        note(home.run(["index", "pics", "--collection", "new2", "--encoder", "resnet50", "--json"]));
        note(home.run(["index", "bad.csv", "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"]));
        note(home.run(["index", "bad.csv", "--collection", "photos", "--json"]));
        for i in 0..2 {
            std::fs::remove_file(home.path(format!("pics/{i}.jpg"))).unwrap();
        }
        note(photos(home, "pics", &["--prune"]));
        assert_eq!(photos(home, "pics", &["--prune", "--force"]).ok().json()["removed"], 2);
        std::fs::remove_dir_all(home.path("pics")).unwrap();
        note(photos(home, "pics", &["--prune"]));
        note(photos(home, "pics", &[]));
        assert_eq!(photos(home, "pics", &["--recipe", "Nonsense"]).code, 2);
        tell.push(told);
    }
    assert_eq!(tell[0], tell[1]);
    let expected = [
        (4, "path.missing"),
        (2, "folder.empty"),
        (2, "path.special"),
        (5, "key.collides"),
        (2, "key.prefix"),
        (2, "recipe.dimension"),
        (2, "recipe.too_few_rows"),
        (5, "collection.other_encoder"),
        (4, "encoder.unknown"),
    ];
    let as_told: Vec<(i32, &str)> = tell[1].iter().map(|(exit, code)| (*exit, code.as_str())).collect();
    assert_eq!(as_told[..expected.len()], expected);
    assert_eq!(as_told[9].0, 6, "{as_told:?}");
    let tail = [(2, "table.missing_column"), (2, "collection.kind"), (5, "prune.refused")];
    assert_eq!(as_told[10..13], tail);
    assert_eq!(as_told[13..], [(5, "prune.refused"), (4, "path.missing")]);
}

#[test]
fn a_folder_whose_name_is_no_text_is_handed_over() {
    let home = Home::new();
    let name = PathBuf::from(OsStr::from_bytes(b"caf\xe9 100%"));
    home.put(name.join("a.jpg"), &photo(1, ImageFormat::Jpeg));
    let _server = Server::start(&home, &[]);
    let rest = ["--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];
    let args = || [OsStr::new("index"), name.as_os_str()].into_iter().chain(rest.iter().map(OsStr::new));
    assert_eq!(home.run(args()).ok().json()["indexed"], 1);
    assert_eq!(home.run(args()).ok().json()["unchanged"], 1);
}

#[test]
fn ctrl_c_stops_the_job_that_was_handed_over() {
    let home = Home::new();
    home.photos("pics", 400);
    home.photos("more", 1);
    let server = Server::start(&home, &[]);
    let spawn = |path: &str, collection: &str| {
        let args = ["index", path, "--collection", collection, "--encoder", PHOTO_ENCODER, "--json"];
        home.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running = spawn("pics", "photos");
    until("a commit", || items(&home, "photos") > 0);
    // One that waits in line ends at once, and makes nothing.
    let waiting = spawn("more", "more");
    until("the second job", || server.jobs().len() == 2);
    signal(&waiting, "INT");
    let output = end_within(waiting, 5);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    signal(&running, "INT");
    let output = end_within(running, 60);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let committed = report["indexed"].as_u64().unwrap();
    assert!(committed > 0 && committed < 400 && committed == items(&home, "photos"), "{report}");
    assert!(server.jobs().iter().all(|job| job["state"] == "cancelled"), "{:?}", server.jobs());
    assert_eq!(server.send("GET", "/collections/more", "").0, 404);
}

#[test]
fn a_second_server_is_told_where_the_first_one_is() {
    let home = Home::new();
    home.photos("pics", 2);
    let server = Server::start(&home, &[]);
    let second = home.run(["serve", "--port", "0", "--json"]);
    assert_eq!((second.code, code(&second)), (6, "store.locked".to_owned()));
    assert!(second.err.contains(&server.address), "{second:?}");
    server.kill();
    // The hint it left is stale; the lock is not held.
    assert_eq!(photos(&home, "pics", &[]).ok().json()["indexed"], 2);
    let server = Server::start(&home, &[]);
    assert_eq!(photos(&home, "pics", &[]).ok().json()["unchanged"], 2);
    server.stop();
    assert_eq!(photos(&home, "pics", &[]).ok().json()["unchanged"], 2);
}

#[test]
fn sigterm_ends_a_server_whatever_it_does() {
    let home = Home::new();
    home.photos("pics", 400);
    let new = format!(r#"{{"name": "photos", "kind": "photos", "encoder": "{PHOTO_ENCODER}"}}"#);
    let server = Server::start(&home, &[]);
    assert_eq!(server.send("POST", "/collections", &new).0, 201);
    let path = home.path("pics");
    let body = json!({"path": path}).to_string();
    assert_eq!(server.send("POST", "/collections/photos/index", &body).0, 202);
    assert_eq!(server.send("POST", "/collections/photos/index", &body).0, 202);
    // A browser that stopped in the middle of an upload, and a body that never ends.
    assert_eq!(server.send("POST", "/collections/photos/uploads", r#"{"root": "trip"}"#).0, 201);
    let mut endless = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /api/v1/collections HTTP/1.1\r\nhost: {}\r\ncontent-length: 99\r\n\r\n{{",
        server.address
    );
    endless.write_all(head.as_bytes()).unwrap();
    until("a commit", || items(&home, "photos") > 0);
    server.stop();
    let committed = items(&home, "photos");
    assert!(committed > 0 && committed < 400, "{committed}");
    // The next start goes on.
    for i in 50..400 {
        std::fs::remove_file(path.join(format!("{i}.jpg"))).unwrap();
    }
    let server = Server::start(&home, &["--index", "photos=pics"]);
    until("the end of the job", || server.jobs()[0]["state"] == "done");
    let jobs = server.jobs();
    let report = &jobs[0]["report"];
    assert_eq!(
        report["unchanged"].as_u64().unwrap() + report["indexed"].as_u64().unwrap(),
        50,
        "{report}, {committed} were committed"
    );
    // The two imports that were stopped had their turn before; an upload cannot go on without its sender.
    let states: Vec<&str> = jobs[1..].iter().map(|job| job["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["interrupted", "done", "done"], "{jobs:?}");
}

#[test]
fn a_restart_encodes_nothing_again() {
    let home = Home::new();
    home.photos("pics", 30);
    home.put("faq.csv", FAQ.as_bytes());
    photos(&home, "pics", &[]).ok();
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER]).ok();
    let begin = Instant::now();
    let server = Server::start(&home, &["--index", "photos=pics", "--index", "faq=faq.csv"]);
    until("both jobs", || {
        let jobs = server.jobs();
        jobs.len() == 2 && jobs.iter().all(|job| job["state"] == "done")
    });
    let took = begin.elapsed();
    for job in server.jobs() {
        let report = &job["report"];
        let all = if job["collection"] == "photos" { 30 } else { 3 };
        assert_eq!((&report["unchanged"], &report["indexed"]), (&json!(all), &json!(0)), "{job}");
    }
    assert!(took < Duration::from_secs(5), "{took:?}");
    server.stop();
}

#[test]
fn a_server_killed_in_a_job_tells_so_and_goes_on() {
    let home = Home::new();
    home.photos("pics", 60);
    let new = format!(r#"{{"name": "photos", "kind": "photos", "encoder": "{PHOTO_ENCODER}"}}"#);
    let server = Server::start(&home, &[]);
    assert_eq!(server.send("POST", "/collections", &new).0, 201);
    let body = json!({"path": home.path("pics")}).to_string();
    assert_eq!(server.send("POST", "/collections/photos/index", &body).0, 202);
    until("a commit", || items(&home, "photos") > 0);
    server.kill();
    let committed = items(&home, "photos");
    let server = Server::start(&home, &[]);
    until("the end of the job", || server.jobs()[0]["state"] == "done");
    let report = &server.jobs()[0]["report"];
    assert_eq!(
        (report["unchanged"].as_u64(), report["indexed"].as_u64()),
        (Some(committed), Some(60 - committed)),
        "{report}"
    );
    assert_eq!(photos(&home, "pics", &[]).ok().json()["unchanged"], 60);
}

#[test]
fn a_collection_that_goes_ends_its_job() {
    let home = Home::new();
    home.photos("pics", 200);
    let new = format!(r#"{{"name": "photos", "kind": "photos", "encoder": "{PHOTO_ENCODER}"}}"#);
    let server = Server::start(&home, &[]);
    assert_eq!(server.send("POST", "/collections", &new).0, 201);
    let body = json!({"path": home.path("pics")}).to_string();
    assert_eq!(server.send("POST", "/collections/photos/index", &body).0, 202);
    until("a commit", || items(&home, "photos") > 0);
    assert_eq!(server.send("DELETE", "/collections/photos", "").0, 204);
    until("the end of the job", || server.jobs()[0]["state"] == "failed");
    assert_eq!(photos(&home, "pics/1.jpg", &[]).ok().json()["indexed"], 1, "the next job has its turn");
}

#[test]
fn a_command_waits_for_one_that_has_just_begun() {
    let home = Home::new();
    home.photos("pics", 1);
    home.run(["index", "pics", "--collection", "photos"]).ok();
    home.photos("pics", 3);
    // As a server holds it before it listens.
    let lock = std::fs::File::options().read(true).write(true).open(home.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let mut command = home.command();
    command.args(["index", "pics", "--collection", "photos", "--json"]).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    drop(lock);
    let output = end_within(child, 60);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!((output.status.code(), &report["indexed"]), (Some(0), &json!(2)), "{report}");
}
