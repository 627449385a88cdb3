//! A damaged place, and `being-mended`: the word left of it from before the first change to the log's files until
//! all of it is mended.
//!
//! ```text
//! 1 5d3bb0f2                   version, CRC32C of the lines below
//! 00000000000000004711.log     the damaged file
//! 240 4713 4799                position, first offset lost, where the log goes on
//! the checksum does not hold   reason
//! ```
//! What proves how far a damaged log had come may be what is set aside. Whoever opens the log after a crash in
//! between finds the same loss, tells it, and gives no offset out again.

use std::path::Path;

use crate::{disk::Disk, error::LogError, segment::base_of_log, small_file};

pub(crate) const FILE: &str = "being-mended";
const MAX_BYTES: u64 = 4096;

/// A damaged place. Whole batches behind it are set aside, not served: offsets between would be missing. Where
/// they may be, before the first segment and where compaction was, what is behind the damage is served.
///
/// Bit rot looks like this, and so does a power cut that let a later unsynced write reach the disk before an
/// earlier one. Both make an unclean replica; only the first loses what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The damaged `.log` file.
    pub file: String,
    pub position: u64,
    /// The first offset that is not served any more.
    pub offset: i64,
    /// The log goes on here: behind all that was set aside, acknowledged or not, or is known to be gone.
    pub until: i64,
    pub reason: String,
    /// The files that hold what was set aside.
    pub set_aside: Vec<String>,
    pub set_aside_bytes: u64,
}

impl Corruption {
    /// Two as one: from the first offset lost to behind both.
    pub(super) fn and(self, other: Option<Corruption>) -> Corruption {
        let Some(other) = other else { return self };
        let until = self.until.max(other.until);
        let (first, mut second) = if other.offset < self.offset { (other, self) } else { (self, other) };
        let mut set_aside = first.set_aside;
        set_aside.append(&mut second.set_aside);
        let set_aside_bytes = first.set_aside_bytes + second.set_aside_bytes;
        Corruption { until, set_aside, set_aside_bytes, ..first }
    }

    /// The first offset of the damaged segment.
    pub(super) fn base(&self) -> i64 {
        base_of_log(&self.file).unwrap_or_default()
    }

    pub(super) fn save<D: Disk>(&self, disk: &D, dir: &Path) -> Result<(), LogError> {
        let Corruption { file, position, offset, until, reason, .. } = self;
        let lines = format!("{file}\n{position} {offset} {until}\n{reason}\n");
        small_file::replace(disk, dir, FILE, small_file::checked(&lines).as_bytes())
    }

    /// One that a crash left half mended.
    pub(crate) fn load<D: Disk>(disk: &D, dir: &Path) -> Result<Option<Corruption>, LogError> {
        Ok(small_file::read(disk, dir, FILE, MAX_BYTES)?.and_then(|text| Corruption::from_text(&text)))
    }

    fn from_text(text: &str) -> Option<Corruption> {
        let mut lines = small_file::lines_of(text)?.lines();
        let file = lines.next()?.to_owned();
        let mut numbers = lines.next()?.split(' ');
        Some(Corruption {
            file,
            position: numbers.next()?.parse().ok()?,
            offset: numbers.next()?.parse().ok()?,
            until: numbers.next()?.parse().ok()?,
            reason: lines.next()?.to_owned(),
            set_aside: Vec::new(),
            set_aside_bytes: 0,
        })
    }
}

/// Durable when it returns.
pub(super) fn is_mended<D: Disk>(disk: &D, dir: &Path) -> Result<(), LogError> {
    small_file::remove(disk, dir, FILE)
}
