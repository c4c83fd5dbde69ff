//! Builds an index in a child process, so that an abort or running out of memory ends nobody else.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::protocol::{PART, Progress, Request, SAYS, SUBCOMMAND};
use super::{About, IndexError, Recipe};

/// What is built, from what, to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Holds the rows as little-endian f32, `[about.rows, about.dim]`, from `byte_offset` on.
    pub rows_file: PathBuf,
    pub byte_offset: u64,
    /// The index file; it appears whole or not at all.
    pub out: PathBuf,
    pub about: About,
    /// Chooses the rows that are trained on.
    pub seed: u64,
}

/// How often a cancel is looked for.
const TICK: Duration = Duration::from_millis(50);
/// What is kept of the child's stderr.
const STDERR_TAIL: usize = 2000;

/// Builds by running `program build-index`, which is simile itself; nothing for the recipe `Flat`, which needs no
/// file. The child runs at low priority and dies with its parent. One build per `out` at a time: what earlier
/// ones left beside it is removed.
///
/// # Errors
/// `Recipe` if it cannot be over these rows; `Cancelled` soon after `cancelled` is set; `BuildFailed` with the
/// child's last words however it ended; `Processor`; `Io` if it cannot be started.
pub fn build_in_child(
    program: &Path,
    build: &Build,
    mut on_progress: impl FnMut(Progress),
    cancelled: &AtomicBool,
) -> Result<(), IndexError> {
    let recipe = build.about.recipe;
    if recipe == Recipe::Flat {
        return Ok(());
    }
    if !super::faiss_usable() {
        return Err(IndexError::Processor);
    }
    let rows = usize::try_from(build.about.rows).unwrap_or(usize::MAX);
    if let Some(warning) = recipe.check(build.about.dim, rows)? {
        tracing::warn!("{warning}");
    }
    remove_parts(&build.out);
    let mut running = Running(spawn(program, build)?);
    let result = running.follow(build, &mut on_progress, cancelled);
    drop(running);
    if result.is_err() {
        remove_parts(&build.out);
    }
    result
}

fn spawn(program: &Path, build: &Build) -> Result<Child, IndexError> {
    Command::new(program)
        .arg(SUBCOMMAND)
        .args([&build.rows_file, &build.out])
        // Two pools, OpenMP's and OpenBLAS', work by turns: whoever waits must not spin.
        .env("OMP_WAIT_POLICY", "passive")
        .env("OPENBLAS_THREAD_TIMEOUT", "20")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(IndexError::io(program, "started"))
}

/// A child that never outlives its guard.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn follow(
        &mut self,
        build: &Build,
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<(), IndexError> {
        let recipe = build.about.recipe;
        let failed = |why: String| IndexError::BuildFailed { recipe, why };
        let stdout = self.0.stdout.take().expect("stdout is piped");
        let stderr = self.0.stderr.take().expect("stderr is piped");
        let last_words = thread::spawn(move || tail(stderr));
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.filter_map(|l| serde_json::from_str(&l).ok()).try_for_each(|p: Progress| send.send(p))
        });
        // Kept open while the child works: it ends itself when this end closes.
        let mut stdin = self.0.stdin.take().expect("stdin is piped");
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let about = build.about.clone();
        let request = Request { byte_offset: build.byte_offset, about, seed: build.seed, threads };
        let mut line = serde_json::to_vec(&request).expect("a request is plain JSON");
        line.push(b'\n');
        // A child that died at once is told by its status, not by the broken pipe.
        let _ = stdin.write_all(&line);
        loop {
            match receive.recv_timeout(TICK) {
                Ok(progress) => on_progress(progress),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if cancelled.load(Ordering::Relaxed) {
                return Err(IndexError::Cancelled { recipe });
            }
        }
        let status = self.0.wait().map_err(|e| failed(e.to_string()))?;
        let said = last_words.join().unwrap_or_default();
        if status.success() { Ok(()) } else { Err(failed(reason(status, &said))) }
    }
}

/// The child's own sentence, else how it ended with what else it said.
fn reason(status: ExitStatus, said: &str) -> String {
    match said.lines().rev().find_map(|line| line.strip_prefix(SAYS)) {
        Some(sentence) => sentence.to_owned(),
        None if said.trim().is_empty() => format!("its process ended with {status}"),
        None => format!("its process ended with {status}, saying: {}", said.trim()),
    }
}

/// The last of what is written, read to its end.
fn tail(mut from: impl Read) -> String {
    let (mut kept, mut block) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut block) {
        kept.extend_from_slice(&block[..n]);
        let surplus = kept.len().saturating_sub(STDERR_TAIL);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Removes what builds of `out` that were ended left behind.
fn remove_parts(out: &Path) {
    let (Some(folder), Some(name)) = (out.parent(), out.file_name()) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let name = name.as_encoded_bytes();
    for entry in entries.flatten() {
        let found = entry.file_name();
        let found = found.as_encoded_bytes();
        if found.len() > name.len() && found.starts_with(name) && found.ends_with(PART.as_bytes()) {
            // A leftover that stays is removed by the next build.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
