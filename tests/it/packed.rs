//! Packed weights in the cache: a second start takes them, whatever is wrong with them is found, and they come and go
//! with their encoder.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::home::{Home, PHOTO_ENCODER, TEXT_ENCODER, models};

/// A home with encoders of its own: `text`, and `photo` where it is asked for.
fn home(photo: bool) -> Home {
    let home = Home::new();
    let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
    copy(&bert, &home.path("models/text"));
    if photo {
        copy(&models().join(PHOTO_ENCODER), &home.path("models/photo"));
        home.photos("pics", 1);
    }
    home
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::write(to.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
}

/// The vector of one input, by a new process.
fn embed(home: &Home, encoder: &str, precision: &str, isa: Option<&str>) -> Value {
    let input = if encoder == "photo" { "pics/0.jpg" } else { "a word" };
    let mut command = home.command();
    command.env("SIMILE_MODELS", home.path("models"));
    if let Some(isa) = isa {
        command.env("SIMILE_ISA", isa);
    }
    let args = ["embed", input, "--encoder", encoder, "--precision", precision, "--json"];
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()[0]["vector"].clone()
}

fn text(home: &Home) -> Value {
    embed(home, "text", "f32", None)
}

fn folder(home: &Home) -> PathBuf {
    home.data().join("cache/packed")
}

fn files(home: &Home) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder(home)).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    files
}

fn the_file(home: &Home) -> PathBuf {
    let [file] = files(home).try_into().unwrap();
    file
}

/// Changes the weights of `text` so that nothing but their content tells.
fn change_secretly(home: &Home) {
    let path = home.path("models/text/model.safetensors");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    // The sign of every f32.
    bytes[header..].as_chunks_mut::<4>().0.iter_mut().step_by(3).for_each(|value| value[3] ^= 0x80);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn a_second_start_computes_with_what_the_first_packed() {
    let home = home(true);
    for (encoder, precisions) in [("text", ["f32", "bf16", "int8"]), ("photo", ["f32", "bf16", "int8"])] {
        for precision in precisions {
            let first = embed(&home, encoder, precision, None);
            let all = files(&home);
            let seen = |path: &PathBuf| {
                let meta = fs::metadata(path).unwrap();
                (meta.ino(), meta.modified().unwrap())
            };
            let before: Vec<_> = all.iter().map(seen).collect();
            assert_eq!(embed(&home, encoder, precision, None), first, "{encoder} in {precision}");
            assert_eq!((files(&home), all.iter().map(seen).collect::<Vec<_>>()), (all.clone(), before));
        }
    }
    assert_eq!(files(&home).len(), 6);

    // The weights are not even read: the vectors stay until what was packed is gone.
    let first = text(&home);
    change_secretly(&home);
    assert_eq!(text(&home), first);
    fs::remove_dir_all(home.data().join("cache")).unwrap();
    assert_ne!(text(&home), first);
}

#[test]
fn a_flipped_bit_a_cut_and_another_version_are_packed_anew() {
    let home = home(false);
    let want = text(&home);
    let path = the_file(&home);
    let whole = fs::read(&path).unwrap();
    let mut spoilt: Vec<Vec<u8>> = (0..12)
        .map(|i| {
            let mut bytes = whole.clone();
            let at = whole.len() * i / 12 + i;
            bytes[at] ^= 1 << (i % 8);
            bytes
        })
        .collect();
    spoilt.extend([0, 20, whole.len() / 2, whole.len() - 1].map(|cut| whole[..cut].to_vec()));
    // A later version of the layout.
    spoilt.push([b"simpack9", &whole[8..]].concat());
    for (i, bytes) in spoilt.into_iter().enumerate() {
        fs::write(&path, &bytes).unwrap();
        let deep = home.run(["doctor", "--deep", "--json"]);
        assert!(deep.out.contains("packed anew"), "case {i}: {deep:?}");
        assert_eq!(text(&home), want, "case {i}");
        assert_eq!(fs::read(the_file(&home)).unwrap(), whole, "case {i}");
    }
}

#[test]
fn changed_weights_of_the_same_name_are_packed_and_the_old_ones_go() {
    let home = home(false);
    let (first, old) = (text(&home), the_file(&home));
    change_secretly(&home);
    let file = File::options().write(true).open(home.path("models/text/model.safetensors")).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    assert_ne!(text(&home), first);
    assert_ne!(the_file(&home), old);
}

#[test]
fn where_nothing_can_be_kept_weights_are_packed_every_time() {
    let home = home(false);
    let want = text(&home);
    fs::remove_dir_all(home.data().join("cache")).unwrap();
    // No folder can be made where a file lies; a disk that is full or read-only refuses likewise.
    home.put("data/cache", b"in the way");
    assert_eq!(text(&home), want);
    assert_eq!(text(&home), want);
}

#[test]
fn every_instruction_set_and_precision_has_packed_weights_of_its_own() {
    let home = home(false);
    let names = |home: &Home| -> Vec<String> {
        let kernel = |path: &PathBuf| path.to_str().unwrap().rsplit('.').nth(1).unwrap().to_owned();
        files(home).iter().map(kernel).collect()
    };
    embed(&home, "text", "f32", Some("scalar"));
    assert_eq!(names(&home), ["scalar-f32"]);
    embed(&home, "text", "int8", Some("scalar"));
    assert_eq!(names(&home), ["scalar-f32", "scalar-int8"]);
    if simile_compute::Isa::named("avx2").is_some() {
        embed(&home, "text", "f32", Some("avx2"));
        assert_eq!(names(&home), ["avx2-f32", "scalar-f32", "scalar-int8"]);
    }
}

#[test]
fn what_auto_took_is_remembered_and_goes_with_the_encoder() {
    let home = home(false);
    home.command().args(["models", "add", "models/text", "--name", "mine"]).status().unwrap();
    let first = embed(&home, "mine", "auto", None);
    let has_bf16 = simile_compute::Isa::best().has_bf16();
    let choices = || files(&home).into_iter().filter(|path| path.to_str().unwrap().contains("-auto."));
    assert_eq!(choices().count(), usize::from(has_bf16));
    let before = files(&home).len();
    assert_eq!(embed(&home, "mine", "auto", None), first);
    assert_eq!(files(&home).len(), before);
    if let Some(choice) = choices().next() {
        // Without a word that it knows, it checks again.
        let said = fs::read(&choice).unwrap();
        fs::write(&choice, "bf17").unwrap();
        assert_eq!(embed(&home, "mine", "auto", None), first);
        assert_eq!(fs::read(&choice).unwrap(), said);
    }
    // A file that is being written now is nobody's to take away.
    fs::write(folder(&home).join(".packing-now"), b"half").unwrap();
    home.run(["models", "remove", "mine"]).ok();
    assert_eq!(files(&home), [folder(&home).join(".packing-now")]);
}

#[test]
fn a_start_is_measured_by_a_command() {
    let home = Home::new();
    let args = ["bench", "startup", "--photo-encoder", PHOTO_ENCODER, "--text-encoder", TEXT_ENCODER];
    let figures = home.run(args.into_iter().chain(["--rounds", "1", "--json"])).ok().json();
    let number = |field: &str| figures[field].as_f64().unwrap_or_else(|| panic!("{field}: {figures}"));
    assert!(number("ready_ms") > number("listening_ms"));
    assert!(number("resident_mb") > number("mapped_mb") && number("mapped_mb") > 1.0);
}
