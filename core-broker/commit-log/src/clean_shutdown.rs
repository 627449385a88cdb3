//! `clean-shutdown`: says that everything was synced and the indexes written when the log was closed.
//!
//! ```text
//! 1 5d3bb0f2         version, CRC32C of the lines below
//! log_end: 4711
//! compacted: 4000 3500
//! ```
//! What was compacted stands in `cleaner-checkpoint` too; a log that has lost that file is whole by this one.
//! Older marks have the lines `version: 1` and `log_end: 4711` only.
//!
//! It is gone from the disk before the first write: a mark that outlives it would vouch for bytes it has
//! never seen. A log that is opened and closed and never written keeps it, and that costs nothing.

use std::{io, path::Path};

use crate::{
    compaction::Checkpoint,
    disk::Disk,
    error::{LogError, doing},
    small_file,
};

pub(crate) const FILE: &str = "clean-shutdown";
const MAX_BYTES: u64 = 256;

/// The log as it was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub log_end: i64,
    /// An older mark does not know.
    pub cleaner: Option<Checkpoint>,
}

impl Mark {
    pub fn save<D: Disk>(&self, disk: &D, dir: &Path) -> Result<(), LogError> {
        small_file::replace(disk, dir, FILE, self.to_text().as_bytes())
    }

    /// One that cannot be read vouches for nothing.
    pub fn load<D: Disk>(disk: &D, dir: &Path) -> Result<Option<Mark>, LogError> {
        let text = small_file::read(disk, dir, FILE, MAX_BYTES)?;
        Ok(text.and_then(|text| Mark::from_text(&text)))
    }

    /// How far compaction had come, if it had.
    pub fn compacted(&self) -> Option<Checkpoint> {
        self.cleaner.filter(|cleaner| *cleaner != Checkpoint::default())
    }

    fn to_text(&self) -> String {
        let mut lines = format!("log_end: {}\n", self.log_end);
        if let Some(Checkpoint { gaps_before, cleaned_to }) = self.cleaner {
            lines.push_str(&format!("compacted: {gaps_before} {cleaned_to}\n"));
        }
        small_file::checked(&lines)
    }

    pub fn from_text(text: &str) -> Option<Mark> {
        if let Some(older) = text.strip_prefix("version: 1\n") {
            let log_end = older.strip_prefix("log_end: ")?.strip_suffix('\n')?.parse().ok()?;
            return Some(Mark { log_end, cleaner: None });
        }
        let mut lines = small_file::lines_of(text)?.lines();
        let log_end = lines.next()?.strip_prefix("log_end: ")?.parse().ok()?;
        let (gaps_before, cleaned_to) = lines.next()?.strip_prefix("compacted: ")?.split_once(' ')?;
        let cleaner =
            Checkpoint { gaps_before: gaps_before.parse().ok()?, cleaned_to: cleaned_to.parse().ok()? };
        Some(Mark { log_end, cleaner: Some(cleaner) })
    }
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
