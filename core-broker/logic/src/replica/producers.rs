//! Idempotent producers (KIP-98, KIP-360): which batch is new, which was stored before, which came too
//! early. The state is a function of the batches in the log, so a broker that opens a log replays their
//! headers through [`Producers::remember`] and knows what it knew.

use std::collections::{BTreeMap, VecDeque};

use kafka_wire::record_batch::BatchHeader;

use crate::ids::Offset;

/// A producer may have this many batches unacknowledged, so as many are remembered.
pub const REMEMBERED_BATCHES: usize = 5;

/// `producer.id.expiration.ms`: a producer silent for so long is forgotten; its next batch is accepted with
/// whatever sequence it carries, as by Kafka. Kafka's day is too short here: an agent that was out of
/// coverage for a week comes back with a block of which it does not know whether it arrived.
pub const PRODUCER_EXPIRY_MS: i64 = 30 * 86_400_000;

/// Anybody can ask for producer ids; beyond this many on one partition the one silent for longest is
/// forgotten before its time.
pub const MAX_PRODUCERS: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    #[error("a producer with a newer epoch has taken over this producer id")]
    FencedEpoch,
    #[error("the sequence number does not follow the last one stored")]
    OutOfOrder,
    #[error("the sequence number was stored too long ago to say at which offset")]
    OldDuplicate,
}

#[derive(Debug, Default)]
pub struct Producers {
    pub(super) by_id: BTreeMap<i64, Producer>,
}

#[derive(Debug)]
pub(super) struct Producer {
    pub epoch: i16,
    pub last_seen_ms: i64,
    /// Newest last; never empty.
    pub batches: VecDeque<Stored>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub first_sequence: i32,
    pub last_sequence: i32,
    pub base_offset: Offset,
    /// The largest of the batch, as stored.
    pub timestamp: i64,
    /// As the producer sent it; `None` where only the log tells of the batch, and has it with the leader's time
    /// or made anew.
    pub crc: Option<u32>,
}

/// One producer, for DescribeProducers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerState {
    pub id: i64,
    pub epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: i64,
}

/// A batch that has the sequences of one that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    pub base_offset: Offset,
    /// The largest timestamp of what is stored.
    pub timestamp: i64,
    /// It is that one, byte for byte. A Kafka client may legally build a retry anew; where a retry is always
    /// the same bytes, another batch under the same sequences means two writers with one producer id.
    pub same_bytes: bool,
}

impl Producers {
    /// `Some` when the batch is stored already, `None` when it is next in order.
    pub fn check(&self, batch: &BatchHeader) -> Result<Option<Duplicate>, SequenceError> {
        if !batch.has_producer() {
            return Ok(None);
        }
        let Some(producer) = self.by_id.get(&batch.producer_id) else { return Ok(None) };
        if batch.producer_epoch < producer.epoch {
            return Err(SequenceError::FencedEpoch);
        }
        if batch.producer_epoch > producer.epoch {
            return if batch.base_sequence == 0 { Ok(None) } else { Err(SequenceError::OutOfOrder) };
        }
        let same = |stored: &&Stored| {
            stored.first_sequence == batch.base_sequence && stored.last_sequence == batch.last_sequence()
        };
        if let Some(stored) = producer.batches.iter().rev().find(same) {
            let same_bytes = stored.crc.is_none_or(|crc| crc == batch.crc);
            let Stored { base_offset, timestamp, .. } = *stored;
            return Ok(Some(Duplicate { base_offset, timestamp, same_bytes }));
        }
        let last = producer.batches.back().map_or(-1, |stored| stored.last_sequence);
        if batch.base_sequence == next_sequence(last) {
            Ok(None)
        } else if is_before(batch.base_sequence, last) {
            Err(SequenceError::OldDuplicate)
        } else {
            Err(SequenceError::OutOfOrder)
        }
    }

    /// Called for every batch that is written, as it came, and at opening for every batch that the log holds.
    pub fn remember(&mut self, batch: &BatchHeader, base_offset: Offset, now_ms: i64) {
        let crc = (!batch.log_append_time()).then_some(batch.crc);
        self.note(batch, base_offset, crc, now_ms);
    }

    /// At opening, for a batch that compaction may have made anew: its bytes are not those that were sent.
    pub fn remember_rewritten(&mut self, batch: &BatchHeader, base_offset: Offset, now_ms: i64) {
        self.note(batch, base_offset, None, now_ms);
    }

    fn note(&mut self, batch: &BatchHeader, base_offset: Offset, crc: Option<u32>, now_ms: i64) {
        if !batch.has_producer() {
            return;
        }
        if self.by_id.len() >= MAX_PRODUCERS && !self.by_id.contains_key(&batch.producer_id) {
            self.forget_the_longest_silent();
        }
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            last_seen_ms: now_ms,
            batches: VecDeque::new(),
        });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        producer.last_seen_ms = now_ms;
        if producer.batches.len() == REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Stored {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset,
            timestamp: batch.max_timestamp,
            crc,
        });
    }

    /// A tenth at a time, so that a flood of producers does not pay for a search at every batch.
    fn forget_the_longest_silent(&mut self) {
        let mut seen: Vec<i64> = self.by_id.values().map(|producer| producer.last_seen_ms).collect();
        let (_, oldest, _) = seen.select_nth_unstable(MAX_PRODUCERS / 10);
        let oldest = *oldest;
        let mut room = MAX_PRODUCERS / 10;
        self.by_id.retain(|_, producer| {
            let forget = room > 0 && producer.last_seen_ms <= oldest;
            room -= usize::from(forget);
            !forget
        });
    }

    /// In order of id.
    pub fn states(&self) -> impl Iterator<Item = ProducerState> {
        self.by_id.iter().filter_map(|(id, producer)| {
            let last = producer.batches.back()?;
            Some(ProducerState {
                id: *id,
                epoch: producer.epoch,
                last_sequence: last.last_sequence,
                last_timestamp: last.timestamp,
            })
        })
    }

    /// Of each producer, the last offset of its last batch.
    pub fn last_offsets(&self) -> BTreeMap<i64, i64> {
        let last = |producer: &Producer| producer.batches.back().map(Stored::last_offset);
        self.by_id.iter().filter_map(|(id, producer)| Some((*id, last(producer)?))).collect()
    }

    pub fn expire(&mut self, now_ms: i64) {
        self.by_id.retain(|_, producer| now_ms - producer.last_seen_ms < PRODUCER_EXPIRY_MS);
    }
}

impl Stored {
    fn last_offset(&self) -> i64 {
        let records = i64::from(self.last_sequence) - i64::from(self.first_sequence);
        self.base_offset.0.saturating_add(records.rem_euclid(1 << 31))
    }
}

#[cfg(test)]
impl Producers {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

/// Sequences run from 0 to 2³¹−1 and begin again.
fn next_sequence(last: i32) -> i32 {
    last.checked_add(1).unwrap_or(0)
}

/// Before in a circle of 2³¹: less than half of it behind.
fn is_before(sequence: i32, last: i32) -> bool {
    let behind = (i64::from(last) - i64::from(sequence)).rem_euclid(1 << 31);
    behind < 1 << 30
}
