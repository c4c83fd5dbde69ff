//! A pull that a person stops: with Ctrl-C, over the API, in the page. What came is kept, and the next pull goes on with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use simile::config::{HubSettings, Limits};
use simile::web::Door;

use super::home::Home;
use super::hub::{Fault, HubServer};
use super::interrupt::{end_within, signal, until};
use super::web::TestApp;

const REPO: &str = "somebody/small";
const WEIGHTS: &str = "model.safetensors";

/// A hub that gives the weights slowly.
fn slow_hub() -> HubServer {
    let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
    let server = HubServer::start(REPO, &bert);
    server.fault(WEIGHTS, Fault::Drip(500));
    server
}

/// What tells in a folder of encoders where `small` can be pulled from.
fn card(folder: &Path) {
    let text = format!(
        "name = \"small\"\ntitle = \"Small\"\nmodality = \"text\"\narchitecture = \"bert\"\ndim = 32\n\
         pooling = \"cls\"\nlanguages = [\"en\"]\n[[sources]]\nkind = \"hub\"\nrepo = \"{REPO}\"\n"
    );
    std::fs::create_dir_all(folder.join("small")).unwrap();
    std::fs::write(folder.join("small/card.toml"), text).unwrap();
}

fn part(data: &Path) -> PathBuf {
    data.join("models/.partial/small-0").join(format!("{WEIGHTS}.part"))
}

fn came(part: &Path) -> u64 {
    part.metadata().map_or(0, |meta| meta.len())
}

/// The last request for the weights began behind what had come.
fn went_on(hub: &HubServer, kept: u64) {
    let log = hub.log();
    assert!(log.iter().any(|line| line.ends_with(&format!("bytes={kept}-"))), "{kept}: {log:?}");
}

#[test]
fn ctrl_c_stops_a_pull_and_the_next_one_goes_on() {
    let (home, hub) = (Home::new(), slow_hub());
    card(&home.path("root"));
    let pull = || {
        let mut command = home.command();
        command
            .env_remove("HF_HUB_OFFLINE")
            .env("HF_ENDPOINT", &hub.url)
            .env("SIMILE_MODELS", home.path("root"));
        command.args(["models", "pull", "small", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let child = pull().spawn().unwrap();
    let part = part(&home.data());
    until("the first bytes", || came(&part) > 4000);
    signal(&child, "INT");
    let ended = end_within(child, 20);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(130) && said.contains("pull again to go on"), "{ended:?}");
    let kept = came(&part);
    assert!((4000..46_072).contains(&kept), "{kept}");
    hub.heal();
    hub.log();
    let done = pull().output().unwrap();
    assert!(done.status.success(), "{done:?}");
    went_on(&hub, kept);
}

#[test]
fn a_pull_is_cancelled_over_the_api_and_in_the_page() {
    let hub = slow_hub();
    let settings = HubSettings { endpoint: hub.url.clone(), ..HubSettings::default() };
    let limits = Limits { free_bytes: 1 << 20, ..Limits::default() };
    let app = TestApp::asking(settings, Door::default(), limits);
    card(&app.folder.path().join("encoders"));
    let part = part(&app.folder.path().join("data"));
    let pull = || app.post("/api/v1/models/small/pull", &json!(null)).json()["job"].as_i64().unwrap();
    let mut before = 0;
    for page in [false, true] {
        let job = pull();
        until("some bytes", || came(&part) > before + 4000);
        // A second one of the same waits in line, and ends with a word.
        let second = pull();
        if page {
            assert!(app.get("/jobs").text().contains(&format!("action=\"/jobs/{job}/cancel?")));
            assert_eq!(app.send("POST", &format!("/jobs/{job}/cancel"), &[], b"").status, 303);
            assert_eq!(app.send("DELETE", &format!("/api/v1/jobs/{second}"), &[], b"").status, 200);
        } else {
            assert_eq!(
                app.send("DELETE", &format!("/api/v1/jobs/{second}"), &[], b"").json()["state"],
                "cancelled"
            );
            assert_eq!(app.send("DELETE", &format!("/api/v1/jobs/{job}"), &[], b"").status, 200);
        }
        for job in [job, second] {
            assert_eq!(app.ended(job)["state"], "cancelled");
        }
        assert!(came(&part) > before + 4000, "what came is kept");
        before = came(&part);
    }
    hub.heal();
    hub.log();
    assert_eq!(app.ended(pull())["state"], "done");
    went_on(&hub, before);
    assert_eq!(app.send("DELETE", "/api/v1/jobs/999", &[], b"").problem().1, "job.unknown");
}
