//! What can go wrong, in the words of who must act on it.

use std::{io, path::PathBuf};

/// Why a commit or a read was not done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The caller broke its own promise; nothing was written and the store goes on.
    #[error("the batch was not written: {0}")]
    BadBatch(String),
    #[error("the disk is full: nothing of this batch was stored")]
    DiskFull(#[source] io::Error),
    #[error("the disk failed: nothing of this batch is acknowledged")]
    Io(#[source] io::Error),
    /// Reopen with [`crate::StoreConfig::verify`].
    #[error("the outbox file is damaged: {0}")]
    Corrupted(String),
    #[error("an earlier write failed: drop this store and open it again")]
    Poisoned,
    #[error("the store was closed")]
    Closed,
}

/// Why the store could not be opened. Damage is not among the reasons: it is moved aside.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot use {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    #[error("the outbox was written by a later release (format {found}, this one knows {known})")]
    LaterFormat { found: u32, known: u32 },
    #[error("the disk failed while opening")]
    Disk(#[source] StoreError),
    #[error("the outbox file is damaged: {0}")]
    Damaged(String),
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(error) => from_io(error),
            redb::StorageError::PreviousIo => StoreError::Poisoned,
            redb::StorageError::DatabaseClosed => StoreError::Closed,
            other => StoreError::Corrupted(other.to_string()),
        }
    }
}

fn from_io(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull(error),
        // What redb says of bytes that cannot be what it wrote.
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => StoreError::Corrupted(error.to_string()),
        _ => StoreError::Io(error),
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            other => StoreError::Corrupted(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => StoreError::Corrupted(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => StoreError::Corrupted(other.to_string()),
        }
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            other => StoreError::Corrupted(other.to_string()),
        }
    }
}
