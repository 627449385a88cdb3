//! The configs of a broker under Kafka's names: those that mean something here, with the values in force.

use super::values::Values;

/// A config of brokers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrokerConfig {
    pub key: &'static str,
    /// `None`: it has no value unless it is given one.
    pub default: Option<&'static str>,
    pub values: Values,
    pub update: Update,
    pub documentation: &'static str,
}

/// How a config of a broker is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// In its file, for the next start.
    AtStart,
    /// While it runs, for one broker or for all. These are what topics take their defaults from.
    Dynamic,
}

const INT_MAX: i64 = i32::MAX as i64;
const LONG_MAX: &str = "9223372036854775807";

const fn long(min: i64) -> Values {
    Values::Long { min }
}

const fn int(min: i64) -> Values {
    Values::Int { min, max: INT_MAX }
}

macro_rules! broker_configs {
    ($($key:literal $default:expr, $values:expr, $update:ident; $documentation:literal)*) => {
        &[$(BrokerConfig {
            key: $key,
            default: $default,
            values: $values,
            update: Update::$update,
            documentation: $documentation,
        }),*]
    };
}

/// Every config there is, in order of name.
pub const BROKER_CONFIGS: &[BrokerConfig] = broker_configs! {
    "advertised.listeners" None, Values::List, AtStart;
    "What clients are told to connect to."

    "auto.create.topics.enable" Some("true"), Values::Boolean, AtStart;
    "Whether a client that names a topic creates it."

    "broker.id" None, int(-1), AtStart;
    "The broker's id, the same as node.id."

    "broker.rack" None, Values::Text, AtStart;
    "Where the broker stands."

    "compression.gzip.level" Some("-1"), Values::IntOr { or: -1, min: 1, max: 9 }, Dynamic;
    "Kafka's level of gzip where the broker compresses; this broker takes gzip's own default."

    "compression.lz4.level" Some("9"), Values::Int { min: 1, max: 17 }, Dynamic;
    "Kafka's level of lz4 where the broker compresses; this broker takes lz4's own default."

    "compression.type" Some("producer"), Values::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Dynamic;
    "How batches are compressed on disk; 'producer' keeps them as they came."

    "compression.zstd.level" Some("3"), Values::Int { min: -131_072, max: 22 }, Dynamic;
    "Kafka's level of zstd where the broker compresses; this broker takes zstd's own default."

    "connections.max.idle.ms" Some("600000"), long(0), AtStart;
    "A connection that is silent for this long is closed."

    "default.replication.factor" Some("1"), int(1), AtStart;
    "Replicas of a topic for which nobody said how many."

    "delete.topic.enable" Some("true"), Values::Boolean, AtStart;
    "Whether topics can be deleted."

    "fetch.max.bytes" Some("57671680"), int(1024), AtStart;
    "The most that one Fetch is answered with."

    "follower.replication.throttled.rate" None, long(0), Dynamic;
    "Bytes per second that throttled replicas fetch together. A single node fetches from nobody."

    "group.initial.rebalance.delay.ms" Some("3000"), int(0), AtStart;
    "How long a new group waits for more members before its first rebalance."

    "group.max.session.timeout.ms" Some("1800000"), int(1), AtStart;
    "The longest session timeout that a member of a group may ask for."

    // Kafka has no limit; this bounds what one group can cost.
    "group.max.size" Some("2000"), int(1), AtStart;
    "Members that a group may have."

    "group.min.session.timeout.ms" Some("6000"), int(1), AtStart;
    "The shortest session timeout that a member of a group may ask for."

    "leader.replication.throttled.rate" None, long(0), Dynamic;
    "Bytes per second that throttled replicas are sent together. A single node sends to nobody."

    "listener.security.protocol.map" None, Values::List, AtStart;
    "What is spoken on which listener."

    "listeners" None, Values::List, AtStart;
    "Where the broker listens for Kafka clients."

    "log.cleaner.backoff.ms" Some("15000"), long(0), AtStart;
    "How often the broker looks for logs to compact."

    "log.cleaner.delete.retention.ms" Some("86400000"), long(0), Dynamic;
    "How long a tombstone stays in a compacted topic."

    "log.cleaner.enable" Some("true"), Values::Boolean, AtStart;
    "Whether compacted topics are compacted."

    // Kafka has no limit, and a cleaner there takes the disk from those who wait.
    "log.cleaner.io.max.bytes.per.second" Some("67108864"), Values::Double { min: 0.0, max: f64::MAX }, AtStart;
    "What compaction may read in a second."

    "log.cleaner.max.compaction.lag.ms" Some(LONG_MAX), long(1), Dynamic;
    "A record of a compacted topic is compacted after this time, however little there is to gain."

    "log.cleaner.min.cleanable.ratio" Some("0.5"), Values::Double { min: 0.0, max: 1.0 }, Dynamic;
    "The share of a compacted log that must be new before it is compacted again."

    "log.cleaner.min.compaction.lag.ms" Some("0"), long(0), Dynamic;
    "A record of a compacted topic stays at least this long."

    "log.cleaner.threads" Some("1"), int(1), AtStart;
    "Logs that are compacted at a time."

    "log.cleanup.policy" Some("delete"), Values::ListOf(&["compact", "delete"]), Dynamic;
    "What happens to old records: 'delete' by age and size, 'compact' keeps the last of each key."

    "log.dirs" None, Values::List, AtStart;
    "The folder of the logs."

    "log.flush.interval.messages" Some("1"), long(1), Dynamic;
    "Records after which a log is synced to disk. 1: every acknowledged record is on disk, by group commit."

    "log.flush.interval.ms" None, long(0), Dynamic;
    "Time after which a log is synced to disk; without a value, log.flush.scheduler.interval.ms."

    "log.flush.scheduler.interval.ms" Some(LONG_MAX), long(0), AtStart;
    "Time after which a log is synced to disk, where log.flush.interval.ms has no value."

    "log.index.interval.bytes" Some("4096"), int(0), Dynamic;
    "Bytes of log between two entries of an offset index."

    "log.index.size.max.bytes" Some("10485760"), int(4), Dynamic;
    "Kafka's limit of an offset index; here an index is as large as its segment needs."

    "log.local.retention.bytes" Some("-2"), long(-2), Dynamic;
    "Bytes kept on local disks when segments are tiered; -2 is log.retention.bytes. Nothing is tiered here."

    "log.local.retention.ms" Some("-2"), long(-2), Dynamic;
    "Time that segments stay on local disks when they are tiered; -2 is log.retention.ms. Nothing is tiered here."

    "log.message.timestamp.after.max.ms" Some("3600000"), long(0), Dynamic;
    "How far a record's time may lie in the future of the broker's clock."

    "log.message.timestamp.before.max.ms" Some(LONG_MAX), long(0), Dynamic;
    "How far a record's time may lie in the past of the broker's clock."

    "log.message.timestamp.type" Some("CreateTime"), Values::OneOf(&["CreateTime", "LogAppendTime"]), Dynamic;
    "Whose time a record has: the producer's or the broker's."

    "log.preallocate" Some("false"), Values::Boolean, Dynamic;
    "Whether a segment's file has its full size from the start. Files grow as they are written here."

    "log.retention.bytes" Some("-1"), long(-1), Dynamic;
    "A partition's size beyond which its oldest segments are deleted; -1: without limit."

    "log.retention.check.interval.ms" Some("300000"), long(1), AtStart;
    "How often the broker looks for segments to delete."

    "log.retention.hours" Some("168"), int(-1), AtStart;
    "The age in hours at which a segment is deleted, where log.retention.ms and .minutes have no value."

    "log.retention.minutes" None, int(-1), AtStart;
    "The age in minutes at which a segment is deleted, where log.retention.ms has no value."

    "log.retention.ms" None, long(-1), Dynamic;
    "The age at which a segment is deleted; -1: without limit."

    "log.roll.hours" Some("168"), int(1), AtStart;
    "The age in hours at which a log begins a new file, where log.roll.ms has no value."

    "log.roll.jitter.hours" Some("0"), int(0), AtStart;
    "What may be taken off log.roll.hours by chance, where log.roll.jitter.ms has no value."

    "log.roll.jitter.ms" None, long(0), Dynamic;
    "What may be taken off log.roll.ms by chance, so that not all logs begin a new file at once."

    "log.roll.ms" None, long(1), Dynamic;
    "The age at which a log begins a new file, even if the present one is small."

    // A quarter of Kafka's: a gateway-sized disk would keep a file of 1 GiB for months.
    "log.segment.bytes" Some("268435456"), int(1 << 20), Dynamic;
    "A log begins a new file before one grows past this size."

    "log.segment.delete.delay.ms" Some("60000"), long(0), Dynamic;
    "How long Kafka keeps the file of a deleted segment; here it goes at once."

    // Kafka has no limit: each costs a file, of which a process has only so many.
    "max.connections" Some("10000"), int(0), AtStart;
    "Connections of Kafka clients at a time."

    "max.connections.per.ip" Some("2147483647"), int(0), AtStart;
    "Of them, those of one address."

    "max.incremental.fetch.session.cache.slots" Some("1000"), int(0), AtStart;
    "Incremental fetch sessions at a time."

    "max.request.partition.size.limit" Some("2000"), int(1), AtStart;
    "Partitions that one answer to DescribeTopicPartitions tells of."

    "message.max.bytes" Some("1048588"), int(0), Dynamic;
    "The largest record batch, as it comes, compressed or not."

    "min.insync.replicas" Some("1"), int(1), Dynamic;
    "Replicas that must have a record on disk before acks=all is answered."

    "node.id" None, int(0), AtStart;
    "The broker's id."

    "num.partitions" Some("1"), int(1), AtStart;
    "Partitions of a topic for which nobody said how many."

    "offset.metadata.max.bytes" Some("4096"), int(0), AtStart;
    "The longest text that may be committed with an offset."

    "offsets.retention.check.interval.ms" Some("600000"), long(1), AtStart;
    "How often the broker looks for committed offsets that have expired."

    "offsets.retention.minutes" Some("10080"), int(1), AtStart;
    "How long the committed offsets of a group without members are kept."

    // Kafka's 50 are for clusters of many brokers, and each costs open files.
    "offsets.topic.num.partitions" Some("10"), int(1), AtStart;
    "Partitions of the topic of committed offsets."

    "offsets.topic.replication.factor" Some("1"), int(1), AtStart;
    "Replicas of the topic of committed offsets."

    "process.roles" Some("broker,controller"), Values::List, AtStart;
    "What this process is for its cluster."

    // Kafka forgets after a day: a truck may be out of reach for longer.
    "producer.id.expiration.ms" Some("2592000000"), long(1), AtStart;
    "How long an idempotent producer may be silent before it is forgotten."

    // Kafka has no limit; here requests wait until the memory for them is there.
    "queued.max.request.bytes" Some("536870912"), long(-1), AtStart;
    "What requests may hold in memory together."

    "socket.request.max.bytes" Some("104857600"), int(1), AtStart;
    "The largest request; a longer one closes its connection."

    "unclean.leader.election.enable" Some("false"), Values::Boolean, Dynamic;
    "Whether a replica that is not in sync may lead when no other can, and records be lost."
};

pub fn broker_config(key: &str) -> Option<&'static BrokerConfig> {
    let index = BROKER_CONFIGS.binary_search_by_key(&key, |config| config.key).ok()?;
    BROKER_CONFIGS.get(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_default_is_legal() {
        assert!(BROKER_CONFIGS.is_sorted_by_key(|config| config.key));
        for config in BROKER_CONFIGS {
            assert!(config.default.is_none_or(|default| config.values.accept(default)), "{}", config.key);
        }
    }
}
