//! The Hugging Face hub, or a mirror of it: its cache on this disk first, then `resolve` addresses over HTTP.
//! Every wait has a limit; what broke off is gone on with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::{Agent, Body};

use super::answer::{Response, follow, hash_in, header, is_timeout, same_host, total};
use super::line::{Pieces, ask};
use super::{SourceError, Wanted, Watcher, files, go_on, told};
use crate::config::HubSettings;

const REDIRECTS: usize = 5;
/// Attempts at one file, as long as each brings some of it.
const ATTEMPTS: usize = 5;
const COMMIT: &str = ".commit";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client that remembers when the hub did not answer.
pub struct Hub {
    agent: Agent,
    settings: HubSettings,
    /// Why nobody answered: the next model need not wait again.
    down: Mutex<Option<String>>,
}

/// What is asked for.
pub struct Repo<'a> {
    pub repo: &'a str,
    pub revision: &'a str,
}

/// One file as the hub told of it on the way to it.
#[derive(Default)]
struct Told {
    commit: Option<String>,
    /// Known for large files only.
    sha256: Option<String>,
    /// The same: the whole file's.
    bytes: Option<u64>,
}

impl Hub {
    pub fn new(settings: &HubSettings) -> Self {
        let patience = settings.patience;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("simile/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.answer))
            .timeout_per_read(Some(patience.stall))
            .build()
            .into();
        Self { agent, settings: settings.clone(), down: Mutex::default() }
    }

    /// Fills `staging` with the repository's files.
    pub fn fetch(
        &self,
        repo: &Repo,
        wanted: &Wanted,
        staging: &Path,
        label: &str,
        watcher: &dyn Watcher,
    ) -> Result<(), SourceError> {
        if let Some(snapshot) = self.cached(repo)
            && files::copy(&snapshot, wanted, staging, label, watcher).is_ok()
        {
            return Ok(());
        }
        go_on(watcher)?;
        if self.settings.offline {
            return Err(SourceError::Offline);
        }
        if let Some(why) = self.down.lock().expect("no holder panics").clone() {
            return Err(self.unreachable(why));
        }
        files::each(wanted, self.address(repo, ""), |file| {
            self.take(repo, wanted, staging, &Following { watcher, label, file })
        })
    }

    /// What other programs keep in HF_HOME.
    fn cached(&self, repo: &Repo) -> Option<PathBuf> {
        let name = format!("models--{}", repo.repo.replace('/', "--"));
        let folder = self.settings.cache.as_ref()?.join(name);
        let commit = fs::read_to_string(folder.join("refs").join(repo.revision)).ok()?;
        let commit = commit.trim();
        let plain = !commit.is_empty() && commit.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| folder.join("snapshots").join(commit)).filter(|path| path.is_dir())
    }

    fn address(&self, repo: &Repo, file: &str) -> String {
        let revision = utf8_percent_encode(repo.revision, UNRESERVED);
        format!("{}/{}/resolve/{revision}/{file}", self.settings.endpoint, repo.repo)
    }

    /// Whether `file` is there; then it lies whole in `staging`.
    fn take(
        &self,
        repo: &Repo,
        wanted: &Wanted,
        staging: &Path,
        following: &Following<'_>,
    ) -> Result<bool, SourceError> {
        let file = following.file;
        let target = staging.join(Wanted::place(file));
        let required = wanted.required.contains(&file);
        // Required files are small and tell the commit: they are always asked for.
        if target.is_file() && !required {
            return Ok(true);
        }
        let url = self.address(repo, file);
        let mut before = None;
        for attempt in 1.. {
            let (error, done) = match self.download(&url, &target, following) {
                Ok(told) => {
                    if required {
                        same_commit(staging, wanted, told.commit.as_deref())?;
                    }
                    return Ok(true);
                }
                Err(SourceError::Missing { .. }) if !required => return Ok(false),
                Err(error) => (error, fs::metadata(part(&target)).map_or(0, |meta| meta.len())),
            };
            let broke_off = matches!(error, SourceError::Stalled { .. } | SourceError::Short { .. });
            if !broke_off || attempt == ATTEMPTS || before.is_some_and(|before| done <= before) {
                return Err(error);
            }
            before = Some(done);
        }
        unreachable!("the loop ends by returning")
    }

    /// Goes on with `target`'s part if the server still has the same file, checks size and hash, and names it.
    fn download(&self, url: &str, target: &Path, following: &Following<'_>) -> Result<Told, SourceError> {
        let part = part(target);
        let fail = |e| SourceError::io(&part, e);
        let have = fs::metadata(&part).map_or(0, |meta| meta.len());
        let etag = fs::read_to_string(etag_of(&part)).ok().filter(|_| have > 0);
        following.tell(have, None)?;
        let (response, told) = match self.get(url, etag.as_deref().map(|etag| (have, etag)), following) {
            // The part is no part of what is there now.
            Err(SourceError::Status { status: 416, .. }) if have > 0 => {
                fs::remove_file(&part).map_err(fail)?;
                self.get(url, None, following)?
            }
            other => other?,
        };
        let resumed = response.status() == 206;
        if let Some(folder) = part.parent() {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        let done = if resumed { have } else { 0 };
        let total = total(&response, done).or(told.bytes);
        if let (Some(want), Some(got)) = (told.bytes, total)
            && want != got
        {
            return Err(wrong_size(url, &part, got, want));
        }
        let etag = header(response.headers(), "etag").filter(|etag| !etag.starts_with("W/"));
        let mut file =
            if resumed { OpenOptions::new().append(true).open(&part) } else { File::create(&part) }
                .map_err(fail)?;
        match etag {
            Some(etag) => fs::write(etag_of(&part), etag).map_err(fail)?,
            None => drop(fs::remove_file(etag_of(&part))),
        }
        let done = self
            .receive(url, response.into_body(), &mut file, done, total, following)
            .map_err(|error| error.unwrap_or_else(|e| SourceError::io(&part, e)))?;
        file.sync_all().map_err(fail)?;
        match total {
            Some(total) if done < total => {
                return Err(SourceError::Short { url: url.to_owned(), done, total });
            }
            Some(total) if done > total => return Err(wrong_size(url, &part, done, total)),
            _ => {}
        }
        if let Some(want) = &told.sha256 {
            let got = files::sha256(&part)?;
            if got != *want {
                fs::remove_file(&part).map_err(fail)?;
                return Err(SourceError::Hash { file: url.to_owned(), got, want: want.clone() });
            }
        }
        let _ = fs::remove_file(etag_of(&part));
        fs::rename(&part, target).map_err(fail)?;
        Ok(told)
    }

    /// `Err(Ok)`: the network failed; `Err(Err)`: the disk.
    fn receive(
        &self,
        url: &str,
        body: Body,
        file: &mut File,
        mut done: u64,
        total: Option<u64>,
        following: &Following<'_>,
    ) -> Result<u64, Result<SourceError, io::Error>> {
        let pieces = Pieces::of(body.into_reader());
        while let Some(piece) = pieces.next(following.watcher).map_err(Ok)? {
            match piece {
                Ok(piece) => {
                    file.write_all(&piece).map_err(Err)?;
                    done += piece.len() as u64;
                    following.tell(done, total).map_err(Ok)?;
                }
                Err(e) if is_timeout(&e) => {
                    let seconds = self.settings.patience.stall.as_secs();
                    return Err(Ok(SourceError::Stalled { url: url.to_owned(), seconds }));
                }
                Err(_) => {
                    return Err(Ok(SourceError::Short {
                        url: url.to_owned(),
                        done,
                        total: total.unwrap_or(0),
                    }));
                }
            }
        }
        Ok(done)
    }

    /// GET through redirects; the token goes to the endpoint's own host only.
    fn get(
        &self,
        url: &str,
        resume: Option<(u64, &str)>,
        following: &Following<'_>,
    ) -> Result<(Response, Told), SourceError> {
        let mut told = Told::default();
        let mut address = url.to_owned();
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(&address);
            if let Some(token) =
                self.settings.token.as_ref().filter(|_| same_host(&address, &self.settings.endpoint))
            {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if let Some((from, etag)) = resume {
                request = request.header("range", format!("bytes={from}-")).header("if-range", etag);
            }
            let response =
                ask(following.watcher, move || request.call())?.map_err(|e| self.failed(&address, &e))?;
            let headers = response.headers();
            told.commit = told.commit.or_else(|| header(headers, "x-repo-commit"));
            told.sha256 =
                told.sha256.or_else(|| header(headers, "x-linked-etag").and_then(|tag| hash_in(&tag)));
            told.bytes = told.bytes.or_else(|| header(headers, "x-linked-size")?.parse().ok());
            match response.status().as_u16() {
                200 | 206 => return Ok((response, told)),
                301 | 302 | 303 | 307 | 308 => {
                    let location = header(headers, "location").unwrap_or_default();
                    address = follow(&address, &location).ok_or_else(|| SourceError::Odd {
                        url: address.clone(),
                        why: format!("it redirects to {location:?}"),
                    })?;
                }
                404 | 410 => return Err(SourceError::Missing { url: url.to_owned() }),
                status @ (401 | 403) => return Err(SourceError::Denied { url: url.to_owned(), status }),
                status => return Err(SourceError::Status { url: url.to_owned(), status }),
            }
        }
        Err(SourceError::Odd { url: url.to_owned(), why: format!("more than {REDIRECTS} redirects") })
    }

    fn failed(&self, url: &str, error: &ureq::Error) -> SourceError {
        match error {
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => {
                SourceError::Odd { url: url.to_owned(), why: error.to_string() }
            }
            _ => {
                *self.down.lock().expect("no holder panics") = Some(error.to_string());
                self.unreachable(error.to_string())
            }
        }
    }

    fn unreachable(&self, why: String) -> SourceError {
        SourceError::Unreachable { host: self.settings.endpoint.clone(), why }
    }
}

/// Who hears how far a file is, and may end it.
struct Following<'a> {
    watcher: &'a dyn Watcher,
    label: &'a str,
    file: &'a str,
}

impl Following<'_> {
    /// The bytes so far, and those of the whole file.
    fn tell(&self, done: u64, total: Option<u64>) -> Result<(), SourceError> {
        told(self.watcher, self.label, self.file, done, total)
    }
}

/// What came is no part of the file; the next attempt begins anew.
fn wrong_size(url: &str, part: &Path, got: u64, want: u64) -> SourceError {
    let _ = fs::remove_file(part);
    SourceError::Size { url: url.to_owned(), got, want }
}

/// The commit that the hub told for what lies in `staging`.
pub fn commit(staging: &Path) -> Option<String> {
    fs::read_to_string(staging.join(COMMIT)).ok()
}

/// Files of two commits are not mixed: a new one makes all but the required begin again.
fn same_commit(staging: &Path, wanted: &Wanted, commit: Option<&str>) -> Result<(), SourceError> {
    let Some(commit) = commit else { return Ok(()) };
    let path = staging.join(COMMIT);
    if fs::read_to_string(&path).is_ok_and(|old| old != commit) {
        for file in wanted.all().filter(|file| !wanted.required.contains(file)) {
            let target = staging.join(Wanted::place(file));
            for stale in [part(&target), target] {
                let _ = fs::remove_file(stale);
            }
        }
    }
    fs::write(&path, commit).map_err(|e| SourceError::io(&path, e))
}

fn part(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn etag_of(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".etag");
    name.into()
}
