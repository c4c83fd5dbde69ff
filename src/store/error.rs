//! What can go wrong on disk, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::lock::Hint;
use crate::types::{Coded, CollectionName, Dim, EncoderName, Fault, ItemKey};

/// Why the store could not do as asked. Whatever it was, what was acknowledged before is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("{path}: there is no data folder; index something first, or give another with --data")]
    Absent { path: PathBuf },
    #[error("{path}: is a file; give a folder with --data")]
    NotAFolder { path: PathBuf },
    #[error("{path}: lies in the data folder; give a folder elsewhere, best on another disk")]
    BackupWithin { path: PathBuf },
    #[error("{path}: another simile{} writes to this data folder; stop it, or send the command to it", by(.hint))]
    Locked { path: PathBuf, hint: Option<Hint> },
    #[error(
        "{path}: cannot be written to; change its owner or mode, or give another data folder with --data"
    )]
    ReadOnly { path: PathBuf },
    #[error("this data folder was opened for reading; open it for writing")]
    OpenedForReading,
    #[error("{path}: the disk is full; free some space and start again, nothing acknowledged is lost")]
    Full { path: PathBuf },
    #[error(
        "{path}: has format {found}, this simile knows up to {known}; use the newer simile that wrote it"
    )]
    NewerVersion { path: PathBuf, found: i64, known: i64 },
    #[error("{path}: has format {found}, older than {known}; open it once for writing (any index command)")]
    OlderVersion { path: PathBuf, found: i64, known: i64 },
    #[error("{path}: is damaged ({why}); bring it back from a backup, or remove it and index again")]
    Damaged { path: PathBuf, why: String },
    #[error("{path}: {source}; check the disk and start again")]
    Io { path: PathBuf, source: io::Error },
    #[error("the database reports: {source}; check the disk and start again")]
    Database { source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path}: holds no backup; give the folder that `simile backup` filled")]
    NoBackup { path: PathBuf },
    #[error(
        "{path}: is a backup of format {found}, this simile knows up to {known}; use the newer simile that made it"
    )]
    NewerBackup { path: PathBuf, found: u32, known: u32 },
    #[error("{path}: this backup is damaged ({why}); use another one, nothing was restored")]
    DamagedBackup { path: PathBuf, why: String },
    #[error(
        "{path}: has something in it that is no backup; give an empty folder, a new one, or an older backup"
    )]
    NotABackup { path: PathBuf },
    #[error("{path}: another simile backs up into this folder; wait until it ends")]
    BackupBusy { path: PathBuf },
    #[error("{path}: is not empty; restore into a new folder with --data, then move it where you want it")]
    NotEmpty { path: PathBuf },
    #[error("{path}: another simile restores into this folder; wait until it ends")]
    RestoreBusy { path: PathBuf },
    #[error("{path}: a restore into this folder did not end; run it again, or empty the folder")]
    HalfRestored { path: PathBuf },
    #[error("collection {name} exists already; choose another name")]
    Exists { name: CollectionName },
    #[error("collection number {id} is gone; list the collections")]
    NoCollection { id: i64 },
    #[error("job {id} does not exist; list the jobs")]
    NoJob { id: i64 },
    #[error("segment {id} is gone; open the collection again")]
    NoSegment { id: String },
    #[error("{key}: came with a vector, but its collection has no encoder yet; set the encoder first")]
    NoSpace { key: ItemKey },
    #[error(
        "{key}: the vector has {got} numbers, its collection wants {want}; encode it with the collection's encoder"
    )]
    WrongDim { key: ItemKey, got: Dim, want: Dim },
    #[error("{key}: was encoded for a space that its collection has left; encode it again")]
    OtherSpace { key: ItemKey },
    #[error("collection {name} has no vectors yet; index something into it first")]
    NotEncoded { name: CollectionName },
    #[error("collection {name} has the vectors of {encoder} already; choose another encoder")]
    SameSpace { name: CollectionName, encoder: EncoderName },
    #[error("collection {name} is being switched to {to}; let that end, or cancel it first")]
    Switching { name: CollectionName, to: EncoderName },
    #[error("this collection is not being switched to another encoder; begin a switch first")]
    NoSwitch,
    #[error("{count} texts or photos have no vector of the new encoder yet; let the switch go on")]
    SwitchLacks { count: usize },
    #[error("{key}: more than {max} parts; split the item")]
    TooManyParts { key: ItemKey, max: usize },
    #[error("{id:?} is no id of a space; use 1 to 128 letters, digits, '-' and '_'")]
    SpaceId { id: String },
}

fn by(hint: &Option<Hint>) -> String {
    match hint {
        Some(Hint { pid, address: Some(address), .. }) => format!(" (process {pid}, http://{address})"),
        Some(Hint { pid, address: None, .. }) => format!(" (process {pid})"),
        None => String::new(),
    }
}

impl StoreError {
    /// An I/O error of `path`, told apart by what a person can do about it.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.into() }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        let path = PathBuf::from("simile.db");
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full { path },
            Some(rusqlite::ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Damaged { path, why: source.to_string() }
            }
            _ => Self::Database { source: Box::new(source) },
        }
    }
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "store.absent",
            Self::NotAFolder { .. } => "store.not_a_folder",
            Self::BackupWithin { .. } => "backup.within",
            Self::Locked { .. } => "store.locked",
            Self::ReadOnly { .. } => "store.read_only",
            Self::OpenedForReading => "store.opened_for_reading",
            Self::Full { .. } => "store.full",
            Self::NewerVersion { .. } => "store.newer_version",
            Self::OlderVersion { .. } => "store.older_version",
            Self::Damaged { .. } => "store.damaged",
            Self::Io { .. } => "store.io",
            Self::Database { .. } => "store.database",
            Self::NoBackup { .. } => "backup.none",
            Self::NewerBackup { .. } => "backup.newer_version",
            Self::DamagedBackup { .. } => "backup.damaged",
            Self::NotABackup { .. } => "backup.other_folder",
            Self::BackupBusy { .. } => "backup.busy",
            Self::NotEmpty { .. } => "restore.not_empty",
            Self::RestoreBusy { .. } => "restore.busy",
            Self::HalfRestored { .. } => "restore.unfinished",
            Self::Exists { .. } => "collection.exists",
            Self::NoCollection { .. } => "collection.unknown",
            Self::NoJob { .. } => "job.unknown",
            Self::NoSegment { .. } => "store.segment_gone",
            Self::NoSpace { .. } => "collection.no_encoder",
            Self::WrongDim { .. } => "vector.dimension",
            Self::OtherSpace { .. } => "vector.other_space",
            Self::NotEncoded { .. } => "collection.no_encoder",
            Self::SameSpace { .. } => "switch.same",
            Self::Switching { .. } => "switch.other",
            Self::NoSwitch => "switch.none",
            Self::SwitchLacks { .. } => "switch.lacks",
            Self::TooManyParts { .. } => "item.parts",
            Self::SpaceId { .. } => "store.space_id",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Absent { .. } | Self::NoCollection { .. } | Self::NoJob { .. } | Self::NoBackup { .. } => {
                Fault::NotFound
            }
            Self::Locked { .. } | Self::BackupBusy { .. } | Self::RestoreBusy { .. } => Fault::Busy,
            Self::ReadOnly { .. } | Self::OpenedForReading => Fault::Forbidden,
            Self::NewerVersion { .. }
            | Self::NewerBackup { .. }
            | Self::OlderVersion { .. }
            | Self::NoSpace { .. }
            | Self::NotEncoded { .. } => Fault::Unavailable,
            Self::Exists { .. }
            | Self::OtherSpace { .. }
            | Self::SameSpace { .. }
            | Self::Switching { .. }
            | Self::NoSwitch
            | Self::SwitchLacks { .. }
            | Self::NotABackup { .. }
            | Self::BackupWithin { .. }
            | Self::NotEmpty { .. }
            | Self::HalfRestored { .. } => Fault::Conflict,
            Self::WrongDim { .. } | Self::SpaceId { .. } | Self::NotAFolder { .. } => Fault::Input,
            Self::TooManyParts { .. } => Fault::TooLarge,
            Self::Full { .. }
            | Self::Damaged { .. }
            | Self::DamagedBackup { .. }
            | Self::Io { .. }
            | Self::Database { .. }
            | Self::NoSegment { .. } => Fault::Internal,
        }
    }

    fn field(&self) -> Option<&str> {
        matches!(self, Self::WrongDim { .. }).then_some("vector")
    }

    fn item(&self) -> Option<String> {
        match self {
            Self::Absent { path }
            | Self::NotAFolder { path }
            | Self::BackupWithin { path }
            | Self::Locked { path, .. }
            | Self::ReadOnly { path }
            | Self::Full { path }
            | Self::NewerVersion { path, .. }
            | Self::OlderVersion { path, .. }
            | Self::Damaged { path, .. }
            | Self::Io { path, .. }
            | Self::NoBackup { path }
            | Self::NewerBackup { path, .. }
            | Self::DamagedBackup { path, .. }
            | Self::NotABackup { path }
            | Self::BackupBusy { path }
            | Self::RestoreBusy { path }
            | Self::HalfRestored { path }
            | Self::NotEmpty { path } => Some(path.display().to_string()),
            Self::Exists { name }
            | Self::NotEncoded { name }
            | Self::SameSpace { name, .. }
            | Self::Switching { name, .. } => Some(name.to_string()),
            Self::NoSpace { key }
            | Self::WrongDim { key, .. }
            | Self::OtherSpace { key }
            | Self::TooManyParts { key, .. } => Some(key.to_string()),
            Self::NoCollection { id } | Self::NoJob { id } => Some(id.to_string()),
            Self::NoSegment { id } | Self::SpaceId { id } => Some(id.clone()),
            _ => None,
        }
    }
}
