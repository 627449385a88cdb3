//! Scripts: what comes in on an agent's streams, and what must be done. `check` alone knows the API.

use bytes::BytesMut;
use kafka_wire::record_batch::{Compression, Producer, RecordsEncoder, assemble};

use super::*;
use crate::ids::Offset;

const CONTROL: StreamId = 0;
const LANE: StreamId = 4;
const MAX_BLOCK_BYTES: u32 = 10_000;
const PRODUCER: StampedProducer = StampedProducer { id: 7, epoch: 0 };

fn hello(min_version: u8, max_version: u8) -> Input {
    let topics = vec![TopicWanted { name: "trucks_gps".into(), partitions: 10 }];
    let hello = Hello { min_version, max_version, agent_id: "gateway-7".into(), boot: 1, topics };
    Input::Frame { stream: CONTROL, frame: Frame::Hello(hello) }
}

fn topics_ready() -> Input {
    let topics = vec![TopicInfo { name: "trucks_gps".into(), partitions: 10 }];
    Input::TopicsReady { stream: CONTROL, topics, now_ms: 5 }
}

fn open_lane(producer: Option<StampedProducer>) -> Input {
    let open = OpenLane { topic: "trucks_gps".into(), partition: 3, class: Class::Live, producer };
    Input::Frame { stream: LANE, frame: Frame::OpenLane(open) }
}

fn batch(producer: StampedProducer, base_sequence: i32, events: usize) -> BytesMut {
    let mut records = RecordsEncoder::new();
    for _ in 0..events {
        records.push(0, Some(b"truck-1"), Some(b"{}"), &[]);
    }
    let stamp = Producer { id: producer.id, epoch: producer.epoch, base_sequence };
    assemble(&records.finish(Compression::None).unwrap(), stamp)
}

fn block(base_sequence: i32, events: usize) -> Input {
    bytes(batch(PRODUCER, base_sequence, events))
}

fn bytes(batch: BytesMut) -> Input {
    Input::Frame { stream: LANE, frame: Frame::Block { resent: false, batch: batch.freeze() } }
}

fn stored(block: u64, result: Result<(), StoreError>) -> Input {
    Input::Stored { stream: LANE, block, result }
}

/// What an action is, without the parts that the input already gave.
fn said(action: &Action) -> String {
    match action {
        Action::PrepareTopics { topics, .. } => format!("prepare {}", topics.len()),
        Action::AllocateProducer { .. } => "allocate".into(),
        Action::Append { block, topic, partition, header, .. } => {
            format!("append {block} to {topic}-{partition} from {}", header.base_sequence)
        }
        Action::Deliver { subscribe, .. } => format!("deliver {}", subscribe.topic),
        Action::Send { frame: Frame::Ack { through_sequence }, .. } => format!("ack {through_sequence}"),
        Action::Send { frame: Frame::Refused(refusal), .. } => format!("refuse {:?}", refusal.code),
        Action::Send { frame: Frame::LaneOpened(opened), .. } => format!("opened {}", opened.producer.id),
        Action::Send { frame, .. } => name(frame).into(),
        Action::Finish { .. } => "finish".into(),
    }
}

fn check(session: &mut EdgeSession, script: Vec<(Input, &[&str])>) {
    for (step, (input, expected)) in script.into_iter().enumerate() {
        let mut actions = Vec::new();
        session.handle(input, &mut actions);
        let actions: Vec<String> = actions.iter().map(said).collect();
        assert_eq!(actions, expected, "step {step}");
    }
}

fn session() -> EdgeSession {
    EdgeSession::new("cluster".into(), MAX_BLOCK_BYTES)
}

fn with_lane() -> EdgeSession {
    let mut session = session();
    check(
        &mut session,
        vec![
            (hello(1, 1), &["prepare 1"]),
            (topics_ready(), &["Welcome"]),
            (open_lane(Some(PRODUCER)), &["opened 7"]),
        ],
    );
    session
}

#[test]
fn a_lane_without_a_producer_gets_one_before_it_is_open() {
    let mut session = session();
    check(
        &mut session,
        vec![
            (hello(1, 3), &["prepare 1"]),
            (topics_ready(), &["Welcome"]),
            (open_lane(None), &["allocate"]),
            (Input::ProducerAllocated { stream: LANE, producer: Ok(41) }, &["opened 41"]),
        ],
    );
    assert_eq!(session.lanes().collect::<Vec<_>>(), [("trucks_gps", 3, Class::Live)]);
}

#[test]
fn acks_only_after_the_leader_has_synced_and_in_the_order_of_the_blocks() {
    check(
        &mut with_lane(),
        vec![
            (block(0, 2), &["append 0 to trucks_gps-3 from 0"]),
            (block(2, 1), &["append 1 to trucks_gps-3 from 2"]),
            (block(3, 1), &["append 2 to trucks_gps-3 from 3"]),
            // The answers come in another order: one ack covers what is stored without a gap.
            (stored(1, Ok(())), &[]),
            (stored(0, Ok(())), &["ack 2"]),
            (stored(2, Ok(())), &["ack 3"]),
        ],
    );
}

#[test]
fn sequences_of_somebody_else_are_not_acknowledged() {
    let appended = |other_bytes| Appended {
        base_offset: Offset(0),
        log_start: Offset(0),
        log_append_time_ms: None,
        is_duplicate: other_bytes,
        other_bytes,
    };
    assert_eq!(block_stored(Ok(appended(false))), Ok(()));
    let old = AppendError::Sequence(SequenceError::OldDuplicate);
    for foreign in [Ok(appended(true)), Err(old)] {
        let result = block_stored(foreign);
        assert_eq!(result, Err(StoreError::ForeignProducer));
        check(
            &mut with_lane(),
            vec![
                (block(0, 1), &["append 0 to trucks_gps-3 from 0"]),
                (stored(0, result), &["refuse OutOfOrderSequence", "finish"]),
            ],
        );
    }
}

#[test]
fn a_refused_lane_reads_past_what_is_still_on_its_way() {
    for (error, code) in [
        (StoreError::UnknownTopic, "refuse UnknownTopic"),
        (StoreError::UnknownPartition, "refuse UnknownPartition"),
        (StoreError::Append(AppendError::LogFailed), "refuse StorageUnavailable"),
        (StoreError::Append(AppendError::TimedOut), "refuse StorageUnavailable"),
        (StoreError::Append(AppendError::TopicDeleted), "refuse UnknownTopic"),
        (AppendError::Sequence(SequenceError::OutOfOrder).into(), "refuse OutOfOrderSequence"),
        (AppendError::Sequence(SequenceError::FencedEpoch).into(), "refuse FencedProducer"),
        (StoreError::ShuttingDown, "refuse ShuttingDown"),
    ] {
        check(
            &mut with_lane(),
            vec![
                (block(0, 1), &["append 0 to trucks_gps-3 from 0"]),
                (block(1, 1), &["append 1 to trucks_gps-3 from 1"]),
                (stored(0, Err(error)), &[code, "finish"]),
                (stored(1, Ok(())), &[]),
                (block(2, 1), &[]),
                // The stream is gone; the agent opens another and sends the same bytes.
                (Input::StreamClosed { stream: LANE }, &[]),
                (open_lane(Some(PRODUCER)), &["opened 7"]),
                (block(0, 1), &["append 0 to trucks_gps-3 from 0"]),
            ],
        );
    }
}

#[test]
fn bad_blocks_are_refused_with_the_reason() {
    let mut flipped = batch(PRODUCER, 0, 1);
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut twice = batch(PRODUCER, 0, 1);
    twice.extend_from_slice(&batch(PRODUCER, 1, 1));
    let stranger = batch(StampedProducer { id: 8, epoch: 0 }, 0, 1);
    let fat = batch(PRODUCER, 0, 2000);
    for (bad, code) in [
        (flipped, "refuse CorruptBlock"),
        (twice, "refuse CorruptBlock"),
        (BytesMut::new(), "refuse CorruptBlock"),
        (stranger, "refuse Protocol"),
        (fat, "refuse BlockTooLarge"),
    ] {
        check(&mut with_lane(), vec![(bytes(bad), &[code, "finish"])]);
    }
}

#[test]
fn no_more_blocks_are_in_flight_than_the_leader_remembers() {
    let mut session = with_lane();
    for n in 0..MAX_BLOCKS_IN_FLIGHT as i32 {
        let mut actions = Vec::new();
        session.handle(block(n, 1), &mut actions);
        assert!(matches!(actions[..], [Action::Append { .. }]));
    }
    check(&mut session, vec![(block(5, 1), &["refuse Protocol", "finish"])]);
}

#[test]
fn the_first_frame_is_hello_and_frames_stay_where_they_belong() {
    let subscribe = || Frame::Subscribe(Subscribe { topic: "driver_alerts".into(), from: vec![] });
    let ack = Frame::Ack { through_sequence: 0 };
    check(&mut session(), vec![(open_lane(Some(PRODUCER)), &["refuse Protocol", "finish"])]);
    check(
        &mut session(),
        vec![(Input::Frame { stream: 8, frame: subscribe() }, &["refuse Protocol", "finish"])],
    );
    check(
        &mut with_lane(),
        vec![
            (Input::Frame { stream: 8, frame: subscribe() }, &["deliver driver_alerts"]),
            (Input::Frame { stream: 8, frame: subscribe() }, &["refuse Protocol", "finish"]),
            (Input::Frame { stream: 12, frame: ack }, &["refuse Protocol", "finish"]),
            (hello(1, 1), &["refuse Protocol", "finish"]),
            (open_lane(None), &["refuse Protocol", "finish"]),
            (Input::Malformed { stream: 16, reason: "noise".into() }, &["refuse Protocol", "finish"]),
        ],
    );
}

#[test]
fn an_agent_of_another_time_is_told_so() {
    check(&mut session(), vec![(hello(2, 3), &["refuse UnsupportedVersion", "finish"])]);
}

#[test]
fn streams_are_bounded() {
    let mut session = with_lane();
    for stream in 100..100 + MAX_STREAMS as u64 {
        let mut actions = Vec::new();
        session.handle(Input::Malformed { stream, reason: "noise".into() }, &mut actions);
    }
    let subscribe = Frame::Subscribe(Subscribe { topic: "driver_alerts".into(), from: vec![] });
    check(
        &mut session,
        vec![(Input::Frame { stream: 9_999, frame: subscribe }, &["refuse TooManyLanes", "finish"])],
    );
}

#[test]
fn a_producer_id_for_a_stream_that_is_gone_is_spent_and_nothing_else() {
    let mut session = session();
    check(
        &mut session,
        vec![
            (hello(1, 1), &["prepare 1"]),
            (topics_ready(), &["Welcome"]),
            (open_lane(None), &["allocate"]),
            (Input::StreamClosed { stream: LANE }, &[]),
            (Input::ProducerAllocated { stream: LANE, producer: Ok(41) }, &[]),
        ],
    );
    assert_eq!(session.lanes().count(), 0);
}
