//! One lane on its way up: what was read, sent, acknowledged and forgotten.
//!
//! ```text
//!   durably forgotten  acknowledged   in flight        on disk, not sent
//!   ------------------+--------------+----------------+------------------+
//!                     ^ forgotten    ^ acked          ^ next_read        ^ next_block
//!                     |<--- at most MAX_BLOCKS_IN_FLIGHT --->|
//! ```
//! The window begins at what is *durably* forgotten, not at what is acknowledged: after a power cut
//! the agent sends again from there, and the leader knows a duplicate only among its last five.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_wire::record_batch::{Producer, assemble};
use uplink_wire::{Frame, MAX_BLOCKS_IN_FLIGHT, OpenLane, RefusalCode, StampedProducer};

use super::{Action, Alarm, ReadBlock, StreamId};
use crate::lane::{BlockNumber, LaneId, LaneKey, StoredLane, sequence_reached};

/// Refused for good: a human must act, and until then the lane asks again, and drops nothing.
const PARKED: Duration = Duration::from_secs(60);
/// A topic that is just being made passes within this; later it is a mistake that a human must mend,
/// such as events kept for partition 9 of a topic that turned out to have three.
const PATIENCE: Duration = Duration::from_secs(8);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Lane {
    pub id: LaneId,
    pub key: LaneKey,
    producer: Option<StampedProducer>,
    phase: Phase,
    /// First block that may come back after a restart.
    forgotten: BlockNumber,
    acked: BlockNumber,
    next_read: BlockNumber,
    next_block: BlockNumber,
    /// Blocks before this one may have been sent before.
    sent: BlockNumber,
    in_flight: VecDeque<InFlight>,
    /// A read is under way.
    reading: bool,
    /// An urgent forget is under way.
    urged: bool,
    retry: Duration,
    order: Order,
}

#[derive(Debug)]
enum Phase {
    /// No stream, and none is waited for: the connection is down or there is nothing to send.
    Closed,
    /// `OpenLane` is sent.
    Opening(StreamId),
    /// The producer is on its way to the disk; no block goes out under it before it is there.
    Saving(StreamId, StampedProducer),
    Open(StreamId),
    /// Refused or cut; asks again then.
    Waiting(Instant),
}

/// What a refused sequence means, found out one step at a time.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Fine,
    /// Some block was out of order: only the head is sent, to see whether it is the head.
    Probing,
    /// The head was: something before it is missing on the leader. A leader takes any first sequence
    /// of a producer it does not know, so the lane goes on under another id with the sequences it has.
    NewProducer,
    /// That id is saved and no block of it is acknowledged yet.
    Fresh,
}

#[derive(Debug)]
struct InFlight {
    number: BlockNumber,
    /// `None`: its bytes are damaged and it was never sent.
    last_sequence: Option<i32>,
}

impl Lane {
    pub fn new(id: LaneId, key: LaneKey) -> Self {
        let first = BlockNumber(0);
        Lane {
            id,
            key,
            producer: None,
            phase: Phase::Closed,
            forgotten: first,
            acked: first,
            next_read: first,
            next_block: first,
            sent: first,
            in_flight: VecDeque::new(),
            reading: false,
            urged: false,
            retry: FIRST_RETRY,
            order: Order::Fine,
        }
    }

    pub fn stored(stored: &StoredLane) -> Self {
        let first = stored.first_block;
        Lane {
            producer: stored.producer,
            forgotten: first,
            acked: first,
            next_read: first,
            next_block: stored.next_block,
            sent: stored.next_block.min(first.plus(MAX_BLOCKS_IN_FLIGHT as u64)),
            ..Lane::new(stored.id, stored.key.clone())
        }
    }

    pub fn stream(&self) -> Option<StreamId> {
        match self.phase {
            Phase::Opening(stream) | Phase::Saving(stream, _) | Phase::Open(stream) => Some(stream),
            Phase::Closed | Phase::Waiting(_) => None,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting(until) => Some(until),
            _ => None,
        }
    }

    /// Whether a stream should be opened now, on a connection that is up.
    pub fn wants_stream(&self, now: Instant) -> bool {
        let has_blocks = self.acked < self.next_block;
        match self.phase {
            Phase::Closed => has_blocks,
            Phase::Waiting(until) => until <= now,
            _ => false,
        }
    }

    pub fn open(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        self.rewind();
        self.phase = Phase::Opening(stream);
        let producer = if self.order == Order::NewProducer { None } else { self.producer };
        let LaneKey { topic, partition, class } = self.key.clone();
        actions.push(Action::OpenStream { stream, priority: class.priority() });
        let frame = Frame::OpenLane(OpenLane { topic, partition, class, producer });
        actions.push(Action::Send { stream, frame });
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.rewind();
        if !matches!(self.phase, Phase::Waiting(_)) {
            self.phase = Phase::Closed;
        }
    }

    /// The stream ended without a word.
    pub fn stream_closed(&mut self, now: Instant) {
        self.rewind();
        self.wait_longer(now);
    }

    pub fn opened(&mut self, producer: StampedProducer, actions: &mut Vec<Action>) {
        let Phase::Opening(stream) = self.phase else { return };
        if self.producer == Some(producer) && self.order != Order::NewProducer {
            self.phase = Phase::Open(stream);
            self.read_more(actions);
        } else {
            self.phase = Phase::Saving(stream, producer);
            actions.push(Action::SaveProducer { lane: self.id, producer });
        }
    }

    pub fn producer_saved(&mut self, saved: StampedProducer, actions: &mut Vec<Action>) {
        // It is on disk even if the stream for which it was asked is gone: use it from here on.
        self.producer = Some(saved);
        if self.order == Order::NewProducer {
            self.order = Order::Fresh;
        }
        if let Phase::Saving(stream, producer) = self.phase
            && producer == saved
        {
            self.phase = Phase::Open(stream);
            self.read_more(actions);
        }
    }

    pub fn has_blocks(&mut self, next_block: BlockNumber, actions: &mut Vec<Action>) {
        self.next_block = self.next_block.max(next_block);
        self.read_more(actions);
    }

    pub fn durably_forgotten(&mut self, through: BlockNumber, actions: &mut Vec<Action>) {
        self.forgotten = self.forgotten.max(through.next());
        self.urged = false;
        self.read_more(actions);
    }

    pub fn read(&mut self, from: BlockNumber, blocks: Vec<ReadBlock>, actions: &mut Vec<Action>) {
        let Phase::Open(stream) = self.phase else { return };
        // An answer to a question of an earlier stream is about other blocks, or about the same ones.
        if !self.reading || from != self.next_read {
            return;
        }
        self.reading = false;
        let end = self.window_end();
        if blocks.is_empty() && from < end {
            self.gap(BlockNumber(end.0 - 1), actions);
        }
        for block in blocks {
            let number = block.number();
            if number < self.next_read || number >= end {
                break;
            }
            if number > self.next_read {
                self.gap(BlockNumber(number.0 - 1), actions);
            }
            match block {
                ReadBlock::Damaged(number) => self.gap(number, actions),
                ReadBlock::Block(block) => {
                    let Some(producer) = self.producer else { return };
                    let base_sequence = block.base_sequence;
                    let stamp = Producer { id: producer.id, epoch: producer.epoch, base_sequence };
                    let batch: Bytes = assemble(&block.records, stamp).freeze();
                    let resent = number < self.sent;
                    actions.push(Action::Send { stream, frame: Frame::Block { resent, batch } });
                    self.in_flight.push_back(InFlight { number, last_sequence: Some(block.last_sequence()) });
                    self.next_read = number.next();
                    self.sent = self.sent.max(self.next_read);
                }
            }
        }
        self.settle(actions);
        self.read_more(actions);
    }

    /// Blocks up to and including this one cannot be sent: their bytes are gone.
    fn gap(&mut self, through: BlockNumber, actions: &mut Vec<Action>) {
        let from = self.next_read;
        actions.push(Action::Alarm(Alarm::BlocksDamaged { lane: self.id, from, through }));
        self.in_flight.push_back(InFlight { number: through, last_sequence: None });
        self.next_read = through.next();
    }

    pub fn ack(&mut self, through_sequence: i32, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Open(_)) {
            return;
        }
        while let Some(front) = self.in_flight.front()
            && front.last_sequence.is_none_or(|last| sequence_reached(last, through_sequence))
        {
            if front.last_sequence.is_some() {
                self.retry = FIRST_RETRY;
                self.order = Order::Fine;
            }
            self.pop(actions);
        }
        self.read_more(actions);
    }

    /// Damaged blocks at the head have nobody to acknowledge them.
    fn settle(&mut self, actions: &mut Vec<Action>) {
        while self.in_flight.front().is_some_and(|front| front.last_sequence.is_none()) {
            self.pop(actions);
        }
    }

    fn pop(&mut self, actions: &mut Vec<Action>) {
        let Some(done) = self.in_flight.pop_front() else { return };
        self.acked = done.number.next();
        let through = done.number;
        match actions.last_mut() {
            // One word for a run of blocks.
            Some(Action::Forget { lane, through: last, .. }) if *lane == self.id => *last = through,
            _ => actions.push(Action::Forget { lane: self.id, through, urgent: false }),
        }
    }

    pub fn refused(&mut self, code: RefusalCode, message: String, now: Instant, actions: &mut Vec<Action>) {
        let (in_flight, only_head) = (!self.in_flight.is_empty(), self.in_flight.len() == 1);
        self.rewind();
        if code.retry() {
            use RefusalCode::{Unauthorized, UnknownPartition, UnknownTopic};
            let by_hand = matches!(code, UnknownTopic | UnknownPartition | Unauthorized);
            if by_hand && self.retry >= PATIENCE {
                actions.push(Action::Alarm(Alarm::LaneParked { lane: self.id, code, message }));
            }
            return self.wait_longer(now);
        }
        if code == RefusalCode::OutOfOrderSequence && in_flight {
            match self.order {
                Order::Fine if !only_head => {
                    self.order = Order::Probing;
                    self.phase = Phase::Waiting(now);
                    return;
                }
                Order::Fine | Order::Probing => {
                    actions.push(Action::Alarm(Alarm::SequenceGap { lane: self.id, block: self.acked }));
                    self.order = Order::NewProducer;
                    self.phase = Phase::Waiting(now);
                    return;
                }
                Order::NewProducer | Order::Fresh => {}
            }
        }
        self.phase = Phase::Waiting(now + PARKED);
        actions.push(Action::Alarm(Alarm::LaneParked { lane: self.id, code, message }));
    }

    /// Blocks as far as the window allows, one read at a time.
    fn read_more(&mut self, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Open(_)) {
            return;
        }
        let end = self.window_end();
        if self.next_read < end && !self.reading {
            self.reading = true;
            let max_blocks = (end.0 - self.next_read.0) as usize;
            actions.push(Action::ReadBlocks { lane: self.id, from: self.next_read, max_blocks });
        }
        // More waits than may be sent, and what is in the way is acknowledged already.
        let held_back = self.next_block > self.forgotten.plus(MAX_BLOCKS_IN_FLIGHT as u64);
        if held_back && self.acked > self.forgotten && !self.urged {
            self.urged = true;
            let through = BlockNumber(self.acked.0 - 1);
            actions.push(Action::Forget { lane: self.id, through, urgent: true });
        }
    }

    fn window_end(&self) -> BlockNumber {
        let blocks = if self.order == Order::Probing { 1 } else { MAX_BLOCKS_IN_FLIGHT as u64 };
        self.next_block.min(self.acked.plus(blocks)).min(self.forgotten.plus(MAX_BLOCKS_IN_FLIGHT as u64))
    }

    /// The next stream begins at the first block that is not acknowledged.
    fn rewind(&mut self) {
        self.in_flight.clear();
        self.next_read = self.acked;
        self.reading = false;
        self.urged = false;
    }

    fn wait_longer(&mut self, now: Instant) {
        self.phase = Phase::Waiting(now + self.retry);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }
}
