//! `cleaner-checkpoint`: how far compaction has come.
//!
//! ```text
//! 1 5d3bb0f2   version, CRC32C of the lines below
//! 4711         offsets below this may be missing
//! 4711         below this each key stands once
//! ```
//! The first number is on disk before the first segment is replaced: a log that finds a hole asks it whether
//! the hole was made. The second follows when all of them are.

use std::path::Path;

use crate::{disk::Disk, error::LogError, small_file};

const MAX_BYTES: u64 = 256;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub gaps_before: i64,
    pub cleaned_to: i64,
}

impl Checkpoint {
    pub const FILE: &str = "cleaner-checkpoint";

    pub fn save<D: Disk>(&self, disk: &D, dir: &Path) -> Result<(), LogError> {
        let lines = format!("{}\n{}\n", self.gaps_before, self.cleaned_to);
        small_file::replace(disk, dir, Checkpoint::FILE, small_file::checked(&lines).as_bytes())
    }

    /// `sealed_end` is where the active segment begins, which compaction never touches. A checkpoint that
    /// cannot be read still says that compaction was here, somewhere below it.
    pub fn load<D: Disk>(disk: &D, dir: &Path, sealed_end: i64) -> Result<Checkpoint, LogError> {
        let Some(text) = small_file::read(disk, dir, Checkpoint::FILE, MAX_BYTES)? else {
            return Ok(Checkpoint::default());
        };
        let unknown = Checkpoint { gaps_before: sealed_end, cleaned_to: 0 };
        Ok(Checkpoint::from_text(&text).unwrap_or(unknown))
    }

    /// The log was cut: what follows on `end` from here on is not compacted.
    pub fn cut(self, end: i64) -> Checkpoint {
        Checkpoint { gaps_before: self.gaps_before.min(end), cleaned_to: self.cleaned_to.min(end) }
    }

    fn from_text(text: &str) -> Option<Checkpoint> {
        let mut lines = small_file::lines_of(text)?.lines().map(str::parse);
        Some(Checkpoint { gaps_before: lines.next()?.ok()?, cleaned_to: lines.next()?.ok()? })
    }
}
