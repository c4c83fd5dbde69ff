//! Indexes built by the real program in a child process: whole or absent, cancelled, dying, orphaned.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use simile::index::{About, Ann, Build, IndexError, Stage, build_in_child, flat};
use simile::types::{Coded, Dim, Vector};

const SIMILE: &str = env!("CARGO_BIN_EXE_simile");
const HEADER: u64 = 4096;

struct Segment {
    dir: tempfile::TempDir,
    rows: Vec<f32>,
    dim: Dim,
}

impl Segment {
    /// Seeded unit rows behind a header page, as a segment file has them.
    fn new(n: usize, d: usize) -> Self {
        let (dim, mut seed) = (Dim::new(d).unwrap(), 5u64);
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let mut row = || Vector::unit((0..d).map(|_| next()).collect(), dim).unwrap().into_inner();
        let rows: Vec<f32> = (0..n).flat_map(|_| row()).collect();
        let segment = Self { dir: tempfile::tempdir().unwrap(), rows, dim };
        segment.store();
        segment
    }

    fn store(&self) {
        let mut bytes = vec![0xab; HEADER as usize];
        bytes.extend(self.rows.iter().flat_map(|v| v.to_le_bytes()));
        std::fs::write(self.file(), bytes).unwrap();
        std::fs::create_dir_all(self.ann()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("s.seg")
    }

    fn ann(&self) -> PathBuf {
        self.dir.path().join("ann")
    }

    fn build(&self, recipe: &str) -> Build {
        let rows = (self.rows.len() / self.dim.get()) as u64;
        let about = About { segment: "s".to_owned(), recipe: recipe.parse().unwrap(), rows, dim: self.dim };
        let out = self.ann().join(about.file_name());
        Build { rows_file: self.file(), byte_offset: HEADER, out, about, seed: 1 }
    }

    /// Names in the folder of indexes.
    fn left(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.ann()).unwrap().map(|e| e.unwrap().file_name().into()).collect()
    }
}

fn run(program: &Path, build: &Build) -> Result<Vec<Stage>, IndexError> {
    let mut stages = Vec::new();
    let seen = |p: simile::index::Progress| {
        assert!(p.done <= p.total);
        stages.push(p.stage);
    };
    build_in_child(program, build, seen, &AtomicBool::new(false))?;
    stages.dedup();
    Ok(stages)
}

fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn every_recipe_is_built_whole_and_finds_its_rows() {
    let segment = Segment::new(3000, 32);
    let query = Vector::unit(segment.rows[40 * 32..][..32].to_vec(), segment.dim).unwrap();
    for recipe in ["IVF16,Flat", "IVF16,PQ8", "IVF16,PQ16x4", "IVF16,SQ8", "HNSW16"] {
        let build = segment.build(recipe);
        let stages = run(Path::new(SIMILE), &build).unwrap();
        match recipe {
            "HNSW16" => assert_eq!(stages, [Stage::Add, Stage::Write]),
            _ => assert_eq!(stages, [Stage::Train, Stage::Add, Stage::Write]),
        }
        let ann = Ann::open(&build.out, &build.about).unwrap();
        let found = ann.search(&query, 5, None).unwrap();
        let near = flat::rescore(&segment.rows, segment.dim, &query, found.rows);
        assert_eq!(near[0].row, 40, "{recipe}");
    }
    assert_eq!(segment.left().len(), 5, "nothing but the indexes");
    assert_eq!(run(Path::new(SIMILE), &segment.build("Flat")).unwrap(), [], "Flat needs no file");
    assert_eq!(segment.left().len(), 5);
}

#[test]
fn folders_may_have_any_name() {
    let segment = Segment::new(300, 8);
    let odd = segment.dir.path().join(std::ffi::OsStr::from_bytes(b"\xff\n\"<b>"));
    std::fs::create_dir(&odd).unwrap();
    std::fs::copy(segment.file(), odd.join("s.seg")).unwrap();
    let build = segment.build("IVF4,Flat");
    let build = Build { rows_file: odd.join("s.seg"), out: odd.join("x.faiss"), ..build };
    run(Path::new(SIMILE), &build).unwrap();
    Ann::open(&build.out, &build.about).unwrap();
}

#[test]
fn a_cancelled_build_ends_soon_and_leaves_nothing() {
    let segment = Segment::new(60_000, 64);
    let build = segment.build("HNSW64");
    std::fs::write(segment.ann().join(format!("{}.999.part", build.about.file_name())), b"of an earlier one")
        .unwrap();
    let (cancelled, mut since) = (AtomicBool::new(false), None);
    let cancel_while_adding = |p: simile::index::Progress| {
        if p.stage == Stage::Add && since.is_none() {
            since = Some(Instant::now());
            cancelled.store(true, Ordering::Relaxed);
        }
    };
    let err = build_in_child(Path::new(SIMILE), &build, cancel_while_adding, &cancelled).unwrap_err();
    assert_eq!(err.code(), "index.cancelled");
    assert!(since.unwrap().elapsed() < Duration::from_secs(5));
    assert!(segment.left().is_empty(), "{:?}", segment.left());
}

#[test]
fn however_a_child_ends_it_becomes_an_error_that_says_why() {
    let segment = Segment::new(300, 8);
    let build = segment.build("IVF4,Flat");
    for (text, says) in [
        ("read line; echo terminate called after std::bad_alloc >&2; kill -9 $$", "bad_alloc"),
        ("exit 7", "exit status: 7"),
        ("yes | head -c 1000000 >&2; echo the end >&2; exit 1", "the end"),
    ] {
        let err = run(&script(segment.dir.path(), text), &build).unwrap_err();
        assert_eq!(err.code(), "index.build_failed");
        assert!(err.to_string().contains(says) && err.to_string().len() < 3000, "{err}");
    }
    assert_eq!(run(Path::new("/nowhere/simile"), &build).unwrap_err().code(), "index.io");
    assert!(segment.left().is_empty());
}

#[test]
fn bad_rows_and_folders_are_told_in_the_childs_own_words() {
    let mut segment = Segment::new(300, 8);
    let fails = |build: &Build, says: &str| {
        let err = run(Path::new(SIMILE), build).unwrap_err();
        assert_eq!(err.code(), "index.build_failed", "{err}");
        assert!(err.to_string().contains(says), "{err}");
    };
    let build = segment.build("IVF4,Flat");
    fails(&Build { byte_offset: HEADER + 1, ..build.clone() }, "shorter than its rows");
    fails(&Build { rows_file: "/nowhere".into(), ..build.clone() }, "/nowhere");
    fails(&Build { out: segment.dir.path().join("missing/x"), ..build.clone() }, "could not write the index");
    let few = run(Path::new(SIMILE), &segment.build("IVF301,Flat")).unwrap_err();
    assert_eq!((few.code(), few.field()), ("recipe.too_few_rows", Some("recipe")));
    segment.rows[77] = f32::NAN;
    segment.store();
    fails(&build, "NaN");
    assert!(segment.left().is_empty());
}

#[test]
fn a_child_ends_with_its_parent() {
    let segment = Segment::new(60_000, 64);
    let build = segment.build("HNSW64");
    let mut child = Command::new(SIMILE)
        .arg("build-index")
        .args([&build.rows_file, &build.out])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let request = serde_json::json!({ "byte_offset": HEADER, "about": build.about, "seed": 1, "threads": 1 });
    writeln!(stdin, "{request}").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it builds while stdin is open");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(segment.left().is_empty());
}
