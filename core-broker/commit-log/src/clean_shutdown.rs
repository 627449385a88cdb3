//! `clean-shutdown`: says that everything was synced and the indexes written when the log was closed.
//!
//! ```text
//! version: 1
//! log_end: 4711
//! ```
//! It is gone from the disk before the first write: a mark that outlives it would vouch for bytes it has
//! never seen. A log that is opened and closed and never written keeps it, and that costs nothing.

use std::{io, path::Path};

use crate::{
    disk::Disk,
    error::{LogError, doing},
    small_file,
};

const FILE: &str = "clean-shutdown";
const MAX_BYTES: u64 = 256;

pub(crate) fn mark<D: Disk>(disk: &D, dir: &Path, log_end: i64) -> Result<(), LogError> {
    small_file::replace(disk, dir, FILE, format!("version: 1\nlog_end: {log_end}\n").as_bytes())
}

/// Whether there is a mark, right or wrong.
pub(crate) fn is_there<D: Disk>(disk: &D, dir: &Path) -> Result<bool, LogError> {
    Ok(small_file::read(disk, dir, FILE, MAX_BYTES)?.is_some())
}

/// The log end that the mark vouches for. One that cannot be read vouches for nothing.
pub(crate) fn vouched_end<D: Disk>(disk: &D, dir: &Path) -> Result<Option<i64>, LogError> {
    let Some(text) = small_file::read(disk, dir, FILE, MAX_BYTES)? else { return Ok(None) };
    let log_end = text.strip_prefix("version: 1\nlog_end: ").and_then(|rest| rest.strip_suffix('\n'));
    Ok(log_end.and_then(|digits| digits.parse().ok()))
}

/// Durable when it returns.
pub(crate) fn remove<D: Disk>(disk: &D, dir: &Path) -> Result<(), LogError> {
    let path = dir.join(FILE);
    match disk.remove(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed.map_err(doing("removing", &path))?;
            disk.sync_dir(dir).map_err(doing("syncing", dir))
        }
    }
}
