//! Scripts: what happens, and what the uplink does about it. Every block has two events, so that
//! block n ends at sequence 2n+1. Chance is zero: the wait before a try is one second.
#![allow(clippy::disallowed_methods)] // a script needs some instant to begin at

use std::time::{Duration, Instant};

use bytes::Bytes;
use edge_logic::{
    lane::{Block, BlockNumber, LaneId, LaneKey},
    uplink::{Action, Alarm, Attempt, Input, ReadBlock, StreamId, Uplink, UplinkConfig},
};
use kafka_wire::record_batch::{BatchHeader, Compression, RecordsEncoder};
use uplink_wire::{
    Class, Frame, LaneOpened, Refusal, RefusalCode, StampedProducer, TopicInfo, VERSION, Welcome,
};

type Step = (&'static str, &'static [&'static str]);

fn check(name: &str, steps: &[Step]) {
    let config = UplinkConfig {
        agent_id: "gw".into(),
        boot: 1,
        topics: Vec::new(),
        subscribe: vec!["driver_alerts".into()],
    };
    let mut uplink = Uplink::new(config, &[]);
    let mut now = Instant::now();
    for (n, (step, expected)) in steps.iter().enumerate() {
        let mut actions = Vec::new();
        let words: Vec<&str> = step.split(' ').collect();
        match words.as_slice() {
            ["start"] => uplink.start(&mut actions),
            ["after", secs] => {
                now += Duration::from_secs(secs.parse().unwrap());
                uplink.handle(Input::Tick, now, 0, &mut actions);
            }
            words => uplink.handle(input(words), now, 0, &mut actions),
        }
        let shown: Vec<String> = actions.iter().map(show).collect();
        assert_eq!(shown, *expected, "{name}, step {n}: {step}");
    }
}

fn input(words: &[&str]) -> Input {
    let number = |at: usize| words[at].parse::<u64>().unwrap();
    let lane = |at: usize| LaneId(number(at) as u32);
    let frame = |frame| Input::Frame { stream: StreamId(number(1)), frame };
    match words[0] {
        "connected" => Input::Connected { attempt: Attempt(number(1)) },
        "disconnected" => Input::Disconnected { attempt: Attempt(number(1)) },
        "closed" => Input::StreamClosed { stream: StreamId(number(1)) },
        "welcome" => frame(Frame::Welcome(Welcome {
            version: VERSION,
            cluster_id: "c".into(),
            server_time_ms: 5,
            max_block_bytes: 1 << 20,
            topics: vec![
                TopicInfo { name: "trucks_gps".into(), partitions: 12 },
                TopicInfo { name: "typo".into(), partitions: 0 },
            ],
        })),
        "opened" => frame(Frame::LaneOpened(LaneOpened { producer: producer(number(2)) })),
        "ack" => frame(Frame::Ack { through_sequence: number(2) as i32 }),
        "refused" => frame(Frame::Refused(Refusal { code: code(words[2]), message: "why".into() })),
        "deliver" => {
            frame(Frame::Deliver { partition: 0, next_offset: 9, batches: Bytes::from_static(b"batch") })
        }
        "blocks" => Input::LaneHasBlocks {
            lane: lane(1),
            key: LaneKey { topic: "trucks_gps".into(), partition: 0, class: class(words[2]) },
            next_block: BlockNumber(number(3)),
        },
        "read" => Input::BlocksRead {
            lane: lane(1),
            from: BlockNumber(number(2)),
            blocks: words[3..].iter().map(|word| read_block(word)).collect(),
        },
        "saved" => Input::ProducerSaved { lane: lane(1), producer: producer(number(2)) },
        "forgotten" => Input::Forgotten { lane: lane(1), through: BlockNumber(number(2)) },
        other => panic!("no such step: {other}"),
    }
}

fn producer(id: u64) -> StampedProducer {
    StampedProducer { id: id as i64, epoch: 0 }
}

fn code(name: &str) -> RefusalCode {
    match name {
        "order" => RefusalCode::OutOfOrderSequence,
        "storage" => RefusalCode::StorageUnavailable,
        "partition" => RefusalCode::UnknownPartition,
        "corrupt" => RefusalCode::CorruptBlock,
        "version" => RefusalCode::UnsupportedVersion,
        other => panic!("no such refusal: {other}"),
    }
}

fn class(name: &str) -> Class {
    match name {
        "alert" => Class::Alert,
        "live" => Class::Live,
        other => panic!("no such class: {other}"),
    }
}

fn read_block(word: &str) -> ReadBlock {
    if let Some(number) = word.strip_prefix('!') {
        return ReadBlock::Damaged(BlockNumber(number.parse().unwrap()));
    }
    let number: u64 = word.parse().unwrap();
    let mut encoder = RecordsEncoder::new();
    for _ in 0..2 {
        encoder.push(number as i64, None, Some(b"fix"), &[]);
    }
    let raw_bytes = encoder.len_bytes() as u32;
    let records = encoder.finish(Compression::Zstd).unwrap();
    ReadBlock::Block(Block {
        number: BlockNumber(number),
        base_sequence: number as i32 * 2,
        raw_bytes,
        records,
    })
}

fn show(action: &Action) -> String {
    match action {
        Action::Connect { attempt } => format!("connect {}", attempt.0),
        Action::Disconnect { attempt } => format!("disconnect {}", attempt.0),
        Action::OpenStream { stream, priority } => format!("open {} priority {priority}", stream.0),
        Action::Send { stream, frame } => format!("{}: {}", stream.0, show_frame(frame)),
        Action::ReadBlocks { lane, from, max_blocks } => format!("read {} {}+{max_blocks}", lane.0, from.0),
        Action::SaveProducer { lane, producer } => format!("save {} {}", lane.0, producer.id),
        Action::Forget { lane, through, urgent } => {
            format!("forget {} {}{}", lane.0, through.0, if *urgent { " now" } else { "" })
        }
        Action::Partitions { topic, partitions } => format!("{topic} has {partitions}"),
        Action::Cluster { .. } => "cluster".into(),
        Action::ServerTime { time_ms } => format!("time {time_ms}"),
        Action::Subscribe { stream, topic } => format!("{}: subscribe {topic}", stream.0),
        Action::Deliver { topic, partition, next_offset, batches } => {
            format!("deliver {topic}-{partition} {} bytes, next {next_offset}", batches.len())
        }
        Action::Alarm(alarm) => match alarm {
            Alarm::LaneParked { lane, code, .. } => format!("ALARM lane {} parked: {code:?}", lane.0),
            Alarm::SequenceGap { lane, block } => format!("ALARM gap in lane {} before {}", lane.0, block.0),
            Alarm::BlocksDamaged { lane, from, through } => {
                format!("ALARM lane {} damaged {}..={}", lane.0, from.0, through.0)
            }
            other => format!("ALARM {other:?}"),
        },
    }
}

fn show_frame(frame: &Frame) -> String {
    match frame {
        Frame::Hello(_) => "hello".into(),
        Frame::OpenLane(open) => {
            let id = open.producer.map_or("none".into(), |producer| producer.id.to_string());
            format!("lane {}-{} {:?} producer {id}", open.topic, open.partition, open.class)
        }
        Frame::Block { resent, batch } => {
            let header = BatchHeader::validate(batch).unwrap();
            let again = if *resent { " again" } else { "" };
            format!("{} at {} by {}{again}", header.record_count, header.base_sequence, header.producer_id)
        }
        other => panic!("an agent does not send {other:?}"),
    }
}

/// A connection that is up; stream 0 is the control stream, 1 the downlink.
const UP: [Step; 3] = [
    ("start", &["connect 0"]),
    ("connected 0", &["open 0 priority 5", "0: hello"]),
    (
        "welcome 0",
        &[
            "cluster",
            "time 5",
            "trucks_gps has 12",
            "ALARM TopicMissing { topic: \"typo\" }",
            "open 1 priority 4",
            "1: subscribe driver_alerts",
        ],
    ),
];

/// A lane with its producer, two blocks in flight on stream 2.
const SENDING: [Step; 5] = [
    ("blocks 0 live 2", &["open 2 priority 2", "2: lane trucks_gps-0 Live producer none"]),
    ("opened 2 7", &["save 0 7"]),
    ("saved 0 7", &["read 0 0+2"]),
    ("read 0 0 0 1", &["2: 2 at 0 by 7", "2: 2 at 2 by 7"]),
    ("blocks 0 live 2", &[]),
];

fn check_sending(name: &str, steps: &[Step]) {
    check(name, &[&UP[..], &SENDING[..], steps].concat());
}

#[test]
fn no_block_is_sent_before_its_producer_is_on_disk() {
    check_sending("nothing more", &[]);
    check(
        "the producer is saved after the stream is gone",
        &[
            &UP[..],
            &SENDING[..2],
            &[
                ("disconnected 0", &[]),
                ("saved 0 7", &[]),
                ("after 1", &["connect 1"]),
                ("connected 1", &["open 3 priority 5", "3: hello"]),
            ],
        ]
        .concat(),
    );
}

#[test]
fn what_is_acknowledged_is_forgotten() {
    check_sending("one by one", &[("ack 2 1", &["forget 0 0"]), ("ack 2 3", &["forget 0 1"])]);
    check_sending("in one word", &[("ack 2 3", &["forget 0 1"]), ("ack 2 3", &[])]);
}

#[test]
fn the_window_begins_at_what_is_durably_forgotten() {
    check_sending(
        "a backlog",
        &[
            ("blocks 0 live 9", &["read 0 2+3"]),
            ("read 0 2 2 3 4", &["2: 2 at 4 by 7", "2: 2 at 6 by 7", "2: 2 at 8 by 7"]),
            // Acknowledged, and yet nothing goes out: after a power cut these would be sent again.
            ("ack 2 5", &["forget 0 2", "forget 0 2 now"]),
            ("ack 2 9", &["forget 0 4"]),
            ("forgotten 0 2", &["read 0 5+3", "forget 0 4 now"]),
            ("read 0 5 5 6 7", &["2: 2 at 10 by 7", "2: 2 at 12 by 7", "2: 2 at 14 by 7"]),
            ("forgotten 0 4", &["read 0 8+1"]),
        ],
    );
}

#[test]
fn after_a_cut_the_same_bytes_go_out_again() {
    check_sending(
        "cut",
        &[
            ("ack 2 1", &["forget 0 0"]),
            ("disconnected 0", &[]),
            ("ack 2 3", &[]),
            ("after 1", &["connect 1"]),
            ("connected 1", &["open 3 priority 5", "3: hello"]),
            (
                "welcome 3",
                &[
                    "cluster",
                    "time 5",
                    "trucks_gps has 12",
                    "ALARM TopicMissing { topic: \"typo\" }",
                    "open 4 priority 2",
                    "4: lane trucks_gps-0 Live producer 7",
                    "open 5 priority 4",
                    "5: subscribe driver_alerts",
                ],
            ),
            ("opened 4 7", &["read 0 1+1"]),
            ("read 0 1 1", &["4: 2 at 2 by 7 again"]),
            ("ack 4 3", &["forget 0 1"]),
        ],
    );
}

#[test]
fn a_refusal_that_may_pass_is_waited_out() {
    check_sending(
        "storage",
        &[
            ("refused 2 storage", &[]),
            ("after 0", &[]),
            ("after 1", &["open 3 priority 2", "3: lane trucks_gps-0 Live producer 7"]),
            ("opened 3 7", &["read 0 0+2"]),
            ("read 0 0 0 1", &["3: 2 at 0 by 7 again", "3: 2 at 2 by 7 again"]),
            ("refused 3 storage", &[]),
            ("after 1", &[]),
            ("after 1", &["open 4 priority 2", "4: lane trucks_gps-0 Live producer 7"]),
        ],
    );
    check_sending(
        "the stream ends without a word",
        &[("closed 2", &[]), ("after 1", &["open 3 priority 2", "3: lane trucks_gps-0 Live producer 7"])],
    );
}

#[test]
fn a_partition_that_stays_unknown_is_an_alarm() {
    check_sending(
        "partition",
        &[
            ("refused 2 partition", &[]),
            ("after 1", &["open 3 priority 2", "3: lane trucks_gps-0 Live producer 7"]),
            ("refused 3 partition", &[]),
            ("after 2", &["open 4 priority 2", "4: lane trucks_gps-0 Live producer 7"]),
            ("refused 4 partition", &[]),
            ("after 4", &["open 5 priority 2", "5: lane trucks_gps-0 Live producer 7"]),
            ("refused 5 partition", &["ALARM lane 0 parked: UnknownPartition"]),
            ("after 8", &["open 6 priority 2", "6: lane trucks_gps-0 Live producer 7"]),
            ("opened 6 7", &["read 0 0+2"]),
        ],
    );
}

#[test]
fn a_gap_at_the_leader_ends_in_a_new_producer_and_the_same_sequences() {
    check_sending(
        "order",
        &[
            // Which of the two was it? Only the head is sent to find out.
            ("refused 2 order", &["open 3 priority 2", "3: lane trucks_gps-0 Live producer 7"]),
            ("opened 3 7", &["read 0 0+1"]),
            ("read 0 0 0", &["3: 2 at 0 by 7 again"]),
            (
                "refused 3 order",
                &[
                    "ALARM gap in lane 0 before 0",
                    "open 4 priority 2",
                    "4: lane trucks_gps-0 Live producer none",
                ],
            ),
            ("opened 4 8", &["save 0 8"]),
            ("saved 0 8", &["read 0 0+2"]),
            ("read 0 0 0 1", &["4: 2 at 0 by 8 again", "4: 2 at 2 by 8 again"]),
            ("ack 4 3", &["forget 0 1"]),
        ],
    );
    check_sending(
        "it was not the head",
        &[
            ("refused 2 order", &["open 3 priority 2", "3: lane trucks_gps-0 Live producer 7"]),
            ("opened 3 7", &["read 0 0+1"]),
            ("read 0 0 0", &["3: 2 at 0 by 7 again"]),
            ("ack 3 1", &["forget 0 0", "read 0 1+1"]),
        ],
    );
}

#[test]
fn a_lane_refused_for_good_is_parked_and_nothing_is_dropped() {
    check_sending(
        "corrupt",
        &[
            ("refused 2 corrupt", &["ALARM lane 0 parked: CorruptBlock"]),
            ("blocks 0 live 3", &[]),
            ("after 59", &[]),
            ("after 1", &["open 3 priority 2", "3: lane trucks_gps-0 Live producer 7"]),
            ("opened 3 7", &["read 0 0+3"]),
        ],
    );
}

#[test]
fn a_damaged_block_is_reported_and_the_rest_goes_on() {
    check_sending(
        "in the middle",
        &[
            ("blocks 0 live 5", &["read 0 2+3"]),
            ("read 0 2 2 !3 4", &["2: 2 at 4 by 7", "ALARM lane 0 damaged 3..=3", "2: 2 at 8 by 7"]),
            ("ack 2 5", &["forget 0 3"]),
            ("ack 2 9", &["forget 0 4"]),
        ],
    );
    check_sending(
        "at the end, with nobody to acknowledge it",
        &[
            ("ack 2 3", &["forget 0 1"]),
            ("blocks 0 live 4", &["read 0 2+2"]),
            ("read 0 2", &["ALARM lane 0 damaged 2..=3", "forget 0 3"]),
        ],
    );
}

#[test]
fn alerts_open_before_live_and_each_class_has_its_priority() {
    check(
        "two lanes wait for the connection",
        &[
            ("blocks 0 live 1", &[]),
            ("blocks 1 alert 1", &[]),
            UP[0],
            UP[1],
            (
                "welcome 0",
                &[
                    "cluster",
                    "time 5",
                    "trucks_gps has 12",
                    "ALARM TopicMissing { topic: \"typo\" }",
                    "open 1 priority 3",
                    "1: lane trucks_gps-0 Alert producer none",
                    "open 2 priority 2",
                    "2: lane trucks_gps-0 Live producer none",
                    "open 3 priority 4",
                    "3: subscribe driver_alerts",
                ],
            ),
        ],
    );
}

#[test]
fn deliveries_are_passed_on_and_a_refused_topic_is_asked_for_again() {
    check(
        "downlink",
        &[
            &UP[..],
            &[
                ("deliver 1", &["deliver driver_alerts-0 5 bytes, next 9"]),
                (
                    "refused 1 storage",
                    &["ALARM SubscriptionRefused { topic: \"driver_alerts\", code: StorageUnavailable, message: \"why\" }"],
                ),
                ("after 59", &[]),
                ("after 1", &["open 2 priority 4", "2: subscribe driver_alerts"]),
            ],
        ]
        .concat(),
    );
}

#[test]
fn a_peer_that_breaks_the_protocol_or_says_nothing_is_left() {
    check(
        "hello unanswered",
        &[UP[0], UP[1], ("after 29", &[]), ("after 1", &["disconnect 0"]), ("after 1", &["connect 1"])],
    );
    check(
        "an acknowledgement before the welcome",
        &[
            UP[0],
            UP[1],
            (
                "ack 0 1",
                &["ALARM Protocol { what: \"a frame that does not belong on its stream\" }", "disconnect 0"],
            ),
        ],
    );
    check(
        "refused as a whole",
        &[
            UP[0],
            UP[1],
            (
                "refused 0 version",
                &["ALARM AgentRefused { code: UnsupportedVersion, message: \"why\" }", "disconnect 0"],
            ),
            ("disconnected 0", &[]),
            ("after 1", &["connect 1"]),
        ],
    );
}
