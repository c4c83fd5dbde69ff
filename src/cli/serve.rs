//! `simile serve`: opens the data folder, serves at once, and imports what was named as jobs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::progress::{draw, new_bar};
use super::{CliError, Global, exit, output};
use crate::ingest::{self, Request};
use crate::library::{JobView, Library};
use crate::store::{Access, JobId, JobState};
use crate::types::{CollectionName, Secret};
use crate::web::{self, Door};

/// Serve the web app and the API, on 127.0.0.1 or beyond.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile serve
  simile serve --port 9000 --index photos=~/Pictures --index faq=questions.csv
  simile serve --listen 0.0.0.0 --token-file token
  simile serve --token-file token --allow-host photos.example.org    (behind a reverse proxy)")]
pub struct Args {
    /// The port; 0 takes a free one [env: SIMILE_PORT; default: 8080]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The address to listen on, with a port or without; beyond 127.0.0.1 it wants --token-file
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDR", value_parser = address)]
    listen: Listen,
    /// Let in only who shows the token in this file, by a login page or as "Authorization: Bearer TOKEN"
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Answer to this name too, a reverse proxy's (repeat for several); wants --token-file
    #[arg(long = "allow-host", value_name = "NAME", value_parser = host, requires = "token_file")]
    hosts: Vec<String>,
    /// Import this source when serving begins (repeat for several)
    #[arg(long = "index", value_name = "COLLECTION=PATH", value_parser = source)]
    sources: Vec<(CollectionName, PathBuf)>,
}

/// Where to listen.
#[derive(Debug, Clone, Copy)]
struct Listen {
    ip: IpAddr,
    port: Option<u16>,
}

fn address(text: &str) -> Result<Listen, String> {
    let with_port = |at: SocketAddr| Listen { ip: at.ip(), port: Some(at.port()) };
    let alone = |ip: IpAddr| Listen { ip, port: None };
    let text = text.replacen("localhost", "127.0.0.1", 1);
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let parsed = text.parse().map(with_port).or_else(|_| bare.parse().map(alone));
    parsed.map_err(|_| "write an IP address, as 0.0.0.0, [::]:8080 or 192.168.1.5:8080".to_owned())
}

fn host(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let good = !text.is_empty() && text.chars().all(fine);
    if good {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write a name alone, as photos.example.org".to_owned())
    }
}

impl Args {
    /// Where to listen; refused before anything is opened if strangers could reach it and no token is asked for.
    fn address(&self, default: u16) -> Result<SocketAddr, CliError> {
        let Listen { ip, port } = self.listen;
        let port = match (self.port, port) {
            (Some(a), Some(b)) if a != b => {
                let message = format!("--port says {a} and --listen {b}; give one of them");
                return Err(CliError::new(exit::INPUT, "serve.two_ports", message));
            }
            (one, other) => one.or(other).unwrap_or(default),
        };
        if !ip.to_canonical().is_loopback() && self.token_file.is_none() {
            let message = format!(
                "{ip} is beyond this machine: whoever reaches it could read and change everything; give --token-file FILE \
                 (make one: openssl rand -hex 32 > token; chmod 600 token), or listen on 127.0.0.1"
            );
            return Err(CliError::new(exit::INPUT, "serve.token_wanted", message));
        }
        Ok(SocketAddr::new(ip, port))
    }

    fn door(&self) -> Result<Door, CliError> {
        let token = self.token_file.as_deref().map(web::read_token).transpose()?;
        let local_key = token.is_some().then(Secret::random);
        Ok(Door { token, local_key, hosts: self.hosts.clone(), ..Door::default() })
    }
}

/// Where this machine itself reaches a server that listens at `at`.
fn from_here(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
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
    let config = global.config()?;
    let at = args.address(config.serve.port)?;
    let door = args.door()?;
    let library = Library::open(config, Access::Write)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| {
        CliError::new(exit::INTERNAL, "serve.runtime", format!("no threads to serve with ({e})"))
    })?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(at)).map_err(|e| {
        let message = format!("{at} cannot be listened on ({e}); choose another --port, or another --listen");
        CliError::new(exit::UNAVAILABLE, "serve.port", message)
    })?;
    let at = listener.local_addr().unwrap_or(at);
    library.store().set_local_key(door.local_key.as_ref());
    library.store().set_address(Some(&from_here(at).to_string()));
    announce(global, at);
    tracing::info!(address = at.to_string(), version = env!("CARGO_PKG_VERSION"), "serving");
    match ingest::resume(&library) {
        Ok(0) => {}
        Ok(jobs) => tell!("{jobs} interrupted jobs go on"),
        Err(e) => tracing::warn!("interrupted jobs do not go on: {e}"),
    }
    ingest::switch::resume(&library);
    if let Err(e) = library.compact_where_worth_it() {
        tracing::warn!("dead rows stay for now: {e}");
    }
    for (collection, path) in args.sources {
        import(&library, collection, path);
    }
    let told = Arc::new(OnceLock::new());
    let served = runtime.block_on(serve_until_stopped(&library, listener, door, told.clone()));
    // Running jobs commit what they have and end; the lock goes with the process.
    library
        .jobs()
        .wait(told.get().map_or(JOBS_END, |told: &Instant| JOBS_END.saturating_sub(told.elapsed())));
    library.store().set_local_key(None);
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
    door: Door,
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
        served = web::serve_behind(door, library.clone(), listener, shutdown) => served,
        () = overdue => Ok(()),
    }
}

fn announce(global: &Global, at: SocketAddr) {
    let url = format!("http://{}/", from_here(at));
    if global.json {
        output::json(&serde_json::json!({"address": at.to_string(), "url": url}));
    } else {
        say!("simile is at {url}");
    }
    if !at.ip().to_canonical().is_loopback() {
        tell!(
            "listening on {at}: the token and all else travel unencrypted; put a reverse proxy with TLS before it (see the \
             guide, \"Beyond this machine\")"
        );
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn at(line: &str) -> Result<String, String> {
        let args = Line::try_parse_from(["serve"].into_iter().chain(line.split_whitespace()));
        let args = args.map_err(|e| e.kind().to_string())?.args;
        args.address(8080).map(|at| at.to_string()).map_err(|e| e.code)
    }

    #[test]
    fn beyond_this_machine_a_token_is_wanted() {
        let token = |line: &str| at(&format!("{line} --token-file t"));
        assert_eq!(at("").unwrap(), "127.0.0.1:8080");
        assert_eq!(at("--listen localhost:90").unwrap(), "127.0.0.1:90");
        assert_eq!(at("--listen ::1 --port 0").unwrap(), "[::1]:0");
        assert_eq!(at("--listen 127.0.0.2").unwrap(), "127.0.0.2:8080");
        for beyond in ["0.0.0.0", "::", "[::]:8080", "192.168.1.5:80", "::ffff:10.0.0.1"] {
            assert_eq!(at(&format!("--listen {beyond}")).unwrap_err(), "serve.token_wanted", "{beyond}");
            token(&format!("--listen {beyond}")).unwrap();
        }
        assert_eq!(token("--listen [::]:90 --port 90").unwrap(), "[::]:90");
        assert_eq!(at("--listen 127.0.0.1:90 --port 91").unwrap_err(), "serve.two_ports");
        assert!(at("--listen example.org").is_err());
        assert!(at("--allow-host a.example").is_err(), "a proxy lets strangers in");
        token("--allow-host a.example").unwrap();
        assert!(token("--allow-host http://a.example").is_err());
    }

    #[test]
    fn this_machine_reaches_what_listens_everywhere() {
        for (at, here) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")]
        {
            assert_eq!(from_here(at.parse().unwrap()).to_string(), here);
        }
    }
}
