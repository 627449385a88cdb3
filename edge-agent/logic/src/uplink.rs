//! The agent's end of the link to the broker: one connection, a control stream, a stream per lane
//! and one per subscribed topic.
//!
//! It holds no block longer than it takes to send it: what was not acknowledged is read again from
//! the outbox, where it has not changed.

mod backoff;
mod lane;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use uplink_wire::{Frame, Hello, Refusal, RefusalCode, StampedProducer, TopicWanted, VERSION, Welcome};

use self::{backoff::Backoff, lane::Lane};
use crate::lane::{Block, BlockNumber, LaneId, LaneKey, StoredLane};

/// A broker that has not said welcome by then is not one.
const HELLO_TIMEOUT: Duration = Duration::from_secs(30);

/// A topic that was refused is asked for again then.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(60);

/// Above every lane: a control frame is small, and an alert on its way down waits for nothing.
const CONTROL_PRIORITY: i32 = 5;
const DOWNLINK_PRIORITY: i32 = 4;

#[derive(Debug, Clone)]
pub struct UplinkConfig {
    pub agent_id: String,
    /// Counts the agent's starts.
    pub boot: u64,
    pub topics: Vec<TopicWanted>,
    /// Topics that come down.
    pub subscribe: Vec<String>,
}

/// A stream the agent opened. Never used again, not even on another connection, so that a late
/// frame of a dead stream finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// One try to connect, and the connection it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(pub u64);

#[derive(Debug)]
pub enum Input {
    Connected {
        attempt: Attempt,
    },
    /// The try failed or the connection ended.
    Disconnected {
        attempt: Attempt,
    },
    Frame {
        stream: StreamId,
        frame: Frame,
    },
    /// The broker ended the stream, or its bytes are no frames.
    StreamClosed {
        stream: StreamId,
    },
    /// From the outbox: the lane's blocks before `next_block` are durable.
    LaneHasBlocks {
        lane: LaneId,
        key: LaneKey,
        next_block: BlockNumber,
    },
    /// The answer to `ReadBlocks`, with its `from`.
    BlocksRead {
        lane: LaneId,
        from: BlockNumber,
        blocks: Vec<ReadBlock>,
    },
    ProducerSaved {
        lane: LaneId,
        producer: StampedProducer,
    },
    Forgotten {
        lane: LaneId,
        through: BlockNumber,
    },
    /// The deadline has come.
    Tick,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBlock {
    Block(Block),
    Damaged(BlockNumber),
}

impl ReadBlock {
    fn number(&self) -> BlockNumber {
        match self {
            ReadBlock::Block(block) => block.number,
            ReadBlock::Damaged(number) => *number,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Connect {
        attempt: Attempt,
    },
    /// Close it; the uplink has already forgotten it.
    Disconnect {
        attempt: Attempt,
    },
    /// Higher priorities are sent first.
    OpenStream {
        stream: StreamId,
        priority: i32,
    },
    /// In order per stream.
    Send {
        stream: StreamId,
        frame: Frame,
    },
    /// For the outbox store: the lane's blocks in order, from this one on; fewer is no error.
    ReadBlocks {
        lane: LaneId,
        from: BlockNumber,
        max_blocks: usize,
    },
    /// For the outbox: `SetProducer`.
    SaveProducer {
        lane: LaneId,
        producer: StampedProducer,
    },
    /// For the outbox: `Forget`.
    Forget {
        lane: LaneId,
        through: BlockNumber,
        urgent: bool,
    },
    /// For the routes: how many partitions the broker says the topic has.
    Partitions {
        topic: String,
        partitions: u32,
    },
    /// Which cluster the broker belongs to. Comes before anything else of a connection.
    Cluster {
        cluster_id: String,
    },
    /// The broker's clock at this moment, milliseconds since the epoch.
    ServerTime {
        time_ms: i64,
    },
    /// Send the downlink's `Subscribe` for this topic on this stream.
    Subscribe {
        stream: StreamId,
        topic: String,
    },
    /// For the downlink.
    Deliver {
        topic: String,
        partition: i32,
        next_offset: i64,
        batches: Bytes,
    },
    Alarm(Alarm),
}

/// What a human should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// Nothing of the lane is lost, and nothing of it is sent until this is mended.
    LaneParked {
        lane: LaneId,
        code: RefusalCode,
        message: String,
    },
    /// The leader misses something before this block; the lane goes on under another producer id.
    SequenceGap {
        lane: LaneId,
        block: BlockNumber,
    },
    /// Acknowledged to devices and lost on the agent's disk.
    BlocksDamaged {
        lane: LaneId,
        from: BlockNumber,
        through: BlockNumber,
    },
    /// The broker will have nothing to do with this agent.
    AgentRefused {
        code: RefusalCode,
        message: String,
    },
    SubscriptionRefused {
        topic: String,
        code: RefusalCode,
        message: String,
    },
    /// The broker has no such topic and makes none: its lanes wait.
    TopicMissing {
        topic: String,
    },
    /// The peer is no broker of ours.
    Protocol {
        what: &'static str,
    },
}

#[derive(Debug)]
pub struct Uplink {
    config: UplinkConfig,
    link: Link,
    backoff: Backoff,
    lanes: BTreeMap<LaneId, Lane>,
    topics: Vec<Topic>,
    streams: BTreeMap<StreamId, Owner>,
    next_stream: u64,
    next_attempt: u64,
}

#[derive(Debug, Clone, Copy)]
enum Link {
    Down {
        next_try: Option<Instant>,
    },
    Connecting(Attempt),
    /// `Hello` is sent.
    Greeting {
        attempt: Attempt,
        until: Instant,
    },
    Up {
        attempt: Attempt,
        since: Instant,
    },
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Control,
    Lane(LaneId),
    Topic(usize),
}

#[derive(Debug)]
struct Topic {
    name: String,
    stream: Option<StreamId>,
    again: Option<Instant>,
}

impl Uplink {
    pub fn new(config: UplinkConfig, stored: &[StoredLane]) -> Self {
        let topic = |name: &String| Topic { name: name.clone(), stream: None, again: None };
        Uplink {
            topics: config.subscribe.iter().map(topic).collect(),
            lanes: stored.iter().map(|lane| (lane.id, Lane::stored(lane))).collect(),
            config,
            link: Link::Down { next_try: None },
            backoff: Backoff::default(),
            streams: BTreeMap::new(),
            next_stream: 0,
            next_attempt: 0,
        }
    }

    /// The first try; said once.
    pub fn start(&mut self, actions: &mut Vec<Action>) {
        self.connect(actions);
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self.link {
            Link::Down { next_try } => next_try,
            Link::Connecting(_) => None,
            Link::Greeting { until, .. } => Some(until),
            Link::Up { .. } => {
                let lanes = self.lanes.values().filter_map(Lane::deadline);
                lanes.chain(self.topics.iter().filter_map(|topic| topic.again)).min()
            }
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// `chance`: any number, for how long to wait before the next try.
    pub fn handle(&mut self, input: Input, now: Instant, chance: u32, actions: &mut Vec<Action>) {
        match input {
            Input::Connected { attempt } => self.connected(attempt, now, actions),
            Input::Disconnected { attempt } => {
                if self.attempt() == Some(attempt) {
                    self.down(now, chance);
                }
            }
            Input::Frame { stream, frame } => self.frame(stream, frame, now, chance, actions),
            Input::StreamClosed { stream } => self.stream_closed(stream, now, chance, actions),
            Input::LaneHasBlocks { lane, key, next_block } => {
                let lane = self.lanes.entry(lane).or_insert_with(|| Lane::new(lane, key));
                lane.has_blocks(next_block, actions);
            }
            Input::BlocksRead { lane, from, blocks } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.read(from, blocks, actions);
                }
            }
            Input::ProducerSaved { lane, producer } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.producer_saved(producer, actions);
                }
            }
            Input::Forgotten { lane, through } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.durably_forgotten(through, actions);
                }
            }
            Input::Tick => self.tick(now, chance, actions),
        }
        if self.is_up() {
            self.open_streams(now, actions);
        }
    }

    fn attempt(&self) -> Option<Attempt> {
        match self.link {
            Link::Down { .. } => None,
            Link::Connecting(attempt) | Link::Greeting { attempt, .. } | Link::Up { attempt, .. } => {
                Some(attempt)
            }
        }
    }

    fn connect(&mut self, actions: &mut Vec<Action>) {
        let attempt = Attempt(self.next_attempt);
        self.next_attempt += 1;
        self.link = Link::Connecting(attempt);
        actions.push(Action::Connect { attempt });
    }

    fn connected(&mut self, attempt: Attempt, now: Instant, actions: &mut Vec<Action>) {
        if !matches!(self.link, Link::Connecting(current) if current == attempt) {
            return;
        }
        self.link = Link::Greeting { attempt, until: now + HELLO_TIMEOUT };
        let stream = self.stream(Owner::Control);
        let hello = Hello {
            min_version: VERSION,
            max_version: VERSION,
            agent_id: self.config.agent_id.clone(),
            boot: self.config.boot,
            topics: self.config.topics.clone(),
        };
        actions.push(Action::OpenStream { stream, priority: CONTROL_PRIORITY });
        actions.push(Action::Send { stream, frame: Frame::Hello(hello) });
    }

    fn stream(&mut self, owner: Owner) -> StreamId {
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        self.streams.insert(stream, owner);
        stream
    }

    fn frame(
        &mut self,
        stream: StreamId,
        frame: Frame,
        now: Instant,
        chance: u32,
        actions: &mut Vec<Action>,
    ) {
        let Some(owner) = self.streams.get(&stream).copied() else { return };
        match (owner, frame) {
            (Owner::Control, Frame::Welcome(welcome)) => self.welcome(welcome, now, chance, actions),
            (Owner::Control, Frame::Refused(Refusal { code, message })) => {
                // Ours to wait for when it says so; otherwise a human must hear of it. Either way
                // the next try comes: nothing is gained by giving up.
                if !code.retry() || code == RefusalCode::Unauthorized {
                    actions.push(Action::Alarm(Alarm::AgentRefused { code, message }));
                }
                self.hang_up(now, chance, actions);
            }
            (Owner::Lane(id), frame) => self.lane_frame(id, stream, frame, now, chance, actions),
            (Owner::Topic(index), Frame::Deliver { partition, next_offset, batches }) => {
                if let Some(topic) = self.topics.get(index) {
                    let topic = topic.name.clone();
                    actions.push(Action::Deliver { topic, partition, next_offset, batches });
                }
            }
            (Owner::Topic(index), Frame::Refused(Refusal { code, message })) => {
                self.streams.remove(&stream);
                if let Some(topic) = self.topics.get_mut(index) {
                    topic.stream = None;
                    topic.again = Some(now + SUBSCRIBE_AGAIN);
                    let topic = topic.name.clone();
                    actions.push(Action::Alarm(Alarm::SubscriptionRefused { topic, code, message }));
                }
            }
            _ => self.protocol_error("a frame that does not belong on its stream", now, chance, actions),
        }
    }

    fn lane_frame(
        &mut self,
        id: LaneId,
        stream: StreamId,
        frame: Frame,
        now: Instant,
        chance: u32,
        actions: &mut Vec<Action>,
    ) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match frame {
            Frame::LaneOpened(opened) => lane.opened(opened.producer, actions),
            Frame::Ack { through_sequence } => lane.ack(through_sequence, actions),
            Frame::Refused(Refusal { code, message }) => {
                lane.refused(code, message, now, actions);
                self.streams.remove(&stream);
            }
            _ => self.protocol_error("a frame that does not belong on a lane", now, chance, actions),
        }
    }

    fn welcome(&mut self, welcome: Welcome, now: Instant, chance: u32, actions: &mut Vec<Action>) {
        let Link::Greeting { attempt, .. } = self.link else {
            return self.protocol_error("a second welcome", now, chance, actions);
        };
        if welcome.version != VERSION {
            return self.protocol_error("a version that was not offered", now, chance, actions);
        }
        self.link = Link::Up { attempt, since: now };
        actions.push(Action::Cluster { cluster_id: welcome.cluster_id });
        actions.push(Action::ServerTime { time_ms: welcome.server_time_ms });
        for topic in welcome.topics {
            let (topic, partitions) = (topic.name, topic.partitions);
            actions.push(match partitions {
                0 => Action::Alarm(Alarm::TopicMissing { topic }),
                _ => Action::Partitions { topic, partitions },
            });
        }
    }

    /// Lanes in the order of their classes, so that an alert's stream is the first to be opened.
    fn open_streams(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let mut wanting: Vec<_> = self.lanes.values().filter(|lane| lane.wants_stream(now)).collect();
        wanting.sort_by_key(|lane| (lane.key.class, lane.id));
        let wanting: Vec<LaneId> = wanting.into_iter().map(|lane| lane.id).collect();
        for id in wanting {
            let stream = self.stream(Owner::Lane(id));
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.open(stream, actions);
            }
        }
        for index in 0..self.topics.len() {
            let due = self.topics[index].again.is_none_or(|again| again <= now);
            if self.topics[index].stream.is_none() && due {
                let stream = self.stream(Owner::Topic(index));
                let topic = &mut self.topics[index];
                (topic.stream, topic.again) = (Some(stream), None);
                actions.push(Action::OpenStream { stream, priority: DOWNLINK_PRIORITY });
                actions.push(Action::Subscribe { stream, topic: topic.name.clone() });
            }
        }
    }

    fn stream_closed(&mut self, stream: StreamId, now: Instant, chance: u32, actions: &mut Vec<Action>) {
        match self.streams.remove(&stream) {
            None => {}
            Some(Owner::Control) => self.hang_up(now, chance, actions),
            Some(Owner::Lane(id)) => {
                if let Some(lane) = self.lanes.get_mut(&id)
                    && lane.stream() == Some(stream)
                {
                    lane.stream_closed(now);
                }
            }
            Some(Owner::Topic(index)) => {
                if let Some(topic) = self.topics.get_mut(index) {
                    topic.stream = None;
                    topic.again = Some(now + SUBSCRIBE_AGAIN);
                }
            }
        }
    }

    fn tick(&mut self, now: Instant, chance: u32, actions: &mut Vec<Action>) {
        match self.link {
            Link::Down { next_try: Some(at) } if at <= now => self.connect(actions),
            Link::Greeting { attempt, until } if until <= now => {
                actions.push(Action::Disconnect { attempt });
                self.down(now, chance);
            }
            _ => {} // streams that are due are opened by the caller
        }
    }

    fn protocol_error(&mut self, what: &'static str, now: Instant, chance: u32, actions: &mut Vec<Action>) {
        actions.push(Action::Alarm(Alarm::Protocol { what }));
        self.hang_up(now, chance, actions);
    }

    /// Ends the connection from this side.
    fn hang_up(&mut self, now: Instant, chance: u32, actions: &mut Vec<Action>) {
        if let Some(attempt) = self.attempt() {
            actions.push(Action::Disconnect { attempt });
            self.down(now, chance);
        }
    }

    fn down(&mut self, now: Instant, chance: u32) {
        let up_since = match self.link {
            Link::Up { since, .. } => Some(since),
            _ => None,
        };
        self.backoff.after_connection(up_since, now);
        self.link = Link::Down { next_try: Some(now + self.backoff.next(chance)) };
        self.streams.clear();
        for lane in self.lanes.values_mut() {
            lane.disconnected();
        }
        for topic in &mut self.topics {
            topic.stream = None;
        }
    }
}
