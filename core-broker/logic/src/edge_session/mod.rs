//! One agent's connection: what each of its streams is, and the order of the answers.
//!
//! The shell reads frames and feeds them with the stream they came on; every effect is an action. Acks
//! of a lane leave in the order of its blocks, each only after the leader said that the block is synced.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kafka_wire::record_batch::BatchHeader;
use uplink_wire::{
    Class, Frame, Hello, LaneOpened, MAX_BLOCKS_IN_FLIGHT, OpenLane, Refusal, RefusalCode, StampedProducer,
    Subscribe, TopicInfo, TopicWanted, VERSION, Welcome,
};

use crate::replica::{AppendError, Appended, SequenceError};

/// A gateway has tens of lanes; a thousand is a mistake or an attack.
pub const MAX_STREAMS: usize = 1024;

/// The shell's number for a stream.
pub type StreamId = u64;

#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Frame {
        stream: StreamId,
        frame: Frame,
    },
    /// The stream's bytes were no frame.
    Malformed {
        stream: StreamId,
        reason: String,
    },
    StreamClosed {
        stream: StreamId,
    },
    /// The answer to `PrepareTopics`.
    TopicsReady {
        stream: StreamId,
        topics: Vec<TopicInfo>,
        now_ms: i64,
    },
    /// The answer to `AllocateProducer`.
    ProducerAllocated {
        stream: StreamId,
        producer: Result<i64, Refusal>,
    },
    /// The answer to `Append`, in any order.
    Stored {
        stream: StreamId,
        block: u64,
        result: Result<(), StoreError>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make sure that these exist, or say that they do not.
    PrepareTopics {
        stream: StreamId,
        topics: Vec<TopicWanted>,
    },
    AllocateProducer {
        stream: StreamId,
    },
    /// Append with acks=all; blocks of one stream in the order of these actions.
    Append {
        stream: StreamId,
        block: u64,
        topic: String,
        partition: i32,
        header: BatchHeader,
        batch: Bytes,
    },
    /// Send this topic from these offsets on, until the stream closes.
    Deliver {
        stream: StreamId,
        subscribe: Subscribe,
    },
    Send {
        stream: StreamId,
        frame: Frame,
    },
    /// No more will be sent on it or read from it.
    Finish {
        stream: StreamId,
    },
}

/// What the leader's answer means for a block. An agent sends a block again with the same bytes, and only
/// while it is among the last that the leader remembers; anything else under the same sequences comes from
/// somebody else, and an ack for it would be an ack for events that are not in the log.
pub fn block_stored(answer: Result<Appended, AppendError>) -> Result<(), StoreError> {
    match answer {
        Ok(appended) if appended.other_bytes => Err(StoreError::ForeignProducer),
        Ok(_) => Ok(()),
        Err(AppendError::Sequence(SequenceError::OldDuplicate)) => Err(StoreError::ForeignProducer),
        Err(error) => Err(StoreError::Append(error)),
    }
}

/// Why a block was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("there is no such topic")]
    UnknownTopic,
    #[error("the topic has no such partition")]
    UnknownPartition,
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Stored before with other bytes, or longer ago than an agent ever sends again: not this agent's.
    #[error("another agent writes under this producer id: was the outbox copied? A new producer id mends it")]
    ForeignProducer,
    #[error("the broker is stopping")]
    ShuttingDown,
}

#[derive(Debug)]
pub struct EdgeSession {
    cluster_id: String,
    max_block_bytes: u32,
    welcomed: bool,
    streams: BTreeMap<StreamId, Stream>,
}

#[derive(Debug)]
enum Stream {
    Control,
    LaneOpening(OpenLane),
    Lane(Lane),
    Downlink,
    /// Refused: what still arrives on it is read past.
    Finished,
}

#[derive(Debug)]
struct Lane {
    topic: String,
    partition: i32,
    class: Class,
    producer: StampedProducer,
    next_block: u64,
    /// Oldest first; an entry leaves when it and all before it are stored.
    unacknowledged: VecDeque<Unacknowledged>,
}

#[derive(Debug)]
struct Unacknowledged {
    block: u64,
    last_sequence: i32,
    stored: bool,
}

impl EdgeSession {
    pub fn new(cluster_id: String, max_block_bytes: u32) -> Self {
        Self { cluster_id, max_block_bytes, welcomed: false, streams: BTreeMap::new() }
    }

    pub fn handle(&mut self, input: Input, actions: &mut Vec<Action>) {
        let stream = match &input {
            Input::Frame { stream, .. }
            | Input::Malformed { stream, .. }
            | Input::StreamClosed { stream }
            | Input::TopicsReady { stream, .. }
            | Input::ProducerAllocated { stream, .. }
            | Input::Stored { stream, .. } => *stream,
        };
        let outcome = match input {
            Input::StreamClosed { .. } => {
                self.streams.remove(&stream);
                Ok(())
            }
            Input::Malformed { reason, .. } => Err(refusal(RefusalCode::Protocol, reason)),
            Input::Frame { frame, .. } => self.frame(stream, frame, actions),
            Input::TopicsReady { topics, now_ms, .. } => {
                self.welcomed = true;
                let welcome = Welcome {
                    version: VERSION,
                    cluster_id: self.cluster_id.clone(),
                    server_time_ms: now_ms,
                    max_block_bytes: self.max_block_bytes,
                    topics,
                };
                actions.push(Action::Send { stream, frame: Frame::Welcome(welcome) });
                Ok(())
            }
            Input::ProducerAllocated { producer, .. } => self.producer_allocated(stream, producer, actions),
            Input::Stored { block, result, .. } => self.stored(stream, block, result, actions),
        };
        if let Err(refusal) = outcome {
            self.streams.insert(stream, Stream::Finished);
            actions.push(Action::Send { stream, frame: Frame::Refused(refusal) });
            actions.push(Action::Finish { stream });
        }
    }

    /// (topic, partition, class) of every open lane, for the log and the metrics.
    pub fn lanes(&self) -> impl Iterator<Item = (&str, i32, Class)> {
        self.streams.values().filter_map(|stream| match stream {
            Stream::Lane(lane) => Some((lane.topic.as_str(), lane.partition, lane.class)),
            _ => None,
        })
    }

    fn frame(&mut self, stream: StreamId, frame: Frame, actions: &mut Vec<Action>) -> Result<(), Refusal> {
        if let Some(state) = self.streams.get_mut(&stream) {
            return match (state, frame) {
                (Stream::Finished, _) => Ok(()),
                (Stream::Lane(lane), Frame::Block { batch, .. }) => {
                    lane.block(stream, batch, self.max_block_bytes, actions)
                }
                (state, frame) => Err(unexpected(state, &frame)),
            };
        }
        if self.streams.len() >= MAX_STREAMS {
            let message = format!("more than {MAX_STREAMS} streams on one connection");
            return Err(refusal(RefusalCode::TooManyLanes, message));
        }
        match frame {
            Frame::Hello(hello) => self.hello(stream, hello, actions),
            Frame::OpenLane(_) | Frame::Subscribe(_) if !self.welcomed => {
                Err(refusal(RefusalCode::Protocol, "the first frame of a connection is Hello".into()))
            }
            Frame::OpenLane(open) => {
                match open.producer {
                    Some(producer) => self.lane_opened(stream, open, producer, actions),
                    None => {
                        self.streams.insert(stream, Stream::LaneOpening(open));
                        actions.push(Action::AllocateProducer { stream });
                    }
                }
                Ok(())
            }
            Frame::Subscribe(subscribe) => {
                self.streams.insert(stream, Stream::Downlink);
                actions.push(Action::Deliver { stream, subscribe });
                Ok(())
            }
            other => {
                Err(refusal(RefusalCode::Protocol, format!("a stream does not begin with {}", name(&other))))
            }
        }
    }

    fn hello(&mut self, stream: StreamId, hello: Hello, actions: &mut Vec<Action>) -> Result<(), Refusal> {
        if !(hello.min_version..=hello.max_version).contains(&VERSION) {
            let message = format!(
                "this broker speaks version {VERSION} of the edge protocol, the agent {} to {}: update the older of the two",
                hello.min_version, hello.max_version
            );
            return Err(refusal(RefusalCode::UnsupportedVersion, message));
        }
        self.streams.insert(stream, Stream::Control);
        actions.push(Action::PrepareTopics { stream, topics: hello.topics });
        Ok(())
    }

    fn producer_allocated(
        &mut self,
        stream: StreamId,
        producer: Result<i64, Refusal>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        match self.streams.remove(&stream) {
            Some(Stream::LaneOpening(open)) => {
                let producer = StampedProducer { id: producer?, epoch: 0 };
                self.lane_opened(stream, open, producer, actions);
                Ok(())
            }
            // Closed or refused while the id was on its way: the id is spent, nothing else.
            Some(other) => {
                self.streams.insert(stream, other);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn lane_opened(
        &mut self,
        stream: StreamId,
        open: OpenLane,
        producer: StampedProducer,
        actions: &mut Vec<Action>,
    ) {
        let OpenLane { topic, partition, class, .. } = open;
        let lane = Lane { topic, partition, class, producer, next_block: 0, unacknowledged: VecDeque::new() };
        self.streams.insert(stream, Stream::Lane(lane));
        actions.push(Action::Send { stream, frame: Frame::LaneOpened(LaneOpened { producer }) });
    }

    fn stored(
        &mut self,
        stream: StreamId,
        block: u64,
        result: Result<(), StoreError>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let Some(Stream::Lane(lane)) = self.streams.get_mut(&stream) else { return Ok(()) };
        if let Err(error) = result {
            return Err(refusal_of(error, lane));
        }
        if let Some(entry) = lane.unacknowledged.iter_mut().find(|entry| entry.block == block) {
            entry.stored = true;
        }
        let mut through_sequence = None;
        while lane.unacknowledged.front().is_some_and(|entry| entry.stored) {
            through_sequence = lane.unacknowledged.pop_front().map(|entry| entry.last_sequence);
        }
        if let Some(through_sequence) = through_sequence {
            actions.push(Action::Send { stream, frame: Frame::Ack { through_sequence } });
        }
        Ok(())
    }
}

impl Lane {
    fn block(
        &mut self,
        stream: StreamId,
        batch: Bytes,
        max_block_bytes: u32,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        if batch.len() > max_block_bytes as usize {
            let message = format!("a block of {} bytes: at most {max_block_bytes} are taken", batch.len());
            return Err(refusal(RefusalCode::BlockTooLarge, message));
        }
        if self.unacknowledged.len() == MAX_BLOCKS_IN_FLIGHT {
            let message = format!("more than {MAX_BLOCKS_IN_FLIGHT} blocks in flight on one lane");
            return Err(refusal(RefusalCode::Protocol, message));
        }
        let header = BatchHeader::validate(&batch)
            .map_err(|error| refusal(RefusalCode::CorruptBlock, error.to_string()))?;
        if header.size != batch.len() {
            let message = "a block is exactly one record batch".to_string();
            return Err(refusal(RefusalCode::CorruptBlock, message));
        }
        if header.producer_id != self.producer.id || header.producer_epoch != self.producer.epoch {
            let message = "the block carries another producer than its lane was opened with".to_string();
            return Err(refusal(RefusalCode::Protocol, message));
        }
        let block = self.next_block;
        self.next_block += 1;
        let last_sequence = header.last_sequence();
        self.unacknowledged.push_back(Unacknowledged { block, last_sequence, stored: false });
        actions.push(Action::Append {
            stream,
            block,
            topic: self.topic.clone(),
            partition: self.partition,
            header,
            batch,
        });
        Ok(())
    }
}

fn refusal(code: RefusalCode, message: String) -> Refusal {
    Refusal { code, message }
}

fn refusal_of(error: StoreError, lane: &Lane) -> Refusal {
    let code = match error {
        StoreError::UnknownTopic => RefusalCode::UnknownTopic,
        StoreError::UnknownPartition => RefusalCode::UnknownPartition,
        // The agent takes another producer id and sends the same events under it.
        StoreError::ForeignProducer => RefusalCode::OutOfOrderSequence,
        StoreError::ShuttingDown => RefusalCode::ShuttingDown,
        StoreError::Append(append) => match append {
            AppendError::NotEnoughReplicas | AppendError::TimedOut | AppendError::LogFailed => {
                RefusalCode::StorageUnavailable
            }
            AppendError::ControlBatch | AppendError::Transactional => RefusalCode::CorruptBlock,
            AppendError::Sequence(SequenceError::FencedEpoch) => RefusalCode::FencedProducer,
            AppendError::Sequence(_) => RefusalCode::OutOfOrderSequence,
            AppendError::TopicDeleted => RefusalCode::UnknownTopic,
        },
    };
    refusal(code, format!("{}-{}: {error}", lane.topic, lane.partition))
}

fn unexpected(state: &Stream, frame: &Frame) -> Refusal {
    let place = match state {
        Stream::Control => "the control stream",
        Stream::LaneOpening(_) => "a lane that is not open yet",
        Stream::Lane(_) => "a lane",
        Stream::Downlink => "a downlink stream",
        Stream::Finished => "a refused stream",
    };
    refusal(RefusalCode::Protocol, format!("{} does not belong on {place}", name(frame)))
}

fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Hello(_) => "Hello",
        Frame::Welcome(_) => "Welcome",
        Frame::OpenLane(_) => "OpenLane",
        Frame::LaneOpened(_) => "LaneOpened",
        Frame::Block { .. } => "Block",
        Frame::Ack { .. } => "Ack",
        Frame::Refused(_) => "Refused",
        Frame::Subscribe(_) => "Subscribe",
        Frame::Deliver { .. } => "Deliver",
    }
}
