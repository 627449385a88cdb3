//! `cleaner-checkpoint`: how far compaction has come.
//!
//! ```text
//! 1 5d3bb0f2   version, CRC32C of the lines below
//! 4711         offsets below this may be missing
//! 4711         below this each key stands once
//! ```
//! The first number is on disk before the first segment is replaced: a log that finds a hole asks it whether
//! the hole was made. The second follows when all of them are. The mark of a clean shutdown tells both again.

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

    /// For one that is lost stands what the mark of a clean shutdown tells of it: `closed`. Without a mark, no
    /// checkpoint says that compaction was never here, and one that cannot be read that it was, somewhere below
    /// `sealed_end`: there the active segment begins, which compaction never touches.
    pub fn load<D: Disk>(
        disk: &D,
        dir: &Path,
        closed: Option<Checkpoint>,
        sealed_end: i64,
    ) -> Result<Checkpoint, LogError> {
        let Some(text) = small_file::read(disk, dir, Checkpoint::FILE, MAX_BYTES)? else {
            return Ok(closed.unwrap_or_default());
        };
        let unknown = Checkpoint { gaps_before: sealed_end, cleaned_to: 0 };
        Ok(Checkpoint::from_text(&text).or(closed).unwrap_or(unknown))
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
