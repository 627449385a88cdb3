//! Where a derived partition stands, read from its own tail: what a restart may skip and what it owes.
//!
//! Output partition p holds what the app derived from input partition p, in input order, and every
//! output names the input record it came from. Let X be the newest source offset named and n
//! the number of outputs that name it. A restart replays input p from its log start with an empty
//! state and writes nothing below X, nothing of the first n outputs of X, and everything after.
//!
//! **Nothing is lost.** The outputs go to one partition through one idempotent producer that never
//! gives up on a record (`message.timeout.ms=0`) and stops for good rather than leave a gap
//! (`enable.gapless.guarantee`): what the partition holds is a prefix of what the app derived. So
//! everything before the n-th output of X is there, and the replay writes the rest.
//!
//! **Nothing is doubled.** The app is a deterministic function of the partition's input sequence: the
//! replay derives for each record what was derived before. What the tail proves to be there is skipped,
//! and a record that a client sends twice is removed by the broker (producer id and sequence).
//!
//! **What this leans on.** One writer per output partition. The group sees to it, a member that is
//! told of its loss throws away what it has not sent, and the tail is read again, unmoved for a second,
//! before the first write. Two writers remain possible, and only transactions fence them: a request of a
//! killed predecessor that the broker appends later than that second, and a member that stood still (a
//! suspended machine) for longer than its session and sends what it had queued when it wakes. Then
//! some outputs are there twice, with a source offset that is not greater than one before it in the
//! partition, by which a reader can tell. They do not mislead a restart: the newest source in view
//! counts, not the last.
//!
//! The input must reach back as far as the state needs: where retention has cut it, the replay starts
//! with less history than the first run had. Where retention has emptied the *output*, the group's
//! committed offset stands in for the tail.
//!
//! Another version of the app's logic must derive the same from what was already answered, or start
//! with fresh output topics.
//!
//! Transactions and a compacted changelog topic replace this file: outputs, state and offsets then
//! commit together, and a restart reads its state instead of deriving it again.

/// The outputs that exist already, by the offset of the record they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    /// Every output of a record before this offset is written.
    offset: i64,
    /// So many of the outputs of the record *at* this offset are written.
    outputs: usize,
}

/// A stretch of an output partition that ends where the partition ends.
#[derive(Debug)]
pub struct Tail<'a> {
    /// Whether the stretch starts where the partition starts.
    pub is_whole: bool,
    /// The source offset that each record names, in order; `None` where it names none.
    pub sources: &'a [Option<i64>],
}

impl Checkpoint {
    /// An output partition that was never written to.
    pub const NOTHING: Checkpoint = Checkpoint { offset: 0, outputs: 0 };

    /// For an output partition whose records have expired: the group's committed offset is only moved
    /// past a record when all its outputs are acknowledged.
    pub fn from_committed(next_offset: i64) -> Checkpoint {
        Checkpoint { offset: next_offset, outputs: 0 }
    }

    /// `None` when the stretch is too short to tell: read a longer one.
    pub fn from_tail(tail: &Tail) -> Option<Checkpoint> {
        let Some(offset) = tail.sources.iter().copied().flatten().max() else {
            return tail.is_whole.then_some(Checkpoint::NOTHING);
        };
        let outputs = tail.sources.iter().filter(|source| **source == Some(offset)).count();
        // The outputs of one record are neighbours, so a record of another source before them
        // shows that all of them are in view.
        let begins_earlier = tail.sources.iter().flatten().next().is_some_and(|first| *first != offset);
        (tail.is_whole || begins_earlier).then_some(Checkpoint { offset, outputs })
    }

    /// How many of the `outputs` derived from the record at `offset` are written already.
    pub fn written(&self, offset: i64, outputs: usize) -> usize {
        match offset.cmp(&self.offset) {
            std::cmp::Ordering::Less => outputs,
            std::cmp::Ordering::Equal => outputs.min(self.outputs),
            std::cmp::Ordering::Greater => 0,
        }
    }

    /// The replay is silent up to this offset.
    pub fn offset(&self) -> i64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_tells_the_last_source_and_how_many_outputs_it_has() {
        let is = |offset, outputs| Some(Checkpoint { offset, outputs });
        let check = |is_whole, sources: &[Option<i64>], expected| {
            assert_eq!(Checkpoint::from_tail(&Tail { is_whole, sources }), expected, "{sources:?}");
        };
        check(true, &[], is(0, 0));
        check(true, &[Some(7)], is(7, 1));
        check(false, &[Some(7)], None); // earlier outputs of 7 may be out of view
        check(false, &[Some(6), Some(7), Some(7)], is(7, 2));
        check(true, &[Some(7), Some(7), Some(7)], is(7, 3));
        check(false, &[Some(7), Some(7), Some(7)], None);
        check(false, &[Some(5), Some(9), None], is(9, 1)); // a foreign record at the end
        check(false, &[Some(21), Some(30), Some(31), Some(22), Some(23)], is(31, 1)); // a late second writer
        check(false, &[None, None], None);
        check(true, &[None], is(0, 0));
    }

    #[test]
    fn what_is_written_is_skipped_and_the_rest_is_owed() {
        let tail = Checkpoint { offset: 10, outputs: 2 };
        let table = [
            (tail, 9, 4, 4),
            (tail, 10, 3, 2),
            (tail, 10, 2, 2),
            (tail, 10, 1, 1), // a shorter history derived fewer: none is owed
            (tail, 11, 3, 0),
            (Checkpoint::NOTHING, 0, 2, 0),
            (Checkpoint::from_committed(5), 4, 1, 1),
            (Checkpoint::from_committed(5), 5, 1, 0),
        ];
        for (checkpoint, offset, derived, written) in table {
            assert_eq!(checkpoint.written(offset, derived), written, "{checkpoint:?} at {offset}");
        }
    }

    /// Kill the writer after every possible number of outputs, restart, and look at the partition.
    #[test]
    fn a_crash_after_any_output_leaves_each_output_exactly_once() {
        let derived: Vec<(i64, usize)> = vec![(0, 1), (1, 0), (2, 3), (3, 1), (5, 2)];
        let all: Vec<(i64, usize)> =
            derived.iter().flat_map(|(offset, count)| (0..*count).map(move |nth| (*offset, nth))).collect();
        for crash_after in 0..=all.len() {
            let mut partition = all[..crash_after].to_vec();
            let sources: Vec<Option<i64>> = partition.iter().map(|(offset, _)| Some(*offset)).collect();
            let checkpoint = Checkpoint::from_tail(&Tail { is_whole: true, sources: &sources }).unwrap();
            for (offset, count) in &derived {
                partition.extend((checkpoint.written(*offset, *count)..*count).map(|nth| (*offset, nth)));
            }
            assert_eq!(partition, all, "crash after {crash_after}");
        }
    }
}
