//! Leader epochs and where each begins (KIP-101): by this leaders and followers find where they part.
//!
//! Kept in `leader-epoch-checkpoint` for the sealed segments; those of the active segment are read from its
//! batches. A checkpoint that cannot be read is made anew from the log.
//!
//! ```text
//! 1 5d3bb0f2   version, CRC32C of the lines below
//! 3 0          epoch, first offset
//! 5 4711
//! ```

use std::path::Path;

use crate::{disk::Disk, error::LogError, small_file};

/// Half a million changes of leader.
const MAX_BYTES: u64 = 16 << 20;

/// Both columns rise strictly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epochs(Vec<(i32, i64)>);

/// Where an epoch ends, as OffsetForLeaderEpoch tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch in the log that is not above the one asked for.
    pub epoch: i32,
    /// The first offset after it.
    pub end_offset: i64,
}

impl Epochs {
    pub const FILE: &str = "leader-epoch-checkpoint";

    /// A batch of `epoch` stands at `offset`, behind all that were told before.
    pub fn note(&mut self, epoch: i32, offset: i64) {
        if self.latest().is_none_or(|latest| latest < epoch) {
            // Retention may have taken the last batch of the epoch before: it begins and ends here.
            self.cut_from(offset);
            self.0.push((epoch, offset));
        }
    }

    pub fn latest(&self) -> Option<i32> {
        self.0.last().map(|(epoch, _)| *epoch)
    }

    /// Where the latest one begins.
    pub fn latest_start(&self) -> Option<i64> {
        self.0.last().map(|(_, start)| *start)
    }

    pub fn at(&self, offset: i64) -> Option<i32> {
        let after = self.0.partition_point(|(_, start)| *start <= offset);
        Some(self.0.get(after.checked_sub(1)?)?.0)
    }

    pub fn end_of(&self, epoch: i32, log_end: i64) -> Option<EpochEnd> {
        let after = self.0.partition_point(|(e, _)| *e <= epoch);
        let end_offset = match self.0.get(after) {
            Some((_, next_start)) => *next_start,
            None if self.latest() == Some(epoch) => log_end,
            None => return None,
        };
        // Asked for one before the first: it ends where the first begins, and Kafka names it as asked.
        let epoch = after.checked_sub(1).map_or(epoch, |at| self.0[at].0);
        Some(EpochEnd { epoch, end_offset })
    }

    /// Forgets what begins at `offset` or later.
    pub fn cut_from(&mut self, offset: i64) {
        self.0.truncate(self.0.partition_point(|(_, start)| *start < offset));
    }

    /// Forgets what ended before `offset`; the epoch at `offset` begins there.
    pub fn cut_before(&mut self, offset: i64) {
        let first = self.0.partition_point(|(_, start)| *start <= offset).saturating_sub(1);
        self.0.drain(..first);
        if let Some((_, start)) = self.0.first_mut() {
            *start = offset.max(*start);
        }
    }

    pub fn save<D: Disk>(&self, disk: &D, dir: &Path) -> Result<(), LogError> {
        small_file::replace(disk, dir, Epochs::FILE, self.to_text().as_bytes())
    }

    /// `None` if there is no checkpoint, or none that makes sense.
    pub fn load<D: Disk>(disk: &D, dir: &Path) -> Result<Option<Epochs>, LogError> {
        Ok(small_file::read(disk, dir, Epochs::FILE, MAX_BYTES)?.and_then(|text| Epochs::from_text(&text)))
    }

    fn to_text(&self) -> String {
        let lines: String = self.0.iter().map(|(epoch, start)| format!("{epoch} {start}\n")).collect();
        small_file::checked(&lines)
    }

    fn from_text(text: &str) -> Option<Epochs> {
        let lines = small_file::lines_of(text)?;
        let entry = |line: &str| -> Option<(i32, i64)> {
            let (epoch, start) = line.split_once(' ')?;
            Some((epoch.parse().ok()?, start.parse().ok()?))
        };
        let entries: Vec<_> = lines.lines().map(entry).collect::<Option<_>>()?;
        let rise = entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1);
        rise.then_some(Epochs(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> Epochs {
        Epochs(vec![(2, 10), (4, 20), (7, 30)])
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let table = [
            // asked, answer
            (1, Some((1, 10))),
            (2, Some((2, 20))),
            (3, Some((2, 20))),
            (4, Some((4, 30))),
            (7, Some((7, 42))),
            (8, None),
        ];
        for (asked, answer) in table {
            let end = epochs().end_of(asked, 42).map(|end| (end.epoch, end.end_offset));
            assert_eq!(end, answer, "epoch {asked}");
        }
        assert_eq!(Epochs::default().end_of(0, 0), None);
    }

    #[test]
    fn an_offset_has_the_epoch_of_the_last_start_before_it() {
        for (offset, epoch) in [(9, None), (10, Some(2)), (29, Some(4)), (30, Some(7)), (99, Some(7))] {
            assert_eq!(epochs().at(offset), epoch, "offset {offset}");
        }
    }

    #[test]
    fn cuts_keep_what_is_still_in_the_log() {
        let mut cut = epochs();
        cut.cut_from(20);
        assert_eq!(cut, Epochs(vec![(2, 10)]));
        let mut cut = epochs();
        cut.cut_before(25);
        assert_eq!(cut, Epochs(vec![(4, 25), (7, 30)]));
    }

    #[test]
    fn an_epoch_without_a_batch_left_makes_room_for_the_next() {
        let mut deleted = epochs();
        deleted.cut_before(35);
        deleted.note(9, 35);
        assert_eq!(deleted, Epochs(vec![(9, 35)]));
        assert_eq!(Epochs::from_text(&deleted.to_text()), Some(deleted));
    }

    #[test]
    fn a_checkpoint_is_read_as_written_and_nonsense_is_not_read() {
        assert_eq!(Epochs::from_text(&epochs().to_text()), Some(epochs()));
        assert_eq!(Epochs::from_text(&Epochs::default().to_text()), Some(Epochs::default()));
        for nonsense in [vec![(2, 5), (1, 9)], vec![(1, 9), (2, 9)]] {
            assert_eq!(Epochs::from_text(&Epochs(nonsense).to_text()), None);
        }
        let text = epochs().to_text();
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert_eq!(Epochs::from_text(&String::from_utf8_lossy(&damaged)), None, "byte {at}");
            assert_eq!(Epochs::from_text(&text[..at]), None, "cut at {at}");
        }
    }
}
