//! The configs of one topic as values: what its partitions work with, without a lookup by name.

use std::borrow::Cow;

use kafka_wire::record_batch::Compression;

use super::topic_configs::{TopicConfig, topic_config};

/// What is in force for a topic, from [`super::Configs::topic_settings`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopicSettings {
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub index_interval_bytes: u32,
    /// `None`: without limit.
    pub retention_ms: Option<i64>,
    /// `None`: without limit.
    pub retention_bytes: Option<u64>,
    pub cleanup_policy: CleanupPolicy,
    pub delete_retention_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub max_message_bytes: usize,
    pub message_timestamp_type: TimestampType,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub min_insync_replicas: usize,
    /// `None`: as the producer compressed it.
    pub compression_type: Option<Compression>,
}

/// Neither: everything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

impl TopicSettings {
    /// `value` gives what is in force for a config; only what its table accepts.
    pub(super) fn read<'a>(value: impl Fn(&TopicConfig) -> Cow<'a, str>) -> TopicSettings {
        let text = |key| topic_config(key).map(&value).unwrap_or_default();
        let number = |key| text(key).trim().parse::<i64>().unwrap_or_default();
        let limit = |key| Some(number(key)).filter(|limit| *limit >= 0);
        let policy = text("cleanup.policy");
        let has = |word| super::values::elements(&policy).any(|policy| policy == word);
        TopicSettings {
            segment_bytes: number("segment.bytes") as u64,
            segment_ms: number("segment.ms"),
            segment_jitter_ms: number("segment.jitter.ms"),
            index_interval_bytes: number("index.interval.bytes") as u32,
            retention_ms: limit("retention.ms"),
            retention_bytes: limit("retention.bytes").map(|bytes| bytes as u64),
            cleanup_policy: CleanupPolicy { delete: has("delete"), compact: has("compact") },
            delete_retention_ms: number("delete.retention.ms"),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").trim().parse().unwrap_or_default(),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            max_message_bytes: number("max.message.bytes") as usize,
            message_timestamp_type: match text("message.timestamp.type").trim() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            message_timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            flush_messages: number("flush.messages"),
            flush_ms: number("flush.ms"),
            min_insync_replicas: number("min.insync.replicas") as usize,
            compression_type: match text("compression.type").trim() {
                "uncompressed" => Some(Compression::None),
                "gzip" => Some(Compression::Gzip),
                "snappy" => Some(Compression::Snappy),
                "lz4" => Some(Compression::Lz4),
                "zstd" => Some(Compression::Zstd),
                _ => None,
            },
        }
    }
}
