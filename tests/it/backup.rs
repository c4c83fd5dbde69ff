//! Backups beside a server, and what a restore leaves when it is killed or given a mount point.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::handover::Server;
use super::home::{FAQ, Home, TEXT_ENCODER, models};
use super::keep::{ENCODER, files, hits, index};

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
