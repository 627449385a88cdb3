//! One answer to `/metrics`: what was counted, and what is looked up for it.

use std::{collections::BTreeMap, fmt};

use broker_logic::groups::GroupState;
use prometheus_client::{
    encoding::{
        EncodeMetric, MetricEncoder,
        text::{encode_eof, encode_registry},
    },
    metrics::{MetricType, counter::Counter, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

use super::{
    Metrics, PREFIX,
    topics::{MAX_TOPICS, OTHER},
};
use crate::{
    broker::Shared,
    groups::report::{GroupsReport, PartitionLag},
    partition::Partition,
    upkeep::UpkeepTotals,
};

/// Of a group that is there.
const STATES: [GroupState; 4] =
    [GroupState::Empty, GroupState::PreparingRebalance, GroupState::CompletingRebalance, GroupState::Stable];

type Labels<const N: usize> = [(&'static str, String); N];

/// What is looked up when somebody asks.
#[derive(Debug, Default)]
pub struct Gathered {
    request_memory_bytes: u64,
    topics: BTreeMap<String, TopicLogs>,
    partitions: Vec<PartitionLog>,
    groups: GroupsReport,
    upkeep: UpkeepTotals,
}

/// The logs of one topic, or of all that found no place of their own.
#[derive(Debug, Default)]
struct TopicLogs {
    partitions: i64,
    failed: i64,
    bytes: u64,
    segments: u64,
}

#[derive(Debug)]
struct PartitionLog {
    topic: String,
    partition: i32,
    bytes: u64,
    start: i64,
    end: i64,
    high_watermark: i64,
}

impl Metrics {
    /// The whole answer, as OpenMetrics.
    pub fn exposition(&self, gathered: &Gathered) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &gathered.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
impl Gathered {
    /// One of everything.
    pub fn example(groups: GroupsReport) -> Self {
        let partition = PartitionLog {
            topic: "t".into(),
            partition: 1,
            bytes: 1_000,
            start: 1,
            end: 9,
            high_watermark: 7,
        };
        let topics = [("t".to_owned(), TopicLogs { partitions: 1, failed: 0, bytes: 1_000, segments: 2 })];
        Self { topics: topics.into(), partitions: vec![partition], groups, ..Self::default() }
    }
}

impl Gathered {
    pub async fn of(shared: &Shared) -> Self {
        let admin = &shared.config.admin;
        let mut gathered = Self {
            request_memory_bytes: shared.connections.request_memory.bytes_in_use(),
            upkeep: shared.upkeep.totals(),
            // Without coordinators there are no groups; whoever asks for one is told why.
            groups: shared.groups.report(admin.max_group_lags).await.unwrap_or_default(),
            ..Self::default()
        };
        for partition in shared.partitions.all() {
            gathered.add(&partition, admin.partition_metrics);
        }
        gathered
    }

    fn add(&mut self, partition: &Partition, alone: bool) {
        let (view, log) = (partition.view(), partition.reader());
        let bytes = log.bytes();
        let topic = &*partition.id.topic;
        let has_place = self.topics.len() < MAX_TOPICS || self.topics.contains_key(topic);
        let topic = if has_place { topic } else { OTHER };
        let of_topic = self.topics.entry(topic.to_owned()).or_default();
        of_topic.partitions += 1;
        of_topic.failed += i64::from(view.failed);
        of_topic.bytes += bytes;
        of_topic.segments += log.segment_count() as u64;
        if alone {
            self.partitions.push(PartitionLog {
                topic: partition.id.topic.to_string(),
                partition: partition.id.partition.0,
                bytes,
                start: view.log_start.0,
                end: log.log_end(),
                high_watermark: view.high_watermark.0,
            });
        }
    }

    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", version);
        let memory = gauge(self.request_memory_bytes as i64);
        registry.register_with_unit(
            "request_memory",
            "What requests hold until they are answered",
            Unit::Bytes,
            memory,
        );
        self.register_topics(&mut registry);
        self.register_partitions(&mut registry);
        self.register_groups(&mut registry);
        self.register_upkeep(&mut registry);
        registry
    }

    fn register_topics(&self, registry: &mut Registry) {
        let family = |value: fn(&TopicLogs) -> i64| {
            let rows = self.topics.iter().map(|(topic, logs)| ([("topic", topic.clone())], value(logs)));
            gauges(rows)
        };
        registry.register("topic_partitions", "Partitions hosted here", family(|logs| logs.partitions));
        let failed = "Partitions whose log takes no more";
        registry.register("topic_partitions_failed", failed, family(|logs| logs.failed));
        let bytes = family(|logs| logs.bytes as i64);
        registry.register_with_unit("topic_log", "Record batches on the disk", Unit::Bytes, bytes);
        registry.register("topic_segments", "Segments on the disk", family(|logs| logs.segments as i64));
    }

    fn register_partitions(&self, registry: &mut Registry) {
        let family = |value: fn(&PartitionLog) -> i64| {
            gauges(self.partitions.iter().map(|log| {
                ([("topic", log.topic.clone()), ("partition", log.partition.to_string())], value(log))
            }))
        };
        let bytes = family(|log| log.bytes as i64);
        registry.register_with_unit("partition_log", "Record batches on the disk", Unit::Bytes, bytes);
        registry.register("partition_log_start_offset", "The first offset", family(|log| log.start));
        registry.register("partition_log_end_offset", "The offset of the next record", family(|log| log.end));
        let help = "The offset that consumers read up to";
        registry.register("partition_high_watermark", help, family(|log| log.high_watermark));
    }

    fn register_groups(&self, registry: &mut Registry) {
        // A state that no group is in is shown as well: an alert needs its zero.
        let mut states: BTreeMap<&str, i64> = STATES.map(|state| (state.name(), 0)).into();
        for group in &self.groups.groups {
            *states.entry(group.state.name()).or_default() += 1;
        }
        let states = gauges(states.into_iter().map(|(state, count)| ([("state", state.to_owned())], count)));
        registry.register("groups", "Consumer groups", states);
        let family = |value: fn(&PartitionLag) -> i64| {
            gauges(self.groups.lags.iter().map(|lag| {
                let labels = [
                    ("group", lag.group_id.clone()),
                    ("topic", lag.partition.topic.to_string()),
                    ("partition", lag.partition.partition.to_string()),
                ];
                (labels, value(lag))
            }))
        };
        let help = "Records between the committed offset and the high watermark";
        registry.register("group_lag_records", help, family(|lag| lag.lag));
        let help = "The offset that the group goes on from";
        registry.register("group_committed_offset", help, family(|lag| lag.committed.0));
        let help = "Committed offsets that are not shown, because there are too many";
        registry.register("group_lags_left_out", help, gauge(self.groups.left_out as i64));
    }

    fn register_upkeep(&self, registry: &mut Registry) {
        let totals = &self.upkeep;
        for (name, help, unit, value) in [
            ("retention_deleted_segments", "Segments deleted by retention", None, totals.segments_deleted),
            ("retention_deleted", "Bytes deleted by retention", Some(Unit::Bytes), totals.deleted_bytes),
            ("compactions", "Compactions of a log", None, totals.compactions),
            ("compactions_failed", "Compactions that were given up", None, totals.compactions_failed),
            ("compaction_read", "Bytes read by compactions", Some(Unit::Bytes), totals.compacted_bytes),
            ("scrub_read", "Bytes checked after an unclean stop", Some(Unit::Bytes), totals.scrubbed_bytes),
            ("log_damages", "Damaged or missing places found in logs", None, totals.damages),
        ] {
            let counter = Counter::<u64>::default();
            counter.inc_by(value);
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, counter),
                None => registry.register(name, help, counter),
            }
        }
    }
}

fn gauge(value: i64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

/// A family of gauges in the order of its rows; the library's own would be in an order of chance.
#[derive(Debug)]
struct Rows<const N: usize>(Vec<(Labels<N>, i64)>);

fn gauges<const N: usize>(rows: impl Iterator<Item = (Labels<N>, i64)>) -> Rows<N> {
    Rows(rows.collect())
}

impl<const N: usize> EncodeMetric for Rows<N> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.0.iter().try_for_each(|(labels, value)| encoder.encode_family(labels)?.encode_gauge(value))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
