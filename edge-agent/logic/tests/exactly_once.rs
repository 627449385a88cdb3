//! Outbox and uplink together, against a store and a broker in memory: whatever is cut, restarted,
//! refused or lost, every event that was acknowledged to a device is in the log once, in order.
#![allow(clippy::disallowed_methods)] // the run needs some instant to begin at

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use edge_logic::{
    lane::{Block, BlockNumber, LaneId, LaneKey, StoredLane},
    outbox::{self, Commit, Event, Outbox, OutboxConfig},
    uplink::{self, Attempt, ReadBlock, StreamId, Uplink, UplinkConfig},
};
use kafka_wire::record_batch::{BatchHeader, decode_records};
use proptest::prelude::*;
use uplink_wire::{
    Class, Frame, LaneOpened, MAX_BLOCKS_IN_FLIGHT, Refusal, RefusalCode, StampedProducer, VERSION, Welcome,
};

#[derive(Debug, Clone)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The store: what a restart finds.
#[derive(Debug, Default)]
struct Disk {
    lanes: BTreeMap<LaneId, StoredLane>,
    blocks: BTreeMap<(LaneId, BlockNumber), Block>,
}

impl Disk {
    fn apply(&mut self, commit: Commit) {
        for (id, key) in commit.created {
            let (producer, next_sequence) = (None, 0);
            let (first_block, next_block) = (BlockNumber(0), BlockNumber(0));
            self.lanes.insert(id, StoredLane { id, key, producer, next_sequence, first_block, next_block });
        }
        for (id, producer) in commit.producers {
            self.lane(id).producer = Some(producer);
        }
        for (id, block) in commit.blocks {
            let lane = self.lane(id);
            assert_eq!((block.number, block.base_sequence), (lane.next_block, lane.next_sequence));
            lane.next_block = block.number.next();
            lane.next_sequence = block.last_sequence() + 1;
            self.blocks.insert((id, block.number), block);
        }
        for (id, through) in commit.forgotten {
            self.lane(id).first_block = through.next();
            self.blocks.retain(|(lane, number), _| *lane != id || *number > through);
        }
    }

    fn lane(&mut self, id: LaneId) -> &mut StoredLane {
        self.lanes.get_mut(&id).expect("a lane is created before it is used")
    }

    fn stored(&self) -> Vec<StoredLane> {
        self.lanes.values().cloned().collect()
    }
}

/// A leader's idempotence check as KIP-98 has it, and the log behind it.
#[derive(Debug, Default)]
struct Broker {
    next_producer: i64,
    /// The last batches of each producer: base and last sequence.
    producers: BTreeMap<i64, VecDeque<(i32, i32)>>,
    streams: BTreeMap<StreamId, (LaneKey, i64)>,
    log: BTreeMap<LaneKey, Vec<u64>>,
    /// Bytes of every block that was seen, by producer and base sequence.
    seen: BTreeMap<(i64, i32), Bytes>,
}

impl Broker {
    fn answer(&mut self, stream: StreamId, frame: Frame, faulty: bool) -> Option<Frame> {
        match frame {
            Frame::Hello(_) => Some(Frame::Welcome(Welcome {
                version: VERSION,
                cluster_id: "c".into(),
                server_time_ms: 0,
                max_block_bytes: 1 << 20,
                topics: Vec::new(),
            })),
            Frame::OpenLane(open) => {
                let producer = open.producer.unwrap_or_else(|| {
                    self.next_producer += 1;
                    StampedProducer { id: self.next_producer, epoch: 0 }
                });
                let key = LaneKey { topic: open.topic, partition: open.partition, class: open.class };
                self.streams.insert(stream, (key, producer.id));
                Some(Frame::LaneOpened(LaneOpened { producer }))
            }
            Frame::Block { batch, .. } => {
                let (key, id) = self.streams.get(&stream)?.clone();
                let refusal = if faulty { Err(RefusalCode::StorageUnavailable) } else { Ok(()) };
                Some(match refusal.and_then(|()| self.append(key, id, batch)) {
                    Ok(through_sequence) => Frame::Ack { through_sequence },
                    Err(code) => {
                        self.streams.remove(&stream);
                        Frame::Refused(Refusal { code, message: String::new() })
                    }
                })
            }
            other => panic!("an agent does not send {other:?}"),
        }
    }

    fn append(&mut self, key: LaneKey, id: i64, batch: Bytes) -> Result<i32, RefusalCode> {
        let header = BatchHeader::validate(&batch).expect("a valid batch");
        assert_eq!(header.producer_id, id, "the lane's own producer");
        let (base, last) = (header.base_sequence, header.last_sequence());
        let before = self.seen.entry((id, base)).or_insert_with(|| batch.clone());
        assert_eq!(*before, batch, "sent again with other bytes");
        let known = self.producers.entry(id).or_default();
        if known.contains(&(base, last)) {
            return Ok(last);
        }
        if known.back().is_some_and(|(_, end)| base != end + 1) {
            return Err(RefusalCode::OutOfOrderSequence);
        }
        known.push_back((base, last));
        while known.len() > MAX_BLOCKS_IN_FLIGHT {
            known.pop_front();
        }
        let events = decode_records(batch, 1 << 20).expect("records decode");
        let events = events.iter().map(|record| record.value.as_deref().and_then(|id| id.try_into().ok()));
        self.log.entry(key).or_default().extend(events.map(|id| u64::from_be_bytes(id.expect("an id"))));
        Ok(last)
    }
}

struct World {
    chance: Chance,
    now: Instant,
    boot: u64,
    disk: Disk,
    broker: Broker,
    outbox: Outbox<u64>,
    uplink: Uplink,
    to_outbox: VecDeque<outbox::Input<u64>>,
    to_uplink: VecDeque<uplink::Input>,
    committing: Option<Commit>,
    link: Option<Attempt>,
    up: VecDeque<(StreamId, Frame)>,
    down: VecDeque<(StreamId, Frame)>,
    next_event: u64,
    lane_of: BTreeMap<u64, LaneKey>,
    acknowledged: BTreeSet<u64>,
    alarms: Vec<uplink::Alarm>,
}

fn new_uplink(boot: u64, disk: &Disk) -> Uplink {
    let config = UplinkConfig { agent_id: "a".into(), boot, topics: Vec::new(), subscribe: Vec::new() };
    Uplink::new(config, &disk.stored())
}

impl World {
    fn new(seed: u64) -> World {
        let disk = Disk::default();
        let mut world = World {
            chance: Chance(seed),
            now: Instant::now(),
            boot: 0,
            outbox: Outbox::new(OutboxConfig::default(), &[], 0),
            uplink: new_uplink(0, &disk),
            disk,
            broker: Broker::default(),
            to_outbox: VecDeque::new(),
            to_uplink: VecDeque::new(),
            committing: None,
            link: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            next_event: 0,
            lane_of: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            alarms: Vec::new(),
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let mut actions = Vec::new();
        self.uplink.start(&mut actions);
        self.uplink_actions(actions);
    }

    /// The power goes: what was being committed is there, or is not.
    fn restart(&mut self) {
        if let Some(commit) = self.committing.take()
            && self.chance.below(2) == 0
        {
            self.disk.apply(commit);
        }
        self.boot += 1;
        self.cut();
        self.to_outbox.clear();
        self.to_uplink.clear();
        self.outbox = Outbox::new(OutboxConfig::default(), &self.disk.stored(), 0);
        self.uplink = new_uplink(self.boot, &self.disk);
        self.start();
    }

    fn cut(&mut self) {
        // What was sent may still arrive.
        let arrives = self.chance.below(self.up.len() as u64 + 1);
        for (stream, frame) in self.up.drain(..).take(arrives as usize) {
            let _ = self.broker.answer(stream, frame, false);
        }
        self.hang_up();
        if let Some(attempt) = self.link.take() {
            self.to_uplink.push_back(uplink::Input::Disconnected { attempt });
        }
    }

    /// Streams end with their connection.
    fn hang_up(&mut self) {
        (self.up, self.down) = (VecDeque::new(), VecDeque::new());
        self.broker.streams.clear();
    }

    fn ingest(&mut self) {
        let partition = self.chance.below(2) as i32;
        let lane = LaneKey { topic: "trucks_gps".into(), partition, class: Class::Live };
        let events = (0..1 + self.chance.below(3)).map(|_| {
            let id = self.next_event;
            self.next_event += 1;
            self.lane_of.insert(id, lane.clone());
            let value = Bytes::copy_from_slice(&id.to_be_bytes());
            Event { lane: lane.clone(), key: None, value, timestamp_ms: 0, headers: Vec::new() }
        });
        let events: Vec<Event> = events.collect();
        self.to_outbox.push_back(outbox::Input::Write {
            token: self.next_event,
            events,
            changes: Vec::new(),
        });
    }

    fn outbox_input(&mut self, input: outbox::Input<u64>) {
        let mut actions = Vec::new();
        self.outbox.handle(input, self.now, &mut actions);
        for action in actions {
            match action {
                outbox::Action::Commit(commit) => {
                    assert!(self.committing.replace(commit).is_none(), "one commit at a time");
                }
                outbox::Action::Durable { tokens } => {
                    // A token is the number after its last event; its events are contiguous on disk.
                    for token in tokens {
                        let durable = (0..token).rev().take(3).filter(|id| self.on_disk(*id));
                        let durable: Vec<u64> = durable.collect();
                        assert!(durable.contains(&(token - 1)) || self.logged(token - 1));
                        self.acknowledged.extend(durable);
                    }
                }
                outbox::Action::LaneHasBlocks { lane, key, next_block } => {
                    self.to_uplink.push_back(uplink::Input::LaneHasBlocks { lane, key, next_block });
                }
                outbox::Action::ProducerSaved { lane, producer } => {
                    self.to_uplink.push_back(uplink::Input::ProducerSaved { lane, producer });
                }
                outbox::Action::Forgotten { lane, through } => {
                    self.to_uplink.push_back(uplink::Input::Forgotten { lane, through });
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn on_disk(&self, id: u64) -> bool {
        self.disk.blocks.values().any(|block| {
            let batch =
                kafka_wire::record_batch::assemble(&block.records, kafka_wire::record_batch::Producer::NONE);
            let records = decode_records(batch.freeze(), 1 << 20).expect("records decode");
            records.iter().any(|record| record.value.as_deref() == Some(&id.to_be_bytes()[..]))
        })
    }

    fn logged(&self, id: u64) -> bool {
        self.broker.log.values().any(|log| log.contains(&id))
    }

    fn uplink_input(&mut self, input: uplink::Input) {
        let mut actions = Vec::new();
        let chance = self.chance.below(1 << 32) as u32;
        self.uplink.handle(input, self.now, chance, &mut actions);
        self.uplink_actions(actions);
    }

    fn uplink_actions(&mut self, actions: Vec<uplink::Action>) {
        for action in actions {
            match action {
                uplink::Action::Connect { attempt } => {
                    self.link = Some(attempt);
                    self.to_uplink.push_back(uplink::Input::Connected { attempt });
                }
                uplink::Action::Disconnect { .. } => {
                    self.link = None;
                    self.hang_up();
                }
                uplink::Action::OpenStream { .. }
                | uplink::Action::Cluster { .. }
                | uplink::Action::ServerTime { .. } => {}
                // An uplink that has not heard yet that it was cut sends into nothing.
                uplink::Action::Send { .. } if self.link.is_none() => {}
                uplink::Action::Send { stream, frame } => self.up.push_back((stream, frame)),
                uplink::Action::ReadBlocks { lane, from, max_blocks } => {
                    let range = (lane, from)..=(lane, BlockNumber(u64::MAX));
                    let max_blocks = max_blocks.min(1 + self.chance.below(5) as usize);
                    let blocks = self.disk.blocks.range(range).take(max_blocks);
                    let blocks = blocks.map(|(_, block)| ReadBlock::Block(block.clone())).collect();
                    self.to_uplink.push_back(uplink::Input::BlocksRead { lane, from, blocks });
                }
                uplink::Action::SaveProducer { lane, producer } => {
                    self.to_outbox.push_back(outbox::Input::SetProducer { lane, producer });
                }
                uplink::Action::Forget { lane, through, urgent } => {
                    self.to_outbox.push_back(outbox::Input::Forget { lane, through, urgent });
                }
                uplink::Action::Alarm(alarm) => self.alarms.push(alarm),
                other => panic!("{other:?}"),
            }
        }
    }

    /// One thing happens.
    fn step(&mut self, faults: bool) {
        match self.chance.below(if faults { 100 } else { 90 }) {
            0..15 => {
                let input = self.to_outbox.pop_front().unwrap_or(outbox::Input::Drained);
                self.outbox_input(input);
            }
            15..30 => {
                if let Some(commit) = self.committing.take() {
                    self.disk.apply(commit);
                    self.outbox_input(outbox::Input::Committed { stored_bytes: 0 });
                }
            }
            30..50 => {
                if let Some(input) = self.to_uplink.pop_front() {
                    self.uplink_input(input);
                }
            }
            50..65 => {
                if let Some((stream, frame)) = self.up.pop_front() {
                    let faulty = faults && self.chance.below(20) == 0;
                    let answer = self.broker.answer(stream, frame, faulty);
                    self.down.extend(answer.map(|frame| (stream, frame)));
                }
            }
            65..80 => {
                if let Some((stream, frame)) = self.down.pop_front() {
                    self.to_uplink.push_back(uplink::Input::Frame { stream, frame });
                }
            }
            80..90 => {
                self.now += Duration::from_millis(self.chance.below(400));
                if self.uplink.deadline().is_some_and(|deadline| deadline <= self.now) {
                    self.uplink_input(uplink::Input::Tick);
                }
            }
            90..98 => self.ingest(),
            98 => self.cut(),
            _ => self.restart(),
        }
    }

    fn check(&self) {
        for (key, log) in &self.broker.log {
            assert!(log.is_sorted_by(|a, b| a < b), "in order and once: {key:?} {log:?}");
        }
        for id in &self.acknowledged {
            assert!(self.broker.log[&self.lane_of[id]].contains(id), "acknowledged and lost: {id}");
        }
        assert_eq!(self.alarms, []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_event_is_in_the_log_once_and_in_order(seed in any::<u64>()) {
        let mut world = World::new(seed);
        for _ in 0..3000 {
            world.step(true);
        }
        // The faults end, and all that waits goes up.
        for _ in 0..200_000 {
            world.step(false);
            let idle = world.disk.blocks.is_empty() && world.to_outbox.is_empty() && world.committing.is_none();
            if idle && world.outbox.deadline().is_none() {
                break;
            }
        }
        prop_assert!(world.disk.blocks.is_empty(), "left behind: {:?}", world.disk.blocks.keys());
        prop_assert!(world.next_event > 100);
        world.check();
    }
}
