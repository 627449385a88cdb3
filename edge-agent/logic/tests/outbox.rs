//! Scripts: what happens, and what the outbox does about it; and that no event is lost on its way
//! into blocks.
#![allow(clippy::disallowed_methods)] // a script needs some instant to begin at

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use edge_logic::{
    lane::{BlockNumber, LaneId, LaneKey, StoredLane, sequence_after},
    outbox::{
        Action, Change, Commit, Event, Input, MAX_EVENT_BYTES, MAX_SECTION_BYTES, Outbox, OutboxConfig,
    },
};
use kafka_wire::record_batch::{Producer, assemble, decode_records};
use proptest::prelude::*;
use uplink_wire::{Class, StampedProducer};

fn lane(partition: i32, class: Class) -> LaneKey {
    LaneKey { topic: "trucks_gps".into(), partition, class }
}

fn event(partition: i32, value: Vec<u8>) -> Event {
    let (key, value) = (Some(Bytes::from_static(b"truck-7")), Bytes::from(value));
    Event { lane: lane(partition, Class::Live), key, value, timestamp_ms: 1000, headers: Vec::new() }
}

type Step = (&'static str, &'static [&'static str]);

/// Steps: `write TOKEN PARTITION EVENTS`, `alert TOKEN`, `change TOKEN`, `producer LANE`,
/// `forget LANE BLOCK [now]`, `drained`, `committed BYTES`, `after MS`.
fn check(name: &str, config: OutboxConfig, steps: &[Step]) {
    let mut outbox: Outbox<u32> = Outbox::new(config, &[], 0);
    let mut now = Instant::now();
    for (n, (step, expected)) in steps.iter().enumerate() {
        let words: Vec<&str> = step.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let lane_at = |at: usize| LaneId(number(at) as u32);
        let input = match words[0] {
            "write" => Input::Write {
                token: number(1) as u32,
                events: (0..number(3)).map(|_| event(number(2) as i32, vec![7; 100])).collect(),
                changes: Vec::new(),
            },
            "alert" => Input::Write {
                token: number(1) as u32,
                events: vec![Event { lane: lane(0, Class::Alert), ..event(0, vec![7; 10]) }],
                changes: Vec::new(),
            },
            "huge" => Input::Write {
                token: number(1) as u32,
                events: vec![event(0, vec![7; MAX_EVENT_BYTES])],
                changes: Vec::new(),
            },
            "change" => Input::Write {
                token: number(1) as u32,
                events: Vec::new(),
                changes: vec![Change::DeleteDownlink { delivery: 1 }],
            },
            "producer" => {
                Input::SetProducer { lane: lane_at(1), producer: StampedProducer { id: 7, epoch: 0 } }
            }
            "forget" => {
                Input::Forget { lane: lane_at(1), through: BlockNumber(number(2)), urgent: words.len() > 3 }
            }
            "drained" => Input::Drained,
            "committed" => Input::Committed { stored_bytes: number(1) },
            "after" => {
                now += Duration::from_millis(number(1));
                Input::Drained
            }
            other => panic!("no such step: {other}"),
        };
        let mut actions = Vec::new();
        outbox.handle(input, now, &mut actions);
        let shown: Vec<String> = actions.iter().map(show).collect();
        assert_eq!(shown, *expected, "{name}, step {n}: {step}");
    }
}

fn show(action: &Action<u32>) -> String {
    match action {
        Action::Commit(commit) => {
            let mut parts = vec!["commit".to_owned()];
            parts.extend(commit.created.iter().map(|(id, key)| format!("new {}={}", id.0, key.partition)));
            parts.extend(
                commit.producers.iter().map(|(id, producer)| format!("producer {}={}", id.0, producer.id)),
            );
            parts.extend(commit.blocks.iter().map(|(id, block)| {
                format!("{}#{} at {} x{}", id.0, block.number.0, block.base_sequence, block.records.count)
            }));
            parts.extend(
                commit.forgotten.iter().map(|(id, through)| format!("forget {}#{}", id.0, through.0)),
            );
            parts.extend(commit.changes.iter().map(|_| "change".to_owned()));
            parts.join(" ")
        }
        Action::Durable { tokens } => format!("durable {tokens:?}"),
        Action::Refused { token, why } => format!("refused {token}: {why}"),
        Action::LaneHasBlocks { lane, next_block, .. } => format!("lane {} to {}", lane.0, next_block.0),
        Action::ProducerSaved { lane, producer } => format!("saved {}={}", lane.0, producer.id),
        Action::Forgotten { lane, through } => format!("forgotten {}#{}", lane.0, through.0),
        Action::Alarm(alarm) => format!("ALARM {alarm:?}"),
    }
}

#[test]
fn an_idle_outbox_commits_at_once_and_a_busy_one_in_groups() {
    check(
        "groups",
        OutboxConfig::default(),
        &[
            ("write 1 3 1", &[]),
            ("drained", &["commit new 0=3 0#0 at 0 x1"]),
            ("write 2 3 2", &[]),
            ("drained", &[]),
            ("write 3 4 1", &[]),
            ("committed 100", &["durable [1]", "lane 0 to 1"]),
            ("drained", &["commit new 1=4 0#1 at 1 x2 1#0 at 0 x1"]),
            ("committed 200", &["durable [2, 3]", "lane 0 to 2", "lane 1 to 1"]),
            ("drained", &[]),
        ],
    );
}

#[test]
fn nothing_is_durable_before_the_commit_is() {
    check(
        "one at a time",
        OutboxConfig::default(),
        &[
            ("change 1", &[]),
            ("drained", &["commit change"]),
            ("after 60000", &[]),
            ("committed 0", &["durable [1]"]),
        ],
    );
}

#[test]
fn a_linger_waits_for_company() {
    check(
        "linger",
        OutboxConfig { linger: Duration::from_millis(500), ..OutboxConfig::default() },
        &[
            ("write 1 3 1", &[]),
            ("after 300", &[]),
            ("write 2 3 1", &[]),
            ("after 199", &[]),
            ("after 1", &["commit new 0=3 0#0 at 0 x2"]),
        ],
    );
}

#[test]
fn forgetting_rides_on_the_next_commit_or_comes_when_it_is_needed() {
    let stored: [Step; 5] = [
        ("write 1 3 1", &[]),
        ("drained", &["commit new 0=3 0#0 at 0 x1"]),
        ("committed 100", &["durable [1]", "lane 0 to 1"]),
        ("producer 0", &[]),
        ("drained", &["commit producer 0=7"]),
    ];
    let saved: Step = ("committed 100", &["saved 0=7"]);
    let cases: [(&str, &[Step]); 3] = [
        (
            "rides along",
            &[
                saved,
                ("forget 0 0", &[]),
                ("drained", &[]),
                ("write 2 3 1", &[]),
                ("drained", &["commit 0#1 at 1 x1 forget 0#0"]),
                ("committed 100", &["durable [2]", "forgotten 0#0", "lane 0 to 2"]),
            ],
        ),
        ("alone", &[saved, ("forget 0 0", &[]), ("after 999", &[]), ("after 1", &["commit forget 0#0"])]),
        (
            "urgent",
            &[saved, ("forget 0 0", &[]), ("forget 0 0 now", &[]), ("drained", &["commit forget 0#0"])],
        ),
    ];
    for (name, steps) in cases {
        check(name, OutboxConfig::default(), &[&stored, steps].concat());
    }
}

#[test]
fn a_full_outbox_takes_nothing_more_but_an_alert() {
    check(
        "full",
        OutboxConfig { max_bytes: 10_000, ..OutboxConfig::default() },
        &[
            ("write 1 3 1", &[]),
            ("drained", &["commit new 0=3 0#0 at 0 x1"]),
            ("committed 9950", &["durable [1]", "lane 0 to 1"]),
            (
                "write 2 3 1",
                &[
                    "ALARM OutboxFull { stored_bytes: 9950 }",
                    "refused 2: the outbox is full: the broker has been away for too long",
                ],
            ),
            ("write 3 3 1", &["refused 3: the outbox is full: the broker has been away for too long"]),
            ("alert 4", &[]),
            ("change 5", &[]),
            ("forget 0 0 now", &[]),
            ("drained", &["commit new 1=0 1#0 at 0 x1 forget 0#0 change"]),
            (
                "committed 90",
                &[
                    "durable [4, 5]",
                    "forgotten 0#0",
                    "lane 1 to 1",
                    "ALARM OutboxHasRoom { stored_bytes: 90 }",
                ],
            ),
            ("write 6 3 1", &[]),
        ],
    );
}

#[test]
fn an_event_that_fits_in_no_block_is_refused() {
    let refused: &[&str] = &["refused 1: an event of 60047 bytes: at most 60000 are taken"];
    check("huge", OutboxConfig::default(), &[("huge 1", refused), ("drained", &[])]);
}

/// Bytes that do not compress, so that blocks must be cut.
fn noise(mut seed: u64, bytes: usize) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// What the lanes hold, read back from the blocks of all commits.
#[derive(Default)]
struct Disk {
    lanes: BTreeMap<LaneId, StoredLane>,
    values: BTreeMap<LaneKey, Vec<Bytes>>,
}

impl Disk {
    fn apply(&mut self, commit: &Commit) -> Result<(), TestCaseError> {
        for (id, key) in &commit.created {
            let first = BlockNumber(0);
            let lane = StoredLane {
                id: *id,
                key: key.clone(),
                producer: None,
                next_sequence: 0,
                first_block: first,
                next_block: first,
            };
            prop_assert!(self.lanes.insert(*id, lane).is_none(), "a lane is created once");
        }
        for (id, block) in &commit.blocks {
            let lane = self.lanes.get_mut(id).unwrap();
            prop_assert_eq!(block.number, lane.next_block);
            prop_assert_eq!(block.base_sequence, lane.next_sequence);
            prop_assert!(block.records.bytes.len() <= MAX_SECTION_BYTES);
            lane.next_block = block.number.next();
            lane.next_sequence = sequence_after(block.last_sequence(), 1);
            let batch = assemble(&block.records, Producer::NONE).freeze();
            let records = decode_records(batch, 1 << 24).unwrap();
            let values = records.into_iter().map(|record| record.value.unwrap());
            self.values.entry(lane.key.clone()).or_default().extend(values);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_event_is_in_one_block_in_order_whatever_the_sizes_and_restarts(
        writes in prop::collection::vec((0i32..3, 1usize..4, 0usize..30_000, any::<u64>()), 1..40),
        commits_every in 1usize..12,
        restart_at in 0usize..40,
    ) {
        let now = Instant::now();
        let mut outbox: Outbox<usize> = Outbox::new(OutboxConfig::default(), &[], 0);
        let (mut disk, mut expected, mut durable) = (Disk::default(), BTreeMap::<LaneKey, Vec<Bytes>>::new(), 0);
        let total = writes.len();
        for (token, (partition, count, bytes, seed)) in writes.into_iter().enumerate() {
            let events: Vec<Event> =
                (0..count).map(|n| event(partition, noise(seed + n as u64, bytes))).collect();
            for event in &events {
                expected.entry(event.lane.clone()).or_default().push(event.value.clone());
            }
            let mut actions = Vec::new();
            outbox.handle(Input::Write { token, events, changes: Vec::new() }, now, &mut actions);
            prop_assert_eq!(actions.len(), 0);
            if token % commits_every == 0 || token + 1 == total || token == restart_at {
                outbox.handle(Input::Drained, now, &mut actions);
                if let Some(Action::Commit(commit)) = actions.pop() {
                    disk.apply(&commit)?;
                }
                outbox.handle(Input::Committed { stored_bytes: 0 }, now, &mut actions);
                if let Some(Action::Durable { tokens }) = actions.first() {
                    durable += tokens.len();
                }
            }
            if token == restart_at {
                let stored: Vec<StoredLane> = disk.lanes.values().cloned().collect();
                outbox = Outbox::new(OutboxConfig::default(), &stored, 0);
            }
        }
        prop_assert_eq!(durable, total);
        prop_assert_eq!(disk.values, expected);
    }
}
