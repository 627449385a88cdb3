//! What is exposed is what METRICS.md says, in a form that a strict reader takes.

use std::{collections::BTreeSet, time::Duration};

use broker_logic::{
    groups::{GroupListing, GroupState},
    ids::{Offset, TopicPartition},
};
use kafka_wire::{
    ApiKey, ErrorCode, Response,
    messages::{
        metadata::MetadataResponse,
        produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
    },
};

use super::{
    Gathered, Metrics,
    exposition::{Family, families},
};
use crate::groups::report::{GroupsReport, PartitionLag};

/// A group is called what a client likes.
const GROUP: &str = "a \"group\"\\\nof two lines";

/// One of everything.
fn counted() -> (Metrics, Gathered) {
    let metrics = Metrics::default();
    let timer = metrics.request_received(ApiKey::Metadata);
    timer.begun();
    timer.answered(Some(&Response::Metadata(MetadataResponse::default())));
    let failed = PartitionProduceResponse { error_code: ErrorCode::MessageTooLarge, ..Default::default() };
    let topic = TopicProduceResponse { partitions: vec![failed.clone(), failed], ..Default::default() };
    let response = ProduceResponse { topics: vec![topic], ..Default::default() };
    metrics.request_received(ApiKey::Produce).answered(Some(&Response::Produce(response)));
    drop(metrics.connection_opened());
    metrics.connection_closed("too_slow");
    metrics.throttled(Duration::from_millis(250));
    metrics.throttled(Duration::ZERO);
    metrics.group_committed(3);
    metrics.synced(Duration::from_millis(3));
    metrics.edge_block_stored(true);
    metrics.edge_block_stored(false);
    metrics.downlink_sent(2);

    let lag = PartitionLag {
        group_id: GROUP.into(),
        partition: TopicPartition::new("t", 1),
        committed: Offset(5),
        log_end: Offset(7),
        lag: 2,
    };
    let listing =
        GroupListing { group_id: GROUP.into(), protocol_type: "consumer".into(), state: GroupState::Stable };
    let groups = GroupsReport { groups: vec![listing], lags: vec![lag], left_out: 0 };
    (metrics, Gathered::example(groups))
}

fn exposed() -> Vec<Family> {
    let (metrics, gathered) = counted();
    // Held, as a partition holds it.
    let traffic = metrics.topic("t");
    traffic.received(100, 7);
    traffic.sent(40);
    families(&metrics.exposition(&gathered).unwrap())
}

#[test]
fn the_documentation_and_what_is_exposed_agree() {
    let documented: BTreeSet<(String, String, Vec<String>)> = documented().collect();
    let exposed: BTreeSet<_> = exposed()
        .into_iter()
        .map(|family| {
            let suffix = match family.kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            (format!("{}{suffix}", family.name), family.kind, family.labels)
        })
        .collect();
    assert_eq!(exposed.difference(&documented).collect::<Vec<_>>(), Vec::<&_>::new(), "not documented");
    assert_eq!(documented.difference(&exposed).collect::<Vec<_>>(), Vec::<&_>::new(), "not exposed");
}

/// The rows of the tables in METRICS.md: name, type, labels.
fn documented() -> impl Iterator<Item = (String, String, Vec<String>)> {
    let rows = include_str!("../../METRICS.md").lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, _, _] = cells[..] else { return None };
        Some((name.strip_prefix('`')?.strip_suffix('`')?, kind, labels))
    });
    rows.map(|(name, kind, labels)| {
        let mut labels: Vec<String> =
            labels.split(',').map(|label| label.trim().trim_matches('`').to_owned()).collect();
        labels.retain(|label| label != "–");
        labels.sort();
        (name.to_owned(), kind.to_owned(), labels)
    })
}

#[test]
fn what_was_counted_is_what_is_shown() {
    let families = exposed();
    let value = |name: &str, labels: &[(&str, &str)]| {
        let labels: Vec<(String, String)> =
            labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let samples = families.iter().flat_map(|family| &family.samples);
        let found = samples.filter(|sample| sample.name == name && sample.labels == labels);
        found.map(|sample| sample.value).collect::<Vec<_>>()
    };
    let of_group = [("group", GROUP), ("topic", "t"), ("partition", "1")];
    for (name, labels, expected) in [
        ("longhaul_broker_requests_total", &[("api", "Metadata")][..], 1.0),
        ("longhaul_broker_request_errors_total", &[("api", "Produce"), ("error", "MESSAGE_TOO_LARGE")], 2.0),
        ("longhaul_broker_connections", &[], 0.0),
        ("longhaul_broker_connections_accepted_total", &[], 1.0),
        ("longhaul_broker_throttles_total", &[], 1.0),
        ("longhaul_broker_throttle_seconds_total", &[], 0.25),
        ("longhaul_broker_topic_received_bytes_total", &[("topic", "t")], 100.0),
        ("longhaul_broker_topic_received_records_total", &[("topic", "t")], 7.0),
        ("longhaul_broker_topic_sent_bytes_total", &[("topic", "t")], 40.0),
        ("longhaul_broker_group_commit_batches_sum", &[], 3.0),
        ("longhaul_broker_sync_duration_seconds_bucket", &[("le", "0.0025")], 0.0),
        ("longhaul_broker_sync_duration_seconds_bucket", &[("le", "0.005")], 1.0),
        ("longhaul_broker_groups", &[("state", "Stable")], 1.0),
        ("longhaul_broker_groups", &[("state", "Empty")], 0.0),
        ("longhaul_broker_group_lag_records", &of_group, 2.0),
        ("longhaul_broker_edge_blocks_total", &[], 2.0),
        ("longhaul_broker_edge_blocks_duplicate_total", &[], 1.0),
        ("longhaul_broker_downlink_records_total", &[], 2.0),
    ] {
        assert_eq!(value(name, labels), [expected], "{name} {labels:?}");
    }
}

#[test]
fn the_alerts_know_every_name_that_they_use() {
    let documented: BTreeSet<String> = documented().map(|(name, _, _)| name).collect();
    let alerts = include_str!("../../../deploy/prometheus/longhaul-alerts.yml");
    let words = alerts.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    let names: Vec<&str> = words
        .filter(|word| word.starts_with("longhaul_broker_") || word.starts_with("process_"))
        .map(|name| name.strip_suffix("_bucket").unwrap_or(name))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(documented.contains(name), "METRICS.md has no {name}");
    }
}
