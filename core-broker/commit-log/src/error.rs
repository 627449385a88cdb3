//! What can go wrong with a log, in sentences for an operator.

use std::{
    io,
    path::{Path, PathBuf},
};

use kafka_wire::record_batch::BatchError;

use crate::scan::ChainError;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "{file} in {} has leader epoch {epoch} from offset {offset} on, and the partition is only at \
         {leader_epoch}: the batch there is damaged, or the metadata are older than the log; restore the one or \
         the other from a copy",
        dir.display()
    )]
    EpochAhead { dir: PathBuf, file: String, offset: i64, epoch: i32, leader_epoch: i32 },
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} has format version {found}; this program knows version {supported} only: \
         use the program that wrote it, or a later one", path.display()
    )]
    UnknownVersion { path: PathBuf, found: u32, supported: u32 },
    #[error("{} is not readable ({reason}): restore the file, or move the folder away and replicate anew", path.display())]
    BadMetadata { path: PathBuf, reason: String },
    #[error("{} belongs to topic id {found}, not to {expected}", path.display())]
    OtherTopic { path: PathBuf, expected: String, found: String },
    #[error("append refused: {0}")]
    Chain(#[from] ChainError),
    #[error("append refused: {0}")]
    BadBatch(#[from] BatchError),
    #[error("append of {bytes} bytes and {offsets} offsets does not fit into one segment")]
    TooLarge { bytes: usize, offsets: i64 },
    #[error("cannot cut the log at {offset}: it holds {log_start} to {log_end}")]
    CutOutOfRange { offset: i64, log_start: i64, log_end: i64 },
    #[error("the log cannot start at {offset}: it holds {log_start} to {log_end}")]
    StartOutOfRange { offset: i64, log_start: i64, log_end: i64 },
    #[error("a snapshot at {offset} cannot tell of a log that holds {log_start} to {log_end}")]
    SnapshotOutOfRange { offset: i64, log_start: i64, log_end: i64 },
    #[error("a snapshot of {bytes} bytes is too large to be kept")]
    SnapshotTooLarge { bytes: usize },
    #[error("compacting {file} at byte {position}: {source}")]
    Compaction { file: String, position: u64, source: BatchError },
    #[error("the log in {} takes no more writes until it is opened again, after: {reason}", dir.display())]
    Stopped { dir: PathBuf, reason: String },
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("offset {offset} is out of range: the log holds {start} to {end}")]
    OffsetOutOfRange { offset: i64, start: i64, end: i64 },
    #[error("{file} is damaged at byte {position}: {reason}")]
    Corrupt { file: String, position: u64, reason: String },
    #[error("reading {file}: {source}")]
    Io { file: String, source: io::Error },
}

impl LogError {
    /// The disk is full: room, not repair, is what the log needs.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, LogError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

/// For `map_err`: what was being done, to which file.
pub(crate) fn doing(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    move |source| LogError::Io { action, path: path.to_owned(), source }
}
