//! `simile serve`: opens the data folder, serves at once, and imports what was named as jobs.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::progress::{draw, new_bar};
use super::{CliError, Global, exit, output};
use crate::ingest::{self, Request};
use crate::library::{JobView, Library};
use crate::store::{Access, JobId, JobState};
use crate::types::CollectionName;
use crate::web;

/// Serve the web app and the API on 127.0.0.1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile serve
  simile serve --port 9000 --index photos=~/Pictures --index faq=questions.csv")]
pub struct Args {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8080, value_name = "N")]
    port: u16,
    /// Import this source when serving begins (repeat for several)
    #[arg(long = "index", value_name = "COLLECTION=PATH", value_parser = source)]
    sources: Vec<(CollectionName, PathBuf)>,
}

/// A stop takes at most ten seconds: after so long answers under way are cut, after so long jobs are left to the next start.
const ANSWERS_END: Duration = Duration::from_secs(6);
const JOBS_END: Duration = Duration::from_secs(9);

fn source(text: &str) -> Result<(CollectionName, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("write it as COLLECTION=PATH")?;
    let name = name.parse().map_err(|e| format!("{e}"))?;
    if path.is_empty() {
        return Err("the path behind '=' is empty".to_owned());
    }
    Ok((name, std::path::absolute(path).unwrap_or_else(|_| path.into())))
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    let library = Library::open(global.config()?, Access::Write)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| {
        CliError::new(exit::INTERNAL, "serve.runtime", format!("no threads to serve with ({e})"))
    })?;
    let listener =
        runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", args.port))).map_err(|e| {
            let message = format!("port {} cannot be used ({e}); choose another one with --port", args.port);
            CliError::new(exit::UNAVAILABLE, "serve.port", message)
        })?;
    let address = listener.local_addr().map(|a| a.to_string()).unwrap_or_default();
    library.store().set_address(Some(&address));
    announce(global, &address);
    tracing::info!(address, version = env!("CARGO_PKG_VERSION"), "serving");
    match ingest::resume(&library) {
        Ok(0) => {}
        Ok(jobs) => tell!("{jobs} interrupted jobs go on"),
        Err(e) => tracing::warn!("interrupted jobs do not go on: {e}"),
    }
    for (collection, path) in args.sources {
        import(&library, collection, path);
    }
    let told = Arc::new(OnceLock::new());
    let served = runtime.block_on(serve_until_stopped(&library, listener, told.clone()));
    // Running jobs commit what they have and end; the lock goes with the process.
    library
        .jobs()
        .wait(told.get().map_or(JOBS_END, |told: &Instant| JOBS_END.saturating_sub(told.elapsed())));
    tracing::info!("stopped");
    // An answer that is still being made must not hold the program.
    runtime.shutdown_background();
    served.map_err(|e| CliError::new(exit::INTERNAL, "serve.failed", format!("serving ended ({e})")))?;
    Ok(0)
}

/// Serves until a signal comes, whose time is noted, and what was being answered is answered.
async fn serve_until_stopped(
    library: &Arc<Library>,
    listener: tokio::net::TcpListener,
    at: Arc<OnceLock<Instant>>,
) -> io::Result<()> {
    let (told, stopping) = tokio::sync::oneshot::channel();
    let jobs = library.clone();
    let shutdown = async move {
        stop_signal().await;
        tracing::info!("stopping");
        at.get_or_init(Instant::now);
        // Jobs come to their end while the last answers go out.
        jobs.jobs().interrupt_all();
        let _ = told.send(());
    };
    let overdue = async {
        let _ = stopping.await;
        tokio::time::sleep(ANSWERS_END).await;
    };
    tokio::select! {
        served = web::serve(library.clone(), listener, shutdown) => served,
        () = overdue => Ok(()),
    }
}

fn announce(global: &Global, address: &str) {
    if global.json {
        output::json(&serde_json::json!({"address": address, "url": format!("http://{address}/")}));
    } else {
        say!("simile is at http://{address}/");
    }
}

/// Starts an import, and follows it in the terminal.
fn import(library: &Arc<Library>, collection: CollectionName, path: PathBuf) {
    let name = format!("{collection}");
    let request = Request::new(collection, path);
    match ingest::start(library, request) {
        Ok(job) => {
            let library = library.clone();
            thread::spawn(move || follow(&library, job, &name));
        }
        Err(e) => tell!("{name}: {}", output::plain(&e.to_string())),
    }
}

fn follow(library: &Library, job: JobId, name: &str) {
    let mut bar = None;
    while let Ok(view) = library.jobs().get(job) {
        match view.state {
            JobState::Queued => {}
            JobState::Running => draw(bar.get_or_insert_with(new_bar), &view.progress),
            _ => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                return tell!("{name}: {}", output::plain(&sentence(&view)));
            }
        }
        thread::sleep(Duration::from_millis(250));
    }
}

fn sentence(view: &JobView) -> String {
    match (&view.error, &view.report) {
        (Some(error), _) => format!("{} [{}]", error.message, error.code),
        (None, Some(report)) => {
            let count = |field: &str| report[field].as_u64().unwrap_or_default();
            let rejected = report["rejected"].as_array().map_or(0, Vec::len);
            format!(
                "{} indexed, {} unchanged, {} replaced, {rejected} rejected",
                count("indexed"),
                count("unchanged"),
                count("replaced")
            )
        }
        (None, None) => view.state.as_str().to_owned(),
    }
}

/// Resolves at Ctrl-C or SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
