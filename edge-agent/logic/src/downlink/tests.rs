//! The downlink against a store in plain maps; time starts at 1,000,000 and alerts live 600 s.

use std::collections::BTreeSet;

use bytes::BytesMut;
use kafka_wire::record_batch::{Compression, Producer, RecordsEncoder, assemble, set_base_offset_and_epoch};
use proptest::prelude::*;

use super::*;

const START_MS: i64 = 1_000_000;

#[derive(Debug, Default)]
struct Store {
    pending: BTreeMap<u64, Bytes>,
    offsets: BTreeMap<(String, i32), i64>,
    facts: BTreeMap<(String, String), Bytes>,
}

impl Store {
    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::PutDownlink { delivery, message } => drop(self.pending.insert(delivery, message)),
                Change::DeleteDownlink { delivery } => drop(self.pending.remove(&delivery)),
                Change::PutOffset { topic, partition, next_offset } => {
                    self.offsets.insert((topic, partition), next_offset);
                }
                Change::PutFact { kind, key, value } => drop(self.facts.insert((kind.into(), key), value)),
                Change::DeleteFact { kind, key } => drop(self.facts.remove(&(kind.into(), key))),
                other => panic!("{other:?}"),
            }
        }
    }

    fn stored(&self) -> StoredDownlink {
        StoredDownlink {
            pending: self.pending.iter().map(|(id, bytes)| (*id, bytes.clone())).collect(),
            offsets: self.offsets.iter().map(|((topic, part), next)| (topic.clone(), *part, *next)).collect(),
            facts: self
                .facts
                .iter()
                .map(|((kind, key), value)| (kind.clone(), key.clone(), value.clone()))
                .collect(),
        }
    }
}

struct Agent {
    store: Store,
    downlink: Downlink,
    boot: u64,
    published: Vec<(DeliveryId, String, String)>,
    withdrawn: Vec<DeliveryId>,
}

impl Agent {
    fn new() -> Agent {
        let mut agent = Agent {
            store: Store::default(),
            downlink: Downlink::new(DownlinkConfig::default(), 1, StoredDownlink::default()),
            boot: 1,
            published: Vec::new(),
            withdrawn: Vec::new(),
        };
        let device = Device { vehicle_id: "truck-7".into(), mqtt_topic: "fleet/north/truck-7/alert".into() };
        let change = agent.downlink.heard(&device).unwrap();
        assert_eq!(agent.downlink.heard(&device), None, "said once");
        agent.store.apply(vec![change]);
        agent
    }

    /// Handles it, and what it writes is durable at once.
    fn handle(&mut self, input: Input, now_ms: i64) {
        let mut actions = Vec::new();
        self.downlink.handle(input, now_ms, &mut actions);
        self.perform(actions, now_ms);
    }

    fn perform(&mut self, actions: Vec<Action>, now_ms: i64) {
        for action in actions {
            match action {
                Action::Write { write, changes } => {
                    self.store.apply(changes);
                    self.handle(Input::Durable { write }, now_ms);
                }
                Action::Publish { delivery, mqtt_topic, payload, .. } => {
                    let payload = String::from_utf8(payload.to_vec()).unwrap();
                    self.published.push((delivery, mqtt_topic, payload));
                }
                Action::Withdraw { delivery } => self.withdrawn.push(delivery),
            }
        }
    }

    fn restart(&mut self, now_ms: i64) {
        self.boot += 1;
        self.downlink = Downlink::new(DownlinkConfig::default(), self.boot, self.store.stored());
        let mut actions = Vec::new();
        self.downlink.start(now_ms, &mut actions);
        self.perform(actions, now_ms);
    }

    fn next_offset(&self) -> Option<i64> {
        self.store.offsets.get(&("driver_alerts".to_owned(), 0)).copied()
    }
}

fn alert(id: &str, vehicle: &str) -> String {
    format!(r#"{{"alert_id":"{id}","vehicle_id":"{vehicle}","message":"Please take a break"}}"#)
}

fn deliver(base_offset: i64, timestamp_ms: i64, values: &[String]) -> Input {
    let mut encoder = RecordsEncoder::new();
    for value in values {
        encoder.push(timestamp_ms, Some(b"drv-7"), Some(value.as_bytes()), &[]);
    }
    let records = encoder.finish(Compression::Zstd).unwrap();
    let mut batch: BytesMut = assemble(&records, Producer::NONE);
    set_base_offset_and_epoch(&mut batch, base_offset, 0);
    let next_offset = base_offset + values.len() as i64;
    Input::Deliver { topic: "driver_alerts".into(), partition: 0, next_offset, batches: batch.freeze() }
}

#[test]
fn an_alert_is_handed_on_after_it_is_durable_and_gone_after_it_is_delivered() {
    let mut agent = Agent::new();
    let mut actions = Vec::new();
    agent.downlink.handle(deliver(0, START_MS, &[alert("a", "truck-7")]), START_MS, &mut actions);
    let [Action::Write { write, changes }] = actions.as_slice() else { panic!("{actions:?}") };
    assert!(changes.iter().any(|change| matches!(change, Change::PutOffset { next_offset: 1, .. })));
    assert!(changes.iter().any(|change| matches!(change, Change::PutDownlink { .. })));
    let write = *write;
    agent.store.apply(changes.clone());
    assert_eq!(agent.published, [], "not before the disk has it");

    agent.handle(Input::Durable { write }, START_MS);
    let (delivery, topic, payload) = agent.published[0].clone();
    assert_eq!((topic.as_str(), payload), ("fleet/north/truck-7/alert", alert("a", "truck-7")));
    agent.handle(Input::Delivered { delivery }, START_MS);
    assert!(agent.store.pending.is_empty());
    assert_eq!(agent.downlink.deadline_ms(), None);
}

#[test]
fn only_what_is_for_a_device_here_in_time_and_for_the_first_time_is_taken() {
    let mut agent = Agent::new();
    let late = START_MS - 600_000;
    agent
        .handle(deliver(0, START_MS, &[alert("a", "truck-7"), alert("b", "truck-9"), "{}".into()]), START_MS);
    agent.handle(deliver(3, START_MS, &[alert("a", "truck-7")]), START_MS);
    agent.handle(deliver(4, late, &[alert("c", "truck-7")]), START_MS);
    agent.handle(deliver(5, late + 1, &[alert("d", "truck-7")]), START_MS);
    agent.handle(deliver(0, START_MS, &[alert("z", "truck-7")]), START_MS); // before the place reached
    let ids: Vec<&str> = agent.published.iter().map(|(_, _, payload)| &payload[13..14]).collect();
    assert_eq!(ids, ["a", "d"]);
    let expected =
        Counts { taken: 2, elsewhere: 1, malformed: 1, duplicate: 1, expired: 1, ..Counts::default() };
    assert_eq!(agent.downlink.counts(), expected);
}

#[test]
fn the_alerts_of_a_new_cluster_are_taken_from_its_start() {
    let mut agent = Agent::new();
    let changes = agent.downlink.of_cluster("old");
    agent.store.apply(changes);
    let seven: Vec<String> = ["a", "b", "c", "d", "e", "f", "g"].map(|id| alert(id, "truck-7")).into();
    agent.handle(deliver(0, START_MS, &seven), START_MS);
    agent.restart(START_MS);
    assert_eq!(agent.downlink.of_cluster("old"), [], "a known one changes nothing");
    assert_eq!(agent.downlink.subscribe("driver_alerts").from, [(0, 7)]);

    let changes = agent.downlink.of_cluster("new");
    agent.store.apply(changes);
    assert_eq!(agent.downlink.subscribe("driver_alerts").from, [(0, 0)]);
    let before = agent.published.len();
    let eight: Vec<String> = ["a", "h", "i", "j", "k", "l", "m", "n"].map(|id| alert(id, "truck-7")).into();
    agent.handle(deliver(0, START_MS, &eight), START_MS);
    let ids: Vec<&str> = agent.published[before..].iter().map(|(_, _, payload)| &payload[13..14]).collect();
    assert_eq!(ids, ["h", "i", "j", "k", "l", "m", "n"], "what was seen is known by its id");
}

#[test]
fn an_alert_that_was_not_delivered_is_handed_on_again_after_a_restart_and_only_then() {
    let mut agent = Agent::new();
    agent.handle(deliver(0, START_MS, &[alert("a", "truck-7"), alert("b", "truck-7")]), START_MS);
    let delivery = agent.published[0].0;
    agent.handle(Input::Delivered { delivery }, START_MS);
    agent.published.clear();
    agent.restart(START_MS + 1);
    let ids: Vec<&str> = agent.published.iter().map(|(_, _, payload)| &payload[13..14]).collect();
    assert_eq!(ids, ["b"]);
    assert_eq!(agent.downlink.subscribe("driver_alerts").from, [(0, 2)]);
    // And the topic read from its beginning brings nothing twice.
    agent.store.offsets.clear();
    agent.restart(START_MS + 2);
    agent.published.clear();
    agent.handle(deliver(0, START_MS, &[alert("a", "truck-7"), alert("b", "truck-7")]), START_MS + 3);
    assert_eq!(agent.published, []);
}

#[test]
fn an_expired_alert_is_withdrawn() {
    let mut agent = Agent::new();
    agent.handle(deliver(0, START_MS, &[alert("a", "truck-7")]), START_MS);
    let delivery = agent.published[0].0;
    let deadline = agent.downlink.deadline_ms().unwrap();
    assert_eq!(deadline, START_MS + 600_000);
    agent.handle(Input::Tick, deadline - 1);
    assert_eq!(agent.withdrawn, []);
    agent.handle(Input::Tick, deadline);
    assert_eq!((agent.withdrawn.as_slice(), agent.store.pending.len()), (&[delivery][..], 0));
    // One that expired while the agent was down is not handed on at all.
    agent.handle(deliver(1, deadline, &[alert("b", "truck-7")]), deadline);
    agent.published.clear();
    agent.restart(deadline + 600_000);
    assert_eq!((agent.published.len(), agent.store.pending.len()), (0, 0));
}

#[test]
fn what_nobody_wanted_is_offered_again_when_somebody_does() {
    let mut agent = Agent::new();
    agent.handle(deliver(0, START_MS, &[alert("a", "truck-7")]), START_MS);
    let delivery = agent.published[0].0;
    agent.handle(Input::Wanted, START_MS);
    assert_eq!(agent.published.len(), 1, "it is with the sessions");
    agent.handle(Input::NotWanted { delivery }, START_MS);
    agent.handle(deliver(1, START_MS, &[alert("b", "truck-7")]), START_MS);
    assert_eq!(agent.published.len(), 2, "another alert does not bring the first one again");
    agent.handle(Input::Wanted, START_MS);
    assert_eq!(agent.published[2].0, delivery);
    agent.handle(Input::Undeliverable { delivery }, START_MS);
    assert_eq!((agent.store.pending.len(), agent.downlink.counts().undeliverable), (1, 1));
}

#[test]
fn offsets_past_the_alerts_of_others_are_kept_once_a_minute() {
    let mut agent = Agent::new();
    agent.handle(deliver(0, START_MS, &[alert("a", "truck-9")]), START_MS);
    agent.handle(deliver(1, START_MS, &[alert("b", "truck-9")]), START_MS + 10);
    assert_eq!(agent.next_offset(), None);
    assert_eq!(agent.downlink.subscribe("driver_alerts").from, [(0, 2)], "a reconnect goes on from here");
    assert_eq!(agent.downlink.deadline_ms(), Some(START_MS + 60_000));
    agent.handle(Input::Tick, START_MS + 60_000);
    assert_eq!((agent.next_offset(), agent.downlink.deadline_ms()), (Some(2), None));
}

#[test]
fn bytes_that_are_no_batches_are_counted_and_passed() {
    let mut agent = Agent::new();
    let batches = Bytes::from_static(&[7; 200]);
    let input = Input::Deliver { topic: "driver_alerts".into(), partition: 0, next_offset: 5, batches };
    agent.handle(input, START_MS);
    assert_eq!(agent.downlink.counts().malformed, 1);
    assert_eq!(agent.downlink.subscribe("driver_alerts").from, [(0, 5)]);
    agent.handle(deliver(5, START_MS, &[alert("a", "truck-7")]), START_MS);
    assert_eq!(agent.published.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_alert_is_delivered_once_through_replays_and_restarts(
        steps in prop::collection::vec((0u8..4, 0usize..20), 1..60)
    ) {
        let alerts: Vec<String> = (10..30).map(|n| alert(&format!("a{n}"), "truck-7")).collect();
        let mut agent = Agent::new();
        let mut delivered = Vec::new();
        let mut given = BTreeSet::new();
        for (what, at) in steps {
            match what {
                // What a broker sends is from where the agent asked, and perhaps from before.
                0 | 1 => {
                    let next = agent.downlink.subscribe("driver_alerts").from.first().map_or(0, |from| from.1);
                    let base = (next as usize).saturating_sub(at % 3);
                    let end = (next as usize + 1 + at % 4).min(alerts.len());
                    if base < end {
                        given.extend(base..end);
                        agent.handle(deliver(base as i64, START_MS, &alerts[base..end]), START_MS);
                    }
                }
                2 => {
                    if let Some((delivery, _, payload)) = agent.published.pop() {
                        delivered.push(payload);
                        agent.handle(Input::Delivered { delivery }, START_MS);
                    }
                }
                _ => {
                    agent.published.clear();
                    agent.restart(START_MS);
                }
            }
        }
        for (delivery, _, payload) in std::mem::take(&mut agent.published) {
            delivered.push(payload);
            agent.handle(Input::Delivered { delivery }, START_MS);
        }
        let mut expected: Vec<String> = given.into_iter().map(|n| alerts[n].clone()).collect();
        delivered.sort();
        expected.sort();
        prop_assert_eq!(delivered, expected);
        prop_assert!(agent.store.pending.is_empty());
    }
}
