//! Lanes and blocks: the words that outbox, uplink and store share.

use kafka_wire::record_batch::RecordSet;
use uplink_wire::{Class, StampedProducer};

/// One (topic, partition, class), numbered by this agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// Blocks of a lane count from 0, without gaps, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockNumber(pub u64);

impl BlockNumber {
    pub fn plus(self, blocks: u64) -> BlockNumber {
        BlockNumber(self.0.saturating_add(blocks))
    }

    pub fn next(self) -> BlockNumber {
        self.plus(1)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneKey {
    pub topic: String,
    pub partition: i32,
    pub class: Class,
}

/// A lane as the store knows it, at the agent's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLane {
    pub id: LaneId,
    pub key: LaneKey,
    pub producer: Option<StampedProducer>,
    pub next_sequence: i32,
    /// The first block that is not forgotten; equal to `next_block` when there is none.
    pub first_block: BlockNumber,
    pub next_block: BlockNumber,
}

/// The events of one lane and one commit. Never changed after the commit: a leader tells a block
/// that is sent again by its base sequence and count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub number: BlockNumber,
    pub base_sequence: i32,
    /// Bytes of the records before compression.
    pub raw_bytes: u32,
    pub records: RecordSet,
}

impl Block {
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.records.count - 1)
    }
}

/// Kafka's sequences run from 0 to `i32::MAX` and begin again at 0.
pub fn sequence_after(sequence: i32, events: i32) -> i32 {
    ((i64::from(sequence) + i64::from(events)) & i64::from(i32::MAX)) as i32
}

/// Whether `sequence` is `through` or comes before it, the shorter way round.
pub fn sequence_reached(sequence: i32, through: i32) -> bool {
    const HALF: i64 = 1 << 30;
    (i64::from(through) - i64::from(sequence)) & i64::from(i32::MAX) < HALF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_begin_again_at_zero() {
        for (sequence, events, expected) in [
            (0, 0, 0),
            (7, 3, 10),
            (i32::MAX, 1, 0),
            (i32::MAX - 1, 3, 1),
            (i32::MAX, i32::MAX, i32::MAX - 1),
        ] {
            assert_eq!(sequence_after(sequence, events), expected, "{sequence} + {events}");
        }
    }

    #[test]
    fn an_acknowledgement_reaches_back_across_the_wrap() {
        for (sequence, through, expected) in
            [(5, 5, true), (5, 9, true), (9, 5, false), (i32::MAX, 3, true), (3, i32::MAX, false)]
        {
            assert_eq!(sequence_reached(sequence, through), expected, "{sequence} by {through}");
        }
    }
}
