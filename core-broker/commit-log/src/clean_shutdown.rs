//! `clean-shutdown`: says that everything was synced and the indexes written when the log was closed.
//!
//! ```text
//! 1 5d3bb0f2         version, CRC32C of the lines below
//! log_end: 4711
//! compacted: 4000 3500
//! 0 4000 1048576     each segment: first offset, where the next one begins, bytes
//! 4000 4711 52000
//! ```
//! What was compacted stands in `cleaner-checkpoint` too; a log that has lost that file is whole by this one.
//! By the segments one that is gone is missed where no hole tells of it: the first, or one among others that
//! compaction left holes in. Of more than 50,000 none is told. Older marks have the lines `version: 1` and
//! `log_end: 4711` only.
//!
//! It is gone from the disk before the first write: a mark that outlives it would vouch for bytes it has
//! never seen. A log that is opened and closed and never written keeps it, and that costs nothing.

use std::path::Path;

use crate::{compaction::Checkpoint, disk::Disk, error::LogError, small_file};

pub(crate) const FILE: &str = "clean-shutdown";
const MAX_SEGMENTS: usize = 50_000;
const MAX_BYTES: u64 = 4 << 20;

/// The log as it was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub log_end: i64,
    /// An older mark does not know.
    pub cleaner: Option<Checkpoint>,
    /// In order; none if they are not known.
    pub segments: Vec<Closed>,
}

/// A segment of a closed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub base: i64,
    pub end: i64,
    pub bytes: u64,
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

    pub fn segment(&self, base: i64) -> Option<Closed> {
        let at = self.segments.binary_search_by_key(&base, |closed| closed.base).ok()?;
        self.segments.get(at).copied()
    }

    fn to_text(&self) -> String {
        let mut lines = format!("log_end: {}\n", self.log_end);
        if let Some(Checkpoint { gaps_before, cleaned_to }) = self.cleaner {
            lines.push_str(&format!("compacted: {gaps_before} {cleaned_to}\n"));
        }
        if self.segments.len() <= MAX_SEGMENTS {
            for Closed { base, end, bytes } in &self.segments {
                lines.push_str(&format!("{base} {end} {bytes}\n"));
            }
        }
        small_file::checked(&lines)
    }

    pub fn from_text(text: &str) -> Option<Mark> {
        if let Some(older) = text.strip_prefix("version: 1\n") {
            let log_end = older.strip_prefix("log_end: ")?.strip_suffix('\n')?.parse().ok()?;
            return Some(Mark { log_end, cleaner: None, segments: Vec::new() });
        }
        let mut lines = small_file::lines_of(text)?.lines();
        let log_end = lines.next()?.strip_prefix("log_end: ")?.parse().ok()?;
        let (gaps_before, cleaned_to) = lines.next()?.strip_prefix("compacted: ")?.split_once(' ')?;
        let cleaner =
            Checkpoint { gaps_before: gaps_before.parse().ok()?, cleaned_to: cleaned_to.parse().ok()? };
        let segments = lines.map(Closed::from_line).collect::<Option<_>>()?;
        Some(Mark { log_end, cleaner: Some(cleaner), segments })
    }
}

impl Closed {
    fn from_line(line: &str) -> Option<Closed> {
        let (base, rest) = line.split_once(' ')?;
        let (end, bytes) = rest.split_once(' ')?;
        Some(Closed { base: base.parse().ok()?, end: end.parse().ok()?, bytes: bytes.parse().ok()? })
    }

    /// Nothing is lost with one that held nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// Durable when it returns.
pub(crate) fn remove<D: Disk>(disk: &D, dir: &Path) -> Result<(), LogError> {
    small_file::remove(disk, dir, FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(segments: i64) -> Mark {
        let closed = |n| Closed { base: i64::MAX - segments + n, end: i64::MAX, bytes: 1 << 30 };
        let cleaner = Some(Checkpoint { gaps_before: 4000, cleaned_to: 3500 });
        Mark { log_end: 4711, cleaner, segments: (0..segments).map(closed).collect() }
    }

    #[test]
    fn a_mark_is_read_as_written_and_a_damaged_one_is_not_read() {
        assert_eq!(Mark::from_text(&mark(3).to_text()), Some(mark(3)));
        let text = mark(3).to_text();
        for at in 0..text.len() {
            assert_eq!(Mark::from_text(&text[..at]), None, "cut at {at}");
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert_eq!(Mark::from_text(&String::from_utf8_lossy(&damaged)), None, "byte {at}");
        }
    }

    #[test]
    fn of_too_many_segments_none_is_told() {
        let most = mark(MAX_SEGMENTS as i64);
        assert!(most.to_text().len() as u64 <= MAX_BYTES);
        assert_eq!(Mark::from_text(&most.to_text()), Some(most));
        let more = mark(MAX_SEGMENTS as i64 + 1);
        assert_eq!(Mark::from_text(&more.to_text()), Some(Mark { segments: Vec::new(), ..more }));
    }
}
