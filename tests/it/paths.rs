//! Paths that lead out, nowhere, or to what is no file: refused or left out with a reason, never waited for.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::ImageFormat;
use serde_json::json;

use crate::home::{Home, PHOTO_ENCODER, TEXT_ENCODER, photo};
use crate::web::{TestApp, encoded};

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Files below a folder, to see that none came to be where none belongs.
fn files(folder: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    all.filter(|e| !e.file_type().is_dir()).map(|e| e.into_path()).collect()
}

#[test]
fn a_folder_of_odd_things_is_indexed_as_far_as_it_holds_photos() {
    let app = TestApp::start();
    app.photos();
    let outside = app.folder.path().join("outside.jpg");
    std::fs::write(&outside, photo(9, ImageFormat::Jpeg)).unwrap();
    let odd = app.folder.path().join("odd");
    std::fs::create_dir_all(odd.join("sub")).unwrap();
    std::fs::write(odd.join("good.jpg"), photo(1, ImageFormat::Jpeg)).unwrap();
    pipe(&odd.join("pipe.jpg"));
    let _socket = UnixListener::bind(odd.join("socket.jpg")).unwrap();
    symlink(&outside, odd.join("link.jpg")).unwrap();
    symlink("/proc", odd.join("proc")).unwrap();
    symlink(&odd, odd.join("sub/again")).unwrap();
    symlink("/dev/zero", odd.join("zero.jpg")).unwrap();
    symlink("nowhere", odd.join("broken.jpg")).unwrap();
    let begun = app.post("/api/v1/collections/photos/index", &json!({"path": odd.to_str().unwrap()}));
    let view = app.ended(begun.json()["job"].as_i64().unwrap());
    assert_eq!((&view["report"]["indexed"], &view["report"]["skipped"]), (&json!(1), &json!(7)), "{view}");
    assert_eq!(app.get("/api/v1/collections/photos/items").json()["items"].as_array().unwrap().len(), 1);

    // What was a photo when it was indexed may be something else now.
    std::fs::remove_file(odd.join("good.jpg")).unwrap();
    pipe(&odd.join("good.jpg"));
    assert!(app.get("/c/photos/photo/good.jpg").status >= 400);
    let again = app.post("/api/v1/collections/photos/index", &json!({"path": odd.to_str().unwrap()}));
    let view = app.ended(again.json()["job"].as_i64().unwrap());
    assert_eq!((&view["state"], &view["report"]["vanished"]), (&json!("done"), &json!(1)), "{view}");
}

#[test]
fn what_simile_keeps_is_left_out_of_a_folder_around_it() {
    let home = Home::new();
    home.photos("pics", 2);
    let index = |path: &str, collection: &str| {
        home.run(["index", path, "--collection", collection, "--encoder", PHOTO_ENCODER, "--json"])
    };
    index("pics", "photos").ok();
    home.run(["backup", "bk"]).ok();
    // An upload, its thumbnail, their copy in a backup; and a photo that somebody put beside them.
    let theirs = photo(50, ImageFormat::Jpeg);
    for ours in ["data/blobs/ab/cdef", "data/cache/thumbs/ab/cdef.jpg", "bk/files/ab/cdef"] {
        home.put(ours, &theirs);
    }
    home.put("data/mine/sea.jpg", &photo(51, ImageFormat::Jpeg));
    assert_eq!(index(".", "all").ok().json()["indexed"], 3);
    let answer = home.run(["search", ".", "--collection", "all", "--k", "1", "--json"]).ok().json();
    assert_eq!(answer.as_array().unwrap().len(), 3);
    for within in ["data/blobs", "data/cache/thumbs", "bk/files/ab"] {
        let ran = index(within, "none");
        assert_eq!(
            (ran.code, &ran.json()["error"]["code"]),
            (2, &json!("path.special")),
            "{within}: {ran:?}"
        );
    }
    assert!(!home.run(["collections", "--json"]).out.contains("none"));
}

#[test]
fn what_is_no_file_cannot_be_indexed() {
    let app = TestApp::start();
    app.photos().faq();
    let fifo = app.folder.path().join("faq.csv");
    pipe(&fifo);
    let disguised = app.folder.path().join("environ.csv");
    symlink("/proc/self/environ", &disguised).unwrap();
    let odd = ["/proc", "/proc/self", "/proc/self/environ", "/proc/kmsg", "/sys", "/dev/zero", "/dev/null"];
    let odd = odd.map(Path::new).into_iter().chain([fifo.as_path(), disguised.as_path()]);
    for path in odd.filter(|path| path.symlink_metadata().is_ok()) {
        for collection in ["photos", "faq"] {
            let index = format!("/api/v1/collections/{collection}/index");
            let told = app.post(&index, &json!({"path": path.to_str().unwrap()})).problem();
            assert_eq!((told.0, told.1.as_str(), told.2.as_str()), (400, "path.special", "path"), "{path:?}");
        }
    }
    for (path, code) in [("../x", "path.relative"), ("", "path.relative"), ("/nowhere/../x", "path.missing")]
    {
        let told = app.post("/api/v1/collections/photos/index", &json!({"path": path})).problem();
        assert_eq!((told.1.as_str(), told.2.as_str()), (code, "path"), "{path:?}");
    }
    let nul = app.post("/api/v1/collections/photos/index", &json!({"path": "/tmp/a\0b"})).problem();
    assert_eq!(nul.0, 400, "{nul:?}");
}

#[test]
fn no_address_leads_out_of_the_server() {
    let app = TestApp::start();
    app.photos().put_photo("a.jpg", 1);
    for up in [
        "..",
        "%2e%2e",
        "..%2f..",
        "%2e%2e%2f%2e%2e",
        "..%5c..",
        "%00",
        "....//",
        "/etc/passwd",
        "%2fetc%2fpasswd",
    ] {
        for base in [
            "/static/x",
            "/static",
            "/c/photos/photo",
            "/c/photos/thumb",
            "/c/photos/item",
            "/c",
            "/query",
            "/api/v1/collections/photos/items",
            "/api/v1/collections",
            "/api/v1/jobs",
        ] {
            for end in ["", "/Cargo.toml", "/simile.db", "/etc/passwd"] {
                let path = format!("{base}/{up}{end}");
                let reply = app.get(&path);
                let text = reply.text();
                assert!(!text.contains("root:") && !text.contains("SQLite format"), "{path}");
                assert!(
                    reply.status >= 400 || reply.header("content-type").contains("html"),
                    "{path}: {}",
                    reply.status
                );
            }
        }
    }
    // A key is a name and never a place on disk.
    for key in ["../../escape.jpg", "/tmp/escape.jpg", "a/../../../escape.jpg"] {
        let path = format!("/api/v1/collections/photos/items/{}", encoded(key));
        let jpeg = photo(5, ImageFormat::Jpeg);
        app.send("PUT", &path, &[("content-type", "image/jpeg")], &jpeg);
    }
    let up: Vec<&Path> = app.folder.path().ancestors().skip(1).collect();
    for folder in up {
        assert!(!folder.join("escape.jpg").exists(), "{}", folder.display());
    }
    let inside = files(app.folder.path());
    assert!(!inside.iter().any(|p| p.to_string_lossy().contains("escape")), "{inside:?}");
}

#[test]
fn commands_wait_for_no_pipe() {
    let home = Home::new();
    home.photos("pics", 1);
    pipe(&home.path("pipe"));
    pipe(&home.path("pipe.jpg"));
    pipe(&home.path("pipe.csv"));
    home.run(["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER]).ok();
    let told = |args: &[&str]| {
        let ran = home.run([args, &["--json"]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.json()["error"]["code"].as_str().unwrap().to_owned()
    };
    let special = "path.special";
    assert_eq!(told(&["index", "pipe", "--collection", "photos"]), special);
    assert_eq!(told(&["index", "pipe.csv", "--collection", "faq", "--encoder", TEXT_ENCODER]), special);
    assert_eq!(told(&["index", "/proc", "--collection", "photos"]), special);
    assert_eq!(told(&["search", "pipe.jpg", "--collection", "photos"]), special);
    assert_eq!(
        told(&["search", "/proc/self/environ", "--photo", "--collection", "photos"]),
        "photo.not_a_picture"
    );
    assert_eq!(told(&["embed", "pipe.jpg", "--photo", "--encoder", PHOTO_ENCODER]), special);
    assert_eq!(told(&["serve", "--token-file", "pipe"]), "token.unreadable");
}
