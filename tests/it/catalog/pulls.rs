//! What is pulled from a small hub, and what is told of one that fails.

use std::sync::atomic::Ordering;
use std::time::Instant;

use simile::encoder::{EncoderError, Watcher};

use super::*;
use crate::hub::{Fault, HubServer};

const REPO: &str = "somebody/small";

fn hub_source() -> String {
    format!("[[sources]]\nkind = \"hub\"\nrepo = \"{REPO}\"\n")
}

#[test]
fn a_model_pulled_from_the_hub_encodes() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.places.hub.token = Some("secret".to_owned());
    home.card(&hub_source());
    let catalog = home.catalog();
    assert_eq!(entry(&catalog, "small").state, State::Pullable);
    let seen = std::sync::Mutex::new(Vec::new());
    let got = catalog.pull(&name("small"), &|p: Progress| seen.lock().unwrap().push(p)).unwrap();
    assert_eq!((got.state, got.origin), (State::OnDisk, Origin::Pulled));
    let last = seen.into_inner().unwrap().into_iter().rfind(|p| p.file == "model.safetensors").unwrap();
    assert_eq!(Some(last.done), last.total);

    let encoder = catalog.load(&name("small")).unwrap();
    let out = encoder.encode_texts(&["where is the red car"], Role::Query).unwrap();
    assert_eq!((out[0].vector.dim().get(), encoder.dim().get()), (32, 32));

    let folder = home.places.pulled.join("small");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["commit"], crate::hub::COMMIT);
    assert_eq!(manifest["files"]["model.safetensors"]["sha256"], encoder.space().weights);
    let strays: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(strays.len(), 4, "{strays:?}");
    let log = server.log();
    assert!(log.iter().any(|l| l.ends_with("model.safetensors with token")), "{log:?}");

    // Now it is on disk: nothing is asked any more, and hashes are remembered.
    catalog.pull(&name("small"), &quiet).unwrap();
    assert_eq!(server.log(), Vec::<String>::new());
    assert!(home.places.digests.is_file());
}

#[test]
fn weights_that_a_hub_has_only_as_a_pickle_are_read_and_never_run() {
    let home_of = |files: &Path| {
        let server = HubServer::start(REPO, files);
        let mut home = Home::new();
        home.places.hub.endpoint = server.url.clone();
        home.card(&hub_source());
        (home, server)
    };
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("bert"), folder.path());
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    copy(&fixture("pickle"), folder.path());
    let (home, _server) = home_of(folder.path());
    home.catalog().pull(&name("small"), &quiet).unwrap();
    let (plain, _server) = home_of(&fixture("bert"));
    plain.catalog().pull(&name("small"), &quiet).unwrap();
    let encode = |home: &Home| {
        let encoder = home.catalog().load(&name("small")).unwrap();
        encoder.encode_texts(&["where is the red car"], Role::Passage).unwrap()
    };
    assert_eq!(encode(&home), encode(&plain));

    // A pickle that would run something is refused, and nothing is kept of it.
    fs::write(folder.path().join("pytorch_model.bin"), b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00x\x85R.")
        .unwrap();
    let (evil, _server) = home_of(folder.path());
    let error = evil.catalog().pull(&name("small"), &quiet).err().unwrap();
    assert_eq!(error.code(), "model.unfit", "{error}");
    assert!(error.to_string().contains("before 1.6"), "{error}");
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    server.fault("model.safetensors", Fault::CutOnce(20_000));
    home.catalog().pull(&name("small"), &quiet).unwrap();
    let log = server.log();
    assert!(log.iter().any(|l| l.contains("/cdn/") && l.ends_with("bytes=20000-")), "{log:?}");
}

#[test]
fn a_silent_or_lying_hub_is_left_within_seconds() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    let pull = || {
        let begun = Instant::now();
        let error = home.catalog().pull(&name("small"), &quiet).err().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        assert!(!home.places.pulled.join("small").exists());
        error
    };
    for (fault, code) in [
        (Fault::Silent, "hub.unreachable"),
        (Fault::Stall(1000), "hub.stalled"),
        (Fault::Flip, "model.hash"),
        (Fault::Resize(30_000), "hub.size"),
        (Fault::Resize(3_000_000), "hub.size"),
        (Fault::Status(401), "hub.denied"),
        (Fault::Status(503), "hub.status"),
    ] {
        server.heal();
        server.fault("model.safetensors", fault);
        let error = pull();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
    }
    server.heal();
    home.catalog().pull(&name("small"), &quiet).unwrap();
}

#[test]
fn a_hub_without_the_model_or_with_too_little_of_it_is_told() {
    let server = HubServer::start("somebody/other", &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    let pull = || home.catalog().pull(&name("small"), &quiet).err().unwrap();
    assert_eq!(pull().code(), "hub.not_found");

    let server = HubServer::start(REPO, &fixture("bert"));
    home.places.hub.endpoint = server.url.clone();
    // The line says how long the file is, and ends before; every attempt brings a little more, so five are made.
    server.fault("model.safetensors", Fault::Short(3000));
    let error = home.catalog().pull(&name("small"), &quiet).err().unwrap();
    assert_eq!(error.code(), "hub.stalled", "{error}");
    assert!(error.to_string().contains("pull again to go on"), "{error}");
    assert!(!home.places.pulled.join("small").exists());
    server.heal();
    home.catalog().pull(&name("small"), &quiet).unwrap();
    assert!(server.log().iter().any(|l| l.contains("bytes=15000-")), "what came was not asked for again");
}

#[test]
fn a_full_disk_ends_the_pull_and_says_so() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&format!("{}[[sources]]\nkind = \"folder\"\npath = {:?}\n", hub_source(), fixture("bert")));
    let staging = home.places.pulled.join(".partial/small-0");
    fs::create_dir_all(&staging).unwrap();
    // A file that takes nothing.
    symlink("/dev/full", staging.join("model.safetensors.part")).unwrap();
    let error = home.catalog().pull(&name("small"), &quiet).err().unwrap();
    assert_eq!(error.code(), "disk.full", "{error}");
    assert!(!home.places.pulled.join("small").exists(), "no other source is tried");
    fs::remove_file(staging.join("model.safetensors.part")).unwrap();
    home.catalog().pull(&name("small"), &quiet).unwrap();
}

#[test]
fn two_pulls_of_one_model_do_not_meet() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    let (begun, second) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    let first_piece = std::sync::Once::new();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            home.catalog().pull(&name("small"), &|_: Progress| {
                first_piece.call_once(|| {
                    begun.wait();
                    second.wait();
                });
            })
        });
        begun.wait();
        let error = home.catalog().pull(&name("small"), &quiet).err().unwrap();
        assert_eq!(error.code(), "encoder.pulling");
        second.wait();
        assert_eq!(first.join().unwrap().unwrap().state, State::OnDisk);
    });
}

#[test]
fn offline_closes_the_hub_only() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.places.hub.offline = true;
    home.card(&hub_source());
    let error = home.catalog().pull(&name("small"), &quiet).err().unwrap();
    assert_eq!(error.code(), "hub.offline");
    assert_eq!(server.log(), Vec::<String>::new());

    // What other programs fetched is on this disk already.
    let cached = home.dir.path().join("hf/models--somebody--small");
    fs::create_dir_all(cached.join("refs")).unwrap();
    fs::write(cached.join("refs/main"), "abc123").unwrap();
    copy(&fixture("bert"), &cached.join("snapshots/abc123"));
    home.catalog().pull(&name("small"), &quiet).unwrap();
    assert_eq!(server.log(), Vec::<String>::new());

    // The next source in the card's order is asked.
    fs::remove_dir_all(&home.places.pulled).unwrap();
    fs::remove_dir_all(&cached).unwrap();
    home.card(&format!("{}[[sources]]\nkind = \"folder\"\npath = {:?}\n", hub_source(), fixture("bert")));
    assert_eq!(home.catalog().pull(&name("small"), &quiet).unwrap().state, State::OnDisk);
}

#[test]
fn with_no_source_the_program_says_what_to_do() {
    let home = Home::new();
    let text = home.catalog().best_or_pull(Modality::Text, Some(Language::Zh), &quiet).unwrap();
    assert_eq!(text.name.as_str(), "ngram-hash");
    let begun = Instant::now();
    let error = home.catalog().best_or_pull(Modality::Photo, None, &quiet).err().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6));
    let said = error.to_string();
    assert!(matches!(error, EncoderError::NoneFits { .. }));
    assert!(said.contains("simile models pull resnet50") && said.contains("--models"), "{said}");
    assert!(said.contains("127.0.0.1:1 does not answer"), "{said}");
}

#[test]
fn a_pinned_file_that_differs_is_refused() {
    let home = Home::new();
    let pin = "0".repeat(64);
    home.card(&format!(
        "[[sources]]\nkind = \"folder\"\npath = {:?}\nsha256 = {{ \"model.safetensors\" = \"{pin}\" }}\n",
        fixture("bert")
    ));
    let error = home.catalog().pull(&name("small"), &quiet).err().unwrap();
    assert_eq!(error.code(), "model.hash");
}

/// Follows a pull and ends it once so many bytes of the weights came.
struct Until(u64, std::sync::atomic::AtomicBool);

impl Watcher for Until {
    fn tell(&self, p: Progress) {
        if p.file == "model.safetensors" && p.done >= self.0 {
            self.1.store(true, Ordering::Relaxed);
        }
    }

    fn stopped(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

#[test]
fn a_pull_that_is_stopped_keeps_what_came() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    // No other source is asked.
    home.card(&format!("{}[[sources]]\nkind = \"folder\"\npath = {:?}\n", hub_source(), fixture("bert")));
    server.fault("model.safetensors", Fault::Drip(4000));
    let error = home.catalog().pull(&name("small"), &Until(20_000, false.into())).err().unwrap();
    assert_eq!((error.code(), error.was_stopped()), ("pull.stopped", true), "{error}");
    assert!(!home.places.pulled.join("small").exists());
    let part = home.places.pulled.join(".partial/small-0/model.safetensors.part");
    let kept = part.metadata().unwrap().len();
    assert!((20_000..46_072).contains(&kept), "{kept}");
    server.heal();
    server.log();
    home.catalog().pull(&name("small"), &quiet).unwrap();
    let log = server.log();
    assert!(log.iter().any(|line| line.ends_with(&format!("bytes={kept}-"))), "{kept}: {log:?}");
}

/// Stops a pull that has said nothing for a while.
#[derive(Default)]
struct Bored(std::sync::atomic::AtomicU32);

impl Watcher for Bored {
    fn tell(&self, _: Progress) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) > 3
    }
}

#[test]
fn a_pull_is_stopped_while_the_line_is_silent() {
    for fault in [Fault::Silent, Fault::Stall(1000)] {
        let server = HubServer::start(REPO, &fixture("bert"));
        let mut home = Home::new();
        home.places.hub.endpoint = server.url.clone();
        // The line's own limits are far away.
        home.places.hub.patience.answer = Duration::from_secs(60);
        home.places.hub.patience.stall = Duration::from_secs(60);
        home.card(&hub_source());
        server.fault("model.safetensors", fault);
        let error = home.catalog().pull(&name("small"), &Bored::default()).err().unwrap();
        assert!(error.was_stopped(), "{error}");
    }
}

#[test]
fn a_part_that_is_longer_than_the_file_is_begun_anew() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    server.fault("model.safetensors", Fault::Short(3000));
    home.catalog().pull(&name("small"), &quiet).err().unwrap();
    let part = home.places.pulled.join(".partial/small-0/model.safetensors.part");
    let mut longer = fs::read(&part).unwrap();
    longer.resize(5_000_000, 7);
    fs::write(&part, longer).unwrap();
    server.heal();
    home.catalog().pull(&name("small"), &quiet).unwrap();
}

#[test]
fn one_that_waits_for_another_pull_finds_the_encoder_there() {
    let server = HubServer::start(REPO, &fixture("bert"));
    let mut home = Home::new();
    home.places.hub.endpoint = server.url.clone();
    home.card(&hub_source());
    server.fault("model.safetensors", Fault::Drip(4000));
    let begun = std::sync::Barrier::new(3);
    let first_piece = std::sync::Once::new();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            home.catalog().pull(&name("small"), &|p: Progress| {
                if p.file == "model.safetensors" {
                    first_piece.call_once(|| {
                        begun.wait();
                    });
                }
            })
        });
        let second = scope.spawn(|| {
            begun.wait();
            home.catalog().pull_in_turn(&name("small"), &quiet)
        });
        // Whoever needs any encoder waits for this one, rather than take a lesser one.
        let third = scope.spawn(|| {
            begun.wait();
            home.catalog().best_or_pull(Modality::Text, Some(Language::En), &quiet)
        });
        for pull in [first, second, third] {
            let entry = pull.join().unwrap().unwrap();
            assert_eq!((entry.name.as_str(), entry.state), ("small", State::OnDisk));
        }
    });
    let asked = server.log().iter().filter(|line| line.contains("/cdn/")).count();
    assert_eq!(asked, 1, "it came once");
    // One that waits may be stopped.
    let folder = home.places.pulled.join(".partial");
    fs::remove_dir_all(home.places.pulled.join("small")).unwrap();
    let held = fs::File::create(folder.join("small.lock")).unwrap();
    held.try_lock().unwrap();
    let error = home.catalog().pull_in_turn(&name("small"), &Until(0, true.into())).err().unwrap();
    assert!(error.was_stopped(), "{error}");
}
