//! The configs a topic may have: names, legal values, and which config of the broker gives the default.

use Otherwise::{Broker, Value};

use super::values::{ConfigError, Values};

/// A config of topics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopicConfig {
    pub key: &'static str,
    pub values: Values,
    pub otherwise: Otherwise,
    pub documentation: &'static str,
}

/// What a topic without a value of its own gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// What the broker has under the first of these names that it has a value for.
    Broker(&'static [BrokerKey]),
    /// This value: the broker has no such config.
    Value(&'static str),
}

/// A config of the broker, and how many of the topic's units are in one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerKey {
    pub key: &'static str,
    pub factor: i64,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const INT_MAX: i64 = i32::MAX as i64;

/// Kafka's least `segment.bytes` since 4.0.
const MIN_SEGMENT_BYTES: i64 = 1 << 20;

const fn same(key: &'static str) -> BrokerKey {
    BrokerKey { key, factor: 1 }
}

const fn minutes(key: &'static str) -> BrokerKey {
    BrokerKey { key, factor: MINUTE_MS }
}

const fn hours(key: &'static str) -> BrokerKey {
    BrokerKey { key, factor: HOUR_MS }
}

const fn long(min: i64) -> Values {
    Values::Long { min }
}

const fn int(min: i64) -> Values {
    Values::Int { min, max: INT_MAX }
}

macro_rules! topic_configs {
    ($($key:literal $values:expr, $otherwise:expr; $documentation:literal)*) => {
        &[$(TopicConfig {
            key: $key,
            values: $values,
            otherwise: $otherwise,
            documentation: $documentation,
        }),*]
    };
}

/// Every config there is, in order of name.
pub const TOPIC_CONFIGS: &[TopicConfig] = topic_configs! {
    "cleanup.policy" Values::ListOf(&["compact", "delete"]), Broker(&[same("log.cleanup.policy")]);
    "What happens to old records: 'delete' removes whole segments by age and size, 'compact' keeps the last record of each key."

    "compression.gzip.level" Values::IntOr { or: -1, min: 1, max: 9 }, Broker(&[same("compression.gzip.level")]);
    "Kafka's level of gzip where the broker compresses; this broker takes gzip's own default."

    "compression.lz4.level" Values::Int { min: 1, max: 17 }, Broker(&[same("compression.lz4.level")]);
    "Kafka's level of lz4 where the broker compresses; this broker takes lz4's own default."

    "compression.type" Values::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Broker(&[same("compression.type")]);
    "How batches are compressed on disk; 'producer' keeps them as they came."

    "compression.zstd.level" Values::Int { min: -131_072, max: 22 }, Broker(&[same("compression.zstd.level")]);
    "Kafka's level of zstd where the broker compresses; this broker takes zstd's own default."

    "delete.retention.ms" long(0), Broker(&[same("log.cleaner.delete.retention.ms")]);
    "How long a tombstone stays in a compacted topic, so that who reads from the start sees the deletion."

    "file.delete.delay.ms" long(0), Broker(&[same("log.segment.delete.delay.ms")]);
    "How long Kafka keeps the file of a deleted segment; here it goes at once."

    "flush.messages" long(1), Broker(&[same("log.flush.interval.messages")]);
    "Records after which the log is synced to disk. 1: every acknowledged record is on disk, by group commit."

    "flush.ms" long(0), Broker(&[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")]);
    "Time after which the log is synced to disk, in ms."

    "follower.replication.throttled.replicas" Values::Replicas, Value("");
    "Replicas whose replication is throttled on the follower's side: partition:broker, or * for all."

    "index.interval.bytes" int(0), Broker(&[same("log.index.interval.bytes")]);
    "Bytes of log between two entries of the offset index."

    "leader.replication.throttled.replicas" Values::Replicas, Value("");
    "Replicas whose replication is throttled on the leader's side: partition:broker, or * for all."

    "local.retention.bytes" long(-2), Broker(&[same("log.local.retention.bytes")]);
    "Bytes kept on local disks when segments are tiered; -2 is retention.bytes. Nothing is tiered here."

    "local.retention.ms" long(-2), Broker(&[same("log.local.retention.ms")]);
    "Time that segments stay on local disks when they are tiered; -2 is retention.ms. Nothing is tiered here."

    "max.compaction.lag.ms" long(1), Broker(&[same("log.cleaner.max.compaction.lag.ms")]);
    "A record of a compacted topic is compacted after this time, however little there is to gain."

    "max.message.bytes" int(0), Broker(&[same("message.max.bytes")]);
    "The largest record batch, as it comes, compressed or not."

    "message.timestamp.after.max.ms" long(0), Broker(&[same("log.message.timestamp.after.max.ms")]);
    "How far a record's time may lie in the future of the broker's clock."

    "message.timestamp.before.max.ms" long(0), Broker(&[same("log.message.timestamp.before.max.ms")]);
    "How far a record's time may lie in the past of the broker's clock."

    "message.timestamp.type" Values::OneOf(&["CreateTime", "LogAppendTime"]), Broker(&[same("log.message.timestamp.type")]);
    "Whose time a record has: the producer's or the broker's."

    "min.cleanable.dirty.ratio" Values::Double { min: 0.0, max: 1.0 }, Broker(&[same("log.cleaner.min.cleanable.ratio")]);
    "The share of a compacted log that must be new before it is compacted again."

    "min.compaction.lag.ms" long(0), Broker(&[same("log.cleaner.min.compaction.lag.ms")]);
    "A record stays at least this long before compaction may take it."

    "min.insync.replicas" int(1), Broker(&[same("min.insync.replicas")]);
    "Replicas that must have a record on disk before acks=all is answered."

    "preallocate" Values::Boolean, Broker(&[same("log.preallocate")]);
    "Whether a segment's file has its full size from the start. Files grow as they are written here."

    "remote.log.copy.disable" Values::Boolean, Value("false");
    "Whether tiering has stopped for this topic. Nothing is tiered here."

    "remote.log.delete.on.disable" Values::Boolean, Value("false");
    "Whether tiered segments go when tiering is switched off. Nothing is tiered here."

    "remote.storage.enable" Values::Boolean, Value("false");
    "Whether segments are tiered to remote storage, which this broker does not have."

    "retention.bytes" long(-1), Broker(&[same("log.retention.bytes")]);
    "A partition's size beyond which its oldest segments are deleted; -1: without limit."

    "retention.ms" long(-1), Broker(&[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")]);
    "The age at which a segment is deleted; -1: without limit."

    "segment.bytes" int(MIN_SEGMENT_BYTES), Broker(&[same("log.segment.bytes")]);
    "A log begins a new file before one grows past this size. Files are deleted and compacted whole."

    "segment.index.bytes" int(4), Broker(&[same("log.index.size.max.bytes")]);
    "Kafka's limit of an offset index; here an index is as large as its segment needs."

    "segment.jitter.ms" long(0), Broker(&[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")]);
    "Up to this much is taken off segment.ms, by chance, so that not all logs begin a new file at once."

    "segment.ms" long(1), Broker(&[same("log.roll.ms"), hours("log.roll.hours")]);
    "The age at which a log begins a new file, even if the present one is small."

    "unclean.leader.election.enable" Values::Boolean, Broker(&[same("unclean.leader.election.enable")]);
    "Whether a replica that is not in sync may lead when no other can, and records be lost."
};

pub fn topic_config(key: &str) -> Option<&'static TopicConfig> {
    let index = TOPIC_CONFIGS.binary_search_by_key(&key, |config| config.key).ok()?;
    TOPIC_CONFIGS.get(index)
}

pub fn validate_topic_config(key: &str, value: &str) -> Result<(), ConfigError> {
    match topic_config(key) {
        Some(config) => config.values.check(key, value),
        None => Err(ConfigError::UnknownTopicConfig { key: key.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::configs::broker_configs::broker_config;

    #[test]
    fn the_table_is_in_order_and_every_default_is_legal() {
        assert!(TOPIC_CONFIGS.is_sorted_by_key(|config| config.key));
        for config in TOPIC_CONFIGS {
            match config.otherwise {
                Value(value) => assert!(config.values.accept(value), "{}", config.key),
                Broker(keys) => {
                    let defaults = keys.iter().filter_map(|broker| {
                        let found = broker_config(broker.key).unwrap_or_else(|| panic!("no {}", broker.key));
                        found.default
                    });
                    assert!(defaults.into_iter().count() == 1, "one default for {}", config.key);
                }
            }
        }
    }

    #[test]
    fn values_are_checked_and_refused_in_kafkas_words() {
        for (key, value, refusal) in [
            ("retention.ms", "-1", None),
            ("retention.ms", "-2", Some("Value must be at least -1")),
            ("retention.ms", "7d", Some("Not a number of type LONG")),
            ("max.message.bytes", "3000000000", Some("Not a number of type INT")),
            ("segment.bytes", "1048575", Some("Value must be at least 1048576")),
            ("cleanup.policy", "compact,delete", None),
            ("cleanup.policy", "shred", Some("String must be one of: compact, delete")),
            ("cleanup.policy", "", None),
            ("compression.gzip.level", "0", Some("Value must be between 1 and 9 or equal to -1")),
            ("leader.replication.throttled.replicas", "*", None),
            ("leader.replication.throttled.replicas", "0:1,12:3", None),
            ("min.insync.replicas", "0", Some("Value must be at least 1")),
            ("compression.type", "zstd", None),
            (
                "compression.type",
                "brotli",
                Some("String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
            ),
            ("min.cleanable.dirty.ratio", "1.5", Some("Value must be no more than 1")),
            ("min.cleanable.dirty.ratio", "NaN", Some("Not a number of type DOUBLE")),
            ("preallocate", "TRUE", None),
            ("preallocate", "yes", Some("Expected value to be either true or false")),
        ] {
            let expected =
                refusal.map(|refusal| format!("Invalid value {value} for configuration {key}: {refusal}"));
            let told = validate_topic_config(key, value).err().map(|error| error.to_string());
            assert_eq!(told, expected, "{key}={value}");
        }
        let unknown = validate_topic_config("flush.message", "1").map_err(|error| error.to_string());
        assert_eq!(unknown, Err("Unknown topic config name: flush.message".to_owned()));
    }
}
