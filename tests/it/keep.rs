//! What was acknowledged stays: kills at any moment, damaged files, folders of a newer version.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use simile::config::{Config, Overrides};
use simile::library::Library;
use simile::store::{Access, Filter, Store};

use super::handover::Server;
use super::home::{Home, PHOTO_ENCODER};

/// An encoder without files.
pub const ENCODER: &str = "ngram-hash";

/// What another program sees committed: the keys of all items.
fn committed(home: &Home) -> BTreeSet<String> {
    let read = || -> rusqlite::Result<BTreeSet<String>> {
        let db = home.data().join("simile.db");
        let conn = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.prepare("SELECT key FROM items")?.query_map([], |row| row.get(0))?.collect()
    };
    // Before the first start there is no table yet.
    read().unwrap_or_default()
}

fn count(home: &Home) -> usize {
    let open = Connection::open_with_flags(home.data().join("simile.db"), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let count =
        open.and_then(|conn| conn.query_row("SELECT count(*) FROM items", [], |row| row.get::<_, u32>(0)));
    count.unwrap_or(0) as usize
}

fn table(rows: usize) -> String {
    let mut table = "id,question,answer\n".to_owned();
    for i in 0..rows {
        table += &format!("q{i},What is the meaning of number {i} in this list?,It is {i}.\n");
    }
    table
}

const KILLS: usize = 50;
/// Entries that each round's table has more than the last one's.
const STEP: usize = 160;

#[test]
fn kill_9_at_fifty_moments_of_an_import_loses_nothing_that_was_acknowledged() {
    let home = Home::new();
    let args = ["index", "faq.csv", "--collection", "faq", "--encoder", ENCODER, "--json"];
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut killed, mut in_the_middle, mut rounds) = (0, 0, 0);
    let begin = Instant::now();
    while killed < KILLS {
        rounds += 1;
        assert!(rounds < 4 * KILLS && begin.elapsed() < Duration::from_secs(240), "{killed} kills");
        let sent = STEP * rounds;
        home.put("faq.csv", table(sent).as_bytes());
        let before = committed(&home);
        let mut child =
            home.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Every second one a while after its first commit, the others at any moment from the start.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_micros((chance >> 33) % 60_000);
        if rounds % 2 == 0 {
            while count(&home) == before.len() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        std::thread::sleep(moment);
        let acknowledged = committed(&home);
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += usize::from(!ended);
        let after = committed(&home);
        assert!(before.is_subset(&acknowledged) && acknowledged.is_subset(&after), "round {rounds}");
        in_the_middle += usize::from(!ended && after.len() > before.len() && after.len() < sent);
        whole(&home, &after, sent, rounds);
    }
    assert!(in_the_middle > KILLS / 10, "{in_the_middle} of {killed} kills were between two commits");
    let sent = STEP * rounds;
    home.run(args).ok();
    assert_eq!(committed(&home).len(), sent);
    let last = format!("What is the meaning of number {} in this list?", sent - 1);
    let answer = home.run(["ask", &last, "--collection", "faq", "--k", "1", "--json"]).ok().json();
    assert_eq!(answer["hits"][0]["key"], format!("q{}", sent - 1));
    assert_eq!(home.run(["doctor", "--deep", "--json"]).deep(), [true, true, true]);
}

/// Nothing that was never sent, and every item with all its parts and their vectors.
fn whole(home: &Home, keys: &BTreeSet<String>, sent: usize, round: usize) {
    let number = |key: &String| key.strip_prefix('q').and_then(|n| n.parse::<usize>().ok());
    assert!(keys.iter().all(|key| number(key).is_some_and(|n| n < sent)), "round {round}");
    // As the next program finds it: first one that reads, then one that writes.
    for access in [Access::Read, Access::Write] {
        let store = match Store::open(&home.data(), access) {
            Ok(store) => store,
            Err(e) if keys.is_empty() => return assert!(e.to_string().contains("no data folder"), "{e}"),
            Err(e) => panic!("round {round}: {e}"),
        };
        let Some(faq) = store.collection(&"faq".parse().unwrap()).unwrap() else {
            return assert!(keys.is_empty());
        };
        assert_eq!(faq.items as usize, keys.len(), "round {round}");
        assert!(store.lost_vectors(faq.id).unwrap().is_empty(), "round {round}");
        assert!(store.lacking_vectors(faq.id).unwrap().is_empty(), "round {round}");
        let items = store.list(faq.id, &Filter::default(), None, usize::MAX).unwrap();
        let parts: usize = items.iter().map(|item| item.parts.len()).sum();
        assert_eq!(store.live(faq.id).unwrap().len(), parts, "round {round}");
        // All checksums now and then: reading everything fifty times takes long.
        if round.is_multiple_of(10) {
            assert_eq!(store.check().unwrap(), [""; 0], "round {round}");
        }
    }
}

impl super::home::Ran {
    /// How the three deep checks ended.
    pub fn deep(&self) -> Vec<bool> {
        let all = self.json();
        let deep = |check: &&Value| ["vectors", "uploads", "cache"].iter().any(|name| check["name"] == *name);
        all.as_array().unwrap().iter().filter(deep).map(|check| check["ok"].as_bool().unwrap()).collect()
    }
}

pub fn index(home: &Home, more: &[&str]) -> super::home::Ran {
    let mut args = vec!["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];
    args.extend(more);
    home.run(args)
}

pub fn hits(home: &Home, data: &Path) -> Value {
    let data = data.to_str().unwrap();
    let args = ["search", "--item", "3.jpg", "--collection", "photos", "--k", "5", "--json", "--data", data];
    home.run(args).ok().json()["hits"].take()
}

fn open(home: &Home) -> std::sync::Arc<Library> {
    let flags = Overrides { data: Some(home.data()), ..Overrides::default() };
    Library::open(Config::from_env(&flags).unwrap(), Access::Read).unwrap()
}

pub fn files(folder: PathBuf) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).into_iter().flatten();
    all.filter(|e| e.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn a_flipped_byte_in_the_cache_is_told_and_never_a_wrong_hit() {
    let home = Home::new();
    home.photos("pics", 12);
    index(&home, &["--recipe", "IVF2,Flat"]).ok();
    let truth = hits(&home, &home.data());
    assert_eq!(home.run(["doctor", "--deep", "--json"]).deep(), [true, true, true]);
    let name = "photos".parse().unwrap();

    let index_file = files(home.path("data/cache/ann")).remove(0);
    let bytes = std::fs::read(&index_file).unwrap();
    let places: Vec<usize> = (0..bytes.len()).step_by(997).collect();
    assert!(places.len() > 20);
    for &at in &places {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&index_file, flipped).unwrap();
        // Left out, not believed.
        let collection = open(&home).collection(&name).unwrap();
        assert_eq!(collection.info().unwrap().index, "Flat", "byte {at}");
    }
    assert_eq!(hits(&home, &home.data()), truth);
    let told = home.run(["doctor", "--deep", "--json"]);
    assert_eq!((told.code, told.deep()), (6, vec![true, true, false]));
    // The next program that writes builds it again.
    index(&home, &[]).ok();
    assert_eq!(std::fs::read(&index_file).unwrap(), bytes);
    assert_eq!(home.run(["doctor", "--deep", "--json"]).deep(), [true, true, true]);

    let collection = open(&home).collection(&name).unwrap();
    let key = "3.jpg".parse().unwrap();
    let picture = collection.thumbnail(&key).unwrap();
    for path in files(home.path("data/cache/thumbs")) {
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, flipped).unwrap();
            assert_eq!(open(&home).check_caches().damaged, std::slice::from_ref(&path), "byte {at}");
            assert_eq!(collection.thumbnail(&key).unwrap(), picture, "byte {at}");
            std::fs::write(&path, &bytes).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_in_what_is_true_is_told_and_a_shorter_segment_is_indexed_again() {
    let home = Home::new();
    home.photos("pics", 6);
    index(&home, &[]).ok();
    let truth = hits(&home, &home.data());
    let segment = files(home.path("data/vectors")).remove(0);
    let bytes = std::fs::read(&segment).unwrap();
    let mut flipped = bytes.clone();
    flipped[4096 + 100] ^= 1;
    std::fs::write(&segment, &flipped).unwrap();
    let told = home.run(["doctor", "--deep", "--json"]);
    assert_eq!((told.code, told.deep()), (6, vec![false, true, true]));
    assert!(told.out.contains("restore a backup"), "{told:?}");
    std::fs::write(&segment, &bytes[..bytes.len() - 2 * 512 * 4 - 7]).unwrap();
    let told = home.run(["doctor", "--json"]);
    assert!(told.code == 6 && told.out.contains("lost"), "{told:?}");
    // Searched as far as it goes, without a crash; and whole again after the next import.
    let few = home.run(["search", "--item", "0.jpg", "--collection", "photos", "--k", "9", "--json"]);
    assert_eq!(few.ok().json()["hits"].as_array().unwrap().len(), 2);
    let report = index(&home, &[]).ok().json();
    assert_eq!((&report["unchanged"], &report["replaced"]), (&3.into(), &3.into()), "{report}");
    assert_eq!(hits(&home, &home.data()), truth);
    assert_eq!(home.run(["doctor", "--deep", "--json"]).deep(), [true, true, true]);
}

#[test]
fn a_folder_of_a_newer_version_is_refused_by_every_command_and_left_alone() {
    let home = Home::new();
    home.photos("pics", 2);
    index(&home, &[]).ok();
    let db = home.data().join("simile.db");
    Connection::open(&db).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&db).unwrap();
    let commands: [&[&str]; 6] = [
        &["index", "pics", "--collection", "photos"],
        &["search", "pics/0.jpg", "--collection", "photos"],
        &["collections"],
        &["collections", "compact", "photos"],
        &["backup", "backup"],
        &["serve", "--port", "0"],
    ];
    for args in commands {
        let ran = home.run(args.iter().chain(&["--json"]));
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (6, &"store.newer_version".into()), "{args:?}");
    }
    let doctor = home.run(["doctor"]);
    assert!(doctor.code == 6 && doctor.out.contains("newer"), "{doctor:?}");
    assert_eq!(std::fs::read(&db).unwrap(), before);
}

#[test]
fn dead_vectors_go_after_an_import_on_demand_and_beside_a_server() {
    let home = Home::new();
    let rows = |home: &Home| {
        let bytes: u64 =
            files(home.path("data/vectors")).iter().map(|f| f.metadata().unwrap().len() - 4096).sum();
        bytes / (768 * 4)
    };
    let put = |count: usize, word: &str| {
        home.put("faq.csv", table(count).replace("meaning", word).as_bytes());
        let args =
            ["index", "faq.csv", "--collection", "faq", "--encoder", ENCODER, "--prune", "--force", "--json"];
        home.run(args).ok();
    };
    put(400, "meaning");
    assert_eq!(rows(&home), 400);
    // Everything replaced: half of all rows are dead, and go at the end of the import.
    put(400, "sense");
    assert_eq!(rows(&home), 400);
    // So few that only a person's word is worth it.
    put(300, "sense");
    assert_eq!(rows(&home), 400);
    put(280, "sense");
    let done = home.run(["collections", "compact", "faq", "--json"]).ok().json();
    assert_eq!((&done["dropped"], rows(&home)), (&120.into(), 280));
    let unknown = home.run(["collections", "compact", "nothing", "--json"]);
    assert_eq!(unknown.code, 4, "{unknown:?}");

    put(150, "sense");
    let server = Server::start(&home, &[]);
    let done = home.run(["collections", "compact", "faq", "--json"]).ok().json();
    assert_eq!((&done["dropped"], rows(&home)), (&130.into(), 150));
    let question = "What is the sense of number 77 in this list?";
    let (status, answer) =
        server.send("POST", "/collections/faq/ask", &format!(r#"{{"text": "{question}", "k": 1}}"#));
    assert_eq!((status, &answer["hits"][0]["key"]), (200, &"q77".into()));
}
