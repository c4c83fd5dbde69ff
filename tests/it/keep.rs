//! What was acknowledged stays: kills at any moment, damaged files, backups beside a server, folders of a newer version.

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
use super::home::{FAQ, Home, PHOTO_ENCODER, TEXT_ENCODER, models};

/// An encoder without files.
const ENCODER: &str = "ngram-hash";

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
    fn deep(&self) -> Vec<bool> {
        let all = self.json();
        let deep = |check: &&Value| ["vectors", "uploads", "cache"].iter().any(|name| check["name"] == *name);
        all.as_array().unwrap().iter().filter(deep).map(|check| check["ok"].as_bool().unwrap()).collect()
    }
}

fn index(home: &Home, more: &[&str]) -> super::home::Ran {
    let mut args = vec!["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER, "--json"];
    args.extend(more);
    home.run(args)
}

fn hits(home: &Home, data: &Path) -> Value {
    let data = data.to_str().unwrap();
    let args = ["search", "--item", "3.jpg", "--collection", "photos", "--k", "5", "--json", "--data", data];
    home.run(args).ok().json()["hits"].take()
}

fn open(home: &Home) -> std::sync::Arc<Library> {
    let flags = Overrides { data: Some(home.data()), ..Overrides::default() };
    Library::open(Config::from_env(&flags).unwrap(), Access::Read).unwrap()
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
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
fn a_backup_beside_a_server_comes_back_as_it_was() {
    let home = Home::new();
    home.photos("pics", 6);
    home.put("faq.csv", FAQ.as_bytes());
    let server = Server::start(&home, &[]);
    index(&home, &[]).ok();
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", ENCODER, "--json"]).ok();
    let truth = hits(&home, &home.data());
    let first = home.run(["backup", "kept", "--json"]).ok().json();
    assert!(first["damaged"].as_array().unwrap().is_empty());
    let second = home.run(["backup", "kept", "--json"]).ok().json();
    assert_eq!((&second["files"], &second["copied"]), (&first["files"], &0.into()), "nothing is new");
    let refused = home.run(["backup", "pics", "--json"]);
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (5, &"backup.other_folder".into()));
    let taken = home.run(["restore", "kept", "--json"]);
    assert_eq!((taken.code, &taken.json()["error"]["code"]), (5, &"restore.not_empty".into()));

    let back = home.run(["restore", "kept", "--data", "back", "--json"]).ok().json();
    assert_eq!(back["files"], first["files"]);
    assert_eq!(hits(&home, &home.path("back")), truth);
    let checked = home.run(["doctor", "--deep", "--json", "--data", "back"]);
    assert_eq!(checked.deep(), [true, true, true]);
    let ask = ["ask", "I want a refund", "--collection", "faq", "--k", "1", "--data", "back", "--json"];
    assert_eq!(home.run(ask).ok().json()["hits"][0]["key"], "refund");
    drop(server);
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

#[test]
fn a_backup_carries_the_encoders_of_the_data_folder_unless_told_not_to() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    let own = models().join(TEXT_ENCODER);
    for name in ["mine", "twin"] {
        home.run(["models", "add", own.to_str().unwrap(), "--name", name]).ok();
    }
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", "mine", "--json"]).ok();
    let weights = |doctor: &super::home::Ran| -> Vec<bool> {
        let all = doctor.json();
        let mine = all.as_array().unwrap().iter().filter(|check| check["name"] == "weights");
        mine.map(|check| check["ok"].as_bool().unwrap()).collect()
    };
    let full = home.run(["backup", "kept", "--json"]).ok().json();
    let again = home.run(["backup", "kept", "--json"]).ok().json();
    assert_eq!((&again["files"], &again["copied"]), (&full["files"], &0.into()), "nothing is new");
    // What both have lies there once.
    let objects = files(home.path("kept/files")).len() as u64;
    assert!(objects < full["files"].as_u64().unwrap() - 2, "{objects} of {full}");
    let bare = home.run(["backup", "bare", "--no-models", "--json"]).ok().json();
    assert!(bare["files"].as_u64().unwrap() + 8 <= full["files"].as_u64().unwrap(), "{bare} {full}");

    // Restored where there is neither that folder nor a network.
    let ask = |data: &str| {
        let mut command = home.command();
        command.env("SIMILE_MODELS", home.path("nowhere")).env("SIMILE_DATA", home.path(data));
        let out = command.args(["ask", "I want a refund", "--collection", "faq", "--k", "1", "--json"]);
        let out = out.output().unwrap();
        (out.status.code().unwrap(), serde_json::from_slice::<Value>(&out.stdout).unwrap())
    };
    home.run(["restore", "kept", "--data", "back", "--json"]).ok();
    let (code, answer) = ask("back");
    assert_eq!((code, &answer["hits"][0]["key"]), (0, &"refund".into()), "{answer}");
    let doctor = home.run(["doctor", "--deep", "--json", "--data", "back"]);
    assert_eq!((doctor.deep(), weights(&doctor)), (vec![true, true, true], vec![true]));
    home.run(["restore", "bare", "--data", "bare-back", "--json"]).ok();
    let (code, answer) = ask("bare-back");
    assert_eq!((code, &answer["error"]["code"]), (4, &"encoder.unknown".into()), "{answer}");

    // A byte that turned is told by doctor, and by the next backup.
    let file = home.path("back/models/mine/model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let doctor = home.run(["doctor", "--deep", "--json", "--data", "back"]);
    assert_eq!((doctor.code, weights(&doctor)), (6, vec![true, false]), "{doctor:?}");
    let told = home.run(["backup", "kept2", "--data", "back", "--json"]);
    let damaged = told.json()["damaged"].to_string();
    assert!(told.code == 3 && damaged.contains("models remove mine"), "{told:?}");
}

#[test]
fn a_restore_killed_at_any_moment_leaves_all_or_nothing_and_the_next_one_cleans_up() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", ENCODER, "--json"]).ok();
    for n in 0..250 {
        home.put(format!("data/models/mine/{n}.txt"), format!("words {n}").as_bytes());
    }
    home.run(["backup", "kept", "--json"]).ok();
    let (mut chance, mut killed, mut halves, begin) = (0x2545_f491_4f6c_dd1d_u64, 0, 0, Instant::now());
    while killed < 16 {
        assert!(begin.elapsed() < Duration::from_secs(120), "{killed} kills");
        // Every second time into a folder that is there.
        let there = killed % 2 == 0;
        let target = home.path("back");
        if there {
            std::fs::create_dir_all(&target).unwrap();
        }
        let mut child = home.command();
        let child =
            child.args(["restore", "kept", "--data", "back"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let shop = if there { home.path("back/.restoring") } else { home.path(".back.restoring") };
        while !shop.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(300));
        }
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((chance >> 33) % 60_000));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += usize::from(!ended);
        let whole = target.join("simile.db").exists();
        halves += usize::from(!whole && shop.exists());
        if !whole {
            // Nothing takes the half for a data folder, and the next restore is not in its way.
            let args =
                ["index", "faq.csv", "--collection", "x", "--encoder", ENCODER, "--data", "back", "--json"];
            if there && shop.exists() {
                assert_eq!(home.run(args).json()["error"]["code"], "restore.unfinished");
            }
            home.run(["restore", "kept", "--data", "back", "--json"]).ok();
        }
        let doctor = home.run(["doctor", "--deep", "--json", "--data", "back"]);
        assert_eq!(doctor.deep(), [true, true, true]);
        assert_eq!(files(home.path("back/models/mine")).len(), 250);
        assert!(whole || !home.path(".back.restoring").exists() && !home.path("back/.restoring").exists());
        std::fs::remove_dir_all(&target).unwrap();
        let _ = std::fs::remove_dir_all(home.path(".back.restoring"));
    }
    assert!(halves > 3, "{halves} of {killed} kills were in the middle");
}

#[test]
fn a_mount_point_is_restored_into() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", ENCODER, "--json"]).ok();
    home.run(["backup", "kept", "--json"]).ok();
    std::fs::create_dir(home.path("disk")).unwrap();
    // The mount lives in a namespace of its own and ends with the shell.
    let script = "mount -t tmpfs none disk && mkdir disk/lost+found && \"$0\" restore kept --data disk --json \
                  && \"$0\" doctor --deep --data disk --json";
    let mut command = home.command();
    let program = command.get_program().to_owned();
    command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(program);
    command.current_dir(home.path("")).env("HF_HUB_OFFLINE", "1").env("SIMILE_MODELS", models());
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("all vectors are as they were written"), "{said}");
    assert!(!said.contains("\"ok\":false"), "{said}");
    assert_eq!(std::fs::read_dir(home.path("disk")).unwrap().count(), 0, "nothing lies below the mount");
}
