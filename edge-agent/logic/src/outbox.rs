//! What the agent keeps: events into lanes, lanes into blocks, blocks into one commit at a time, and
//! out again when the broker has them.
//!
//! Group commit: with nothing under way a commit starts as soon as the mailbox is drained; what comes
//! while it runs makes the next one. So an idle gateway answers at once and a busy one pays one sync
//! for hundreds of events, with no timer to tune.

mod blocks;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use uplink_wire::{Class, StampedProducer};

pub use blocks::{MAX_EVENT_BYTES, MAX_SECTION_BYTES};

use crate::lane::{Block, BlockNumber, LaneId, LaneKey, StoredLane, sequence_after};

/// A commit starts before the mailbox is drained when this much waits for it.
const GROUP_BYTES: usize = 4 << 20;

/// Acknowledged blocks are deleted by the next commit; when none comes, by one of their own.
const FORGET_LINGER: Duration = Duration::from_secs(1);

/// Alerts may use this share of the quota beyond what telemetry may: the one message that matters
/// must not find the outbox full of positions.
const ALERT_RESERVE: u64 = 16;

#[derive(Debug, Clone)]
pub struct OutboxConfig {
    /// Blocks that wait for the broker may take this much; then nothing more is taken in.
    pub max_bytes: u64,
    /// How long the first event of a commit may wait for company. Zero answers at once; a second on
    /// an SD card writes a tenth of the bytes.
    pub linger: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        OutboxConfig { max_bytes: 1 << 30, linger: Duration::ZERO }
    }
}

/// One record on its way to a Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub lane: LaneKey,
    pub key: Option<Bytes>,
    pub value: Bytes,
    /// When the agent received it, milliseconds since the epoch.
    pub timestamp_ms: i64,
    pub headers: Vec<(String, Bytes)>,
}

impl Event {
    /// At most what the record takes before compression.
    pub fn bytes(&self) -> usize {
        const VARINTS: usize = 40;
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
        VARINTS + self.key.as_ref().map_or(0, Bytes::len) + self.value.len() + headers
    }
}

/// Something else that becomes durable in the same commit. The outbox does not look inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    PutSession { client_id: String, record: Bytes },
    PutWindow { client_id: String, slot: u16, entry: Bytes },
    DeleteSession { client_id: String },
    PutDownlink { delivery: u64, message: Bytes },
    DeleteDownlink { delivery: u64 },
    PutOffset { topic: String, partition: i32, next_offset: i64 },
    PutFact { kind: &'static str, key: String, value: Bytes },
    DeleteFact { kind: &'static str, key: String },
}

/// `T` is how the caller knows its writes again.
#[derive(Debug)]
pub enum Input<T> {
    /// All of it in one commit, or none. Without events it is never refused.
    Write { token: T, events: Vec<Event>, changes: Vec<Change> },
    /// A lane's producer, to be durable before its first block is sent.
    SetProducer { lane: LaneId, producer: StampedProducer },
    /// The broker has the lane's blocks up to and including this one. `urgent`: the uplink waits for it.
    Forget { lane: LaneId, through: BlockNumber, urgent: bool },
    /// The mailbox is empty for the moment, or the deadline has come.
    Drained,
    /// The commit is synced; this much now waits for the broker.
    Committed { stored_bytes: u64 },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Action<T> {
    /// Write and sync this, then say `Committed`. One at a time.
    Commit(Commit),
    /// These writes survive a power cut: acknowledge them.
    Durable {
        tokens: Vec<T>,
    },
    /// Nothing of this write was taken: do not acknowledge it.
    Refused {
        token: T,
        why: Refusal,
    },
    /// For the uplink: the lane's blocks before `next_block` are durable.
    LaneHasBlocks {
        lane: LaneId,
        key: LaneKey,
        next_block: BlockNumber,
    },
    /// For the uplink: blocks may be sent under this producer.
    ProducerSaved {
        lane: LaneId,
        producer: StampedProducer,
    },
    /// For the uplink: these blocks will not come back after a restart.
    Forgotten {
        lane: LaneId,
        through: BlockNumber,
    },
    Alarm(Alarm),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the outbox is full: the broker has been away for too long")]
    OutboxFull,
    #[error("an event of {bytes} bytes: at most {MAX_EVENT_BYTES} are taken")]
    EventTooLarge { bytes: usize },
}

/// A change that a human should hear of, each said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    OutboxFull { stored_bytes: u64 },
    OutboxHasRoom { stored_bytes: u64 },
}

/// One transaction, in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub created: Vec<(LaneId, LaneKey)>,
    pub producers: Vec<(LaneId, StampedProducer)>,
    pub blocks: Vec<(LaneId, Block)>,
    /// Up to and including.
    pub forgotten: Vec<(LaneId, BlockNumber)>,
    pub changes: Vec<Change>,
}

#[derive(Debug)]
pub struct Outbox<T> {
    config: OutboxConfig,
    ids: BTreeMap<LaneKey, LaneId>,
    lanes: BTreeMap<LaneId, Lane>,
    /// Of all blocks on disk, as of the last commit.
    stored_bytes: u64,
    full: bool,
    waiting: Group<T>,
    /// What is being committed, to be announced when it is.
    committing: Option<Announcement<T>>,
}

#[derive(Debug)]
struct Lane {
    key: LaneKey,
    next_sequence: i32,
    next_block: BlockNumber,
    /// The first block that is on disk or on its way there.
    first_block: BlockNumber,
}

/// The next commit as it fills.
#[derive(Debug)]
struct Group<T> {
    tokens: Vec<T>,
    events: BTreeMap<LaneKey, Vec<Event>>,
    bytes: usize,
    changes: Vec<Change>,
    producers: BTreeMap<LaneId, StampedProducer>,
    forgotten: BTreeMap<LaneId, BlockNumber>,
    due: Option<Instant>,
}

#[derive(Debug)]
struct Announcement<T> {
    tokens: Vec<T>,
    bytes: usize,
    producers: Vec<(LaneId, StampedProducer)>,
    forgotten: Vec<(LaneId, BlockNumber)>,
    touched: Vec<LaneId>,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Group {
            tokens: Vec::new(),
            events: BTreeMap::new(),
            bytes: 0,
            changes: Vec::new(),
            producers: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            due: None,
        }
    }
}

impl<T> Group<T> {
    fn due_by(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

impl<T> Outbox<T> {
    /// Goes on from what the store says.
    pub fn new(config: OutboxConfig, stored: &[StoredLane], stored_bytes: u64) -> Self {
        let lanes = stored.iter().map(|lane| {
            let StoredLane { id, key, next_sequence, first_block, next_block, .. } = lane.clone();
            (id, Lane { key, next_sequence, next_block, first_block })
        });
        Outbox {
            config,
            ids: stored.iter().map(|lane| (lane.key.clone(), lane.id)).collect(),
            lanes: lanes.collect(),
            stored_bytes,
            full: false,
            waiting: Group::default(),
            committing: None,
        }
    }

    /// When `Drained` should be said even if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        if self.committing.is_some() { None } else { self.waiting.due }
    }

    /// Enough waits for the next commit: read no more from the mailbox until it has started.
    pub fn is_busy(&self) -> bool {
        self.committing.is_some() && self.waiting.bytes >= GROUP_BYTES
    }

    /// Bytes that wait for the broker, those on their way to the disk included.
    pub fn held_bytes(&self) -> u64 {
        let committing = self.committing.as_ref().map_or(0, |announcement| announcement.bytes);
        self.stored_bytes.saturating_add((committing + self.waiting.bytes) as u64)
    }

    pub fn handle(&mut self, input: Input<T>, now: Instant, actions: &mut Vec<Action<T>>) {
        match input {
            Input::Write { token, events, changes } => self.write(token, events, changes, now, actions),
            Input::SetProducer { lane, producer } => {
                self.waiting.producers.insert(lane, producer);
                self.waiting.due_by(now);
            }
            Input::Forget { lane, through, urgent } => self.forget(lane, through, urgent, now),
            Input::Drained => {
                if self.deadline().is_some_and(|due| due <= now) {
                    self.start_commit(actions);
                }
            }
            Input::Committed { stored_bytes } => self.committed(stored_bytes, actions),
        }
    }

    fn write(
        &mut self,
        token: T,
        events: Vec<Event>,
        changes: Vec<Change>,
        now: Instant,
        actions: &mut Vec<Action<T>>,
    ) {
        if let Some(why) = self.refusal(&events) {
            if why == Refusal::OutboxFull && !self.full {
                self.full = true;
                actions.push(Action::Alarm(Alarm::OutboxFull { stored_bytes: self.stored_bytes }));
            }
            actions.push(Action::Refused { token, why });
            return;
        }
        self.waiting.tokens.push(token);
        self.waiting.changes.extend(changes);
        for event in events {
            self.waiting.bytes += event.bytes();
            // Only the first event of a lane in a group pays for a copy of the key.
            match self.waiting.events.get_mut(&event.lane) {
                Some(lane) => lane.push(event),
                None => {
                    self.waiting.events.insert(event.lane.clone(), vec![event]);
                }
            }
        }
        self.waiting.due_by(now + self.config.linger);
        if self.waiting.bytes >= GROUP_BYTES && self.committing.is_none() {
            self.start_commit(actions);
        }
    }

    fn refusal(&self, events: &[Event]) -> Option<Refusal> {
        let (mut bytes, mut limit) = (0, self.config.max_bytes);
        for event in events {
            if event.bytes() > MAX_EVENT_BYTES {
                return Some(Refusal::EventTooLarge { bytes: event.bytes() });
            }
            bytes += event.bytes() as u64;
            if event.lane.class == Class::Alert {
                limit = self.config.max_bytes.saturating_add(self.config.max_bytes / ALERT_RESERVE);
            }
        }
        let full = bytes > 0 && self.held_bytes().saturating_add(bytes) > limit;
        full.then_some(Refusal::OutboxFull)
    }

    fn forget(&mut self, lane: LaneId, through: BlockNumber, urgent: bool, now: Instant) {
        let Some(known) = self.lanes.get_mut(&lane) else { return };
        assert!(through < known.next_block, "{lane:?} has no {through:?} to forget");
        if through >= known.first_block {
            known.first_block = through.next();
            self.waiting.forgotten.insert(lane, through);
        }
        if self.waiting.forgotten.contains_key(&lane) {
            self.waiting.due_by(if urgent { now } else { now + FORGET_LINGER });
        }
    }

    fn start_commit(&mut self, actions: &mut Vec<Action<T>>) {
        let group = std::mem::take(&mut self.waiting);
        let mut commit = Commit {
            producers: group.producers.into_iter().collect(),
            forgotten: group.forgotten.into_iter().collect(),
            changes: group.changes,
            ..Commit::default()
        };
        let mut touched = Vec::new();
        for (key, events) in group.events {
            let id = self.lane_of(key, &mut commit.created);
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            for cut in blocks::cut(&events) {
                let count = cut.records.count;
                let (number, base_sequence) = (lane.next_block, lane.next_sequence);
                let block = Block { number, base_sequence, raw_bytes: cut.raw_bytes, records: cut.records };
                commit.blocks.push((id, block));
                lane.next_sequence = sequence_after(base_sequence, count);
                lane.next_block = number.next();
            }
            touched.push(id);
        }
        self.committing = Some(Announcement {
            tokens: group.tokens,
            bytes: group.bytes,
            producers: commit.producers.clone(),
            forgotten: commit.forgotten.clone(),
            touched,
        });
        actions.push(Action::Commit(commit));
    }

    fn lane_of(&mut self, key: LaneKey, created: &mut Vec<(LaneId, LaneKey)>) -> LaneId {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = LaneId(self.lanes.keys().next_back().map_or(0, |last| last.0 + 1));
        let first = BlockNumber(0);
        self.lanes
            .insert(id, Lane { key: key.clone(), next_sequence: 0, next_block: first, first_block: first });
        self.ids.insert(key.clone(), id);
        created.push((id, key));
        id
    }

    fn committed(&mut self, stored_bytes: u64, actions: &mut Vec<Action<T>>) {
        let announcement = self.committing.take().expect("only what was started is committed");
        self.stored_bytes = stored_bytes;
        if !announcement.tokens.is_empty() {
            actions.push(Action::Durable { tokens: announcement.tokens });
        }
        for (lane, producer) in announcement.producers {
            actions.push(Action::ProducerSaved { lane, producer });
        }
        for (lane, through) in announcement.forgotten {
            actions.push(Action::Forgotten { lane, through });
        }
        for lane in announcement.touched {
            if let Some(known) = self.lanes.get(&lane) {
                let (key, next_block) = (known.key.clone(), known.next_block);
                actions.push(Action::LaneHasBlocks { lane, key, next_block });
            }
        }
        // Said only when there is room again for a while, not at every block that leaves.
        if self.full && stored_bytes < self.config.max_bytes / 10 * 9 {
            self.full = false;
            actions.push(Action::Alarm(Alarm::OutboxHasRoom { stored_bytes }));
        }
    }
}
