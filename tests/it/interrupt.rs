//! Imports that are stopped or killed in the middle: what was committed is there, and the next run goes on.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::home::{Home, PHOTO_ENCODER, TEXT_ENCODER};

const COUNT: u32 = 96;

/// Sends a signal by its name to a process of this test.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status().unwrap().success());
}

/// Waits for the end, which must come within `seconds`.
pub fn end_within(mut child: Child, seconds: u64) -> Output {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(seconds) {
            child.kill().unwrap();
            panic!("still running after {seconds} s: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Waits until `what` holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many items a collection has, as another program sees it.
pub fn items(home: &Home, name: &str) -> u64 {
    let all = home.run(["collections", "--json"]).ok().json();
    let all = all.as_array().unwrap();
    all.iter().find(|c| c["name"] == name).map_or(0, |c| c["items"].as_u64().unwrap())
}

fn spawn(home: &Home, args: &[&str]) -> Child {
    home.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn last_line(output: &Output) -> Value {
    let out = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(out.lines().last().unwrap_or_else(|| panic!("no report: {output:?}"))).unwrap()
}

const PHOTOS: [&str; 7] = ["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];

/// The next run takes what is left, and only that; every photo is there once and finds itself.
fn goes_on(home: &Home, committed: u64) {
    let report = home.run(PHOTOS).ok().json();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((count("unchanged"), count("indexed")), (committed, u64::from(COUNT) - committed), "{report}");
    assert_eq!((count("replaced"), count("removed"), count("vanished")), (0, 0, 0));
    let info = &home.run(["collections", "--json"]).ok().json()[0];
    assert_eq!((info["items"].as_u64(), info["vectors"].as_u64()), (Some(COUNT.into()), Some(COUNT.into())));
    let all = ["search", "--item", "0.jpg", "--collection", "photos", "--k", "200", "--json"];
    assert_eq!(home.run(all).ok().json()["hits"].as_array().unwrap().len(), COUNT as usize - 1);
    let last = format!("pics/{}.jpg", COUNT - 1);
    for photo in ["pics/0.jpg", &last] {
        let answer = home.run(["search", photo, "--collection", "photos", "--k", "1", "--json"]).ok().json();
        assert_eq!(answer["hits"][0]["key"], photo.trim_start_matches("pics/"));
    }
}

#[test]
fn after_kill_9_the_next_run_goes_on() {
    let home = Home::new();
    home.photos("pics", COUNT);
    let mut child = spawn(&home, &PHOTOS);
    until("a commit", || items(&home, "photos") > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let committed = items(&home, "photos");
    assert!(committed < COUNT.into(), "committed before the end");
    goes_on(&home, committed);
}

#[test]
fn ctrl_c_and_sigterm_stop_cleanly_with_the_report() {
    for name in ["INT", "TERM"] {
        let home = Home::new();
        home.photos("pics", COUNT);
        let child = spawn(&home, &PHOTOS);
        until("a commit", || items(&home, "photos") > 0);
        signal(&child, name);
        let output = end_within(child, 60);
        assert_eq!(output.status.code(), Some(130), "{name}: {output:?}");
        let report = last_line(&output);
        let committed = items(&home, "photos");
        assert_eq!(report["indexed"].as_u64(), Some(committed), "{name}: {report}");
        assert!(committed < COUNT.into() && report["rejected"].as_array().unwrap().is_empty());
        goes_on(&home, committed);
    }
}

#[test]
fn a_table_goes_on_too_and_loses_nothing() {
    let home = Home::new();
    let mut table = "id,question,answer\n".to_owned();
    for i in 0..3000 {
        table += &format!("q{i},What is the meaning of number {i} in this long list?,It is {i}.\n");
    }
    home.put("faq.csv", table.as_bytes());
    let args = ["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"];
    let mut child = spawn(&home, &args);
    until("a commit", || items(&home, "faq") > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let committed = items(&home, "faq");
    assert!(committed > 0);
    let report = home.run(args).ok().json();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((count("unchanged"), count("indexed") + count("unchanged")), (committed, 3000), "{report}");
    assert_eq!((count("removed"), items(&home, "faq")), (0, 3000));
}

#[test]
fn a_stop_while_the_index_is_built_is_a_stop() {
    let home = Home::new();
    home.photos("pics", 40);
    let mut args = PHOTOS.to_vec();
    args.extend(["--recipe", "IVF2,Flat"]);
    let child = spawn(&home, &args);
    // All items are there: what remains is the index, or nothing.
    until("the last commit", || items(&home, "photos") == 40);
    signal(&child, "INT");
    let output = end_within(child, 60);
    assert!(matches!(output.status.code(), Some(0 | 130)), "{output:?}");
    assert_eq!(last_line(&output)["indexed"], 40);
    assert_eq!(home.run(PHOTOS).ok().json()["unchanged"], 40);
}
