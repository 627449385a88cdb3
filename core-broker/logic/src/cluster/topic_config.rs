//! The configs a topic may have: names, legal values and defaults, in Kafka's words.

use thiserror::Error;

/// A config of topics. `default` is what a topic without a value of its own gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicConfig {
    pub key: &'static str,
    pub default: &'static str,
    pub values: Values,
}

/// The values a config accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    Boolean,
    Number {
        min: i64,
        max: i64,
    },
    Fraction,
    OneOf(&'static [&'static str]),
    /// A comma-separated list of these.
    AnyOf(&'static [&'static str]),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicConfigError {
    #[error("unknown topic config name: {key}")]
    UnknownKey { key: String },
    #[error("invalid value {value:?} for configuration {key}: expected {expected}")]
    BadValue { key: &'static str, value: String, expected: String },
}

const LONG: i64 = i64::MAX;
const INT: i64 = i32::MAX as i64;

const fn number(key: &'static str, default: &'static str, min: i64, max: i64) -> TopicConfig {
    TopicConfig { key, default, values: Values::Number { min, max } }
}

/// Every config there is, in order of name. flush.messages = 1: acknowledged means on disk.
pub const TOPIC_CONFIGS: &[TopicConfig] = &[
    TopicConfig { key: "cleanup.policy", default: "delete", values: Values::AnyOf(&["delete", "compact"]) },
    TopicConfig {
        key: "compression.type",
        default: "producer",
        values: Values::OneOf(&["producer", "uncompressed", "zstd", "lz4", "snappy", "gzip"]),
    },
    number("delete.retention.ms", "86400000", 0, LONG),
    number("file.delete.delay.ms", "60000", 0, LONG),
    number("flush.messages", "1", 1, LONG),
    number("flush.ms", "9223372036854775807", 0, LONG),
    number("index.interval.bytes", "4096", 0, INT),
    number("max.compaction.lag.ms", "9223372036854775807", 1, LONG),
    number("max.message.bytes", "1048588", 0, INT),
    number("message.timestamp.after.max.ms", "3600000", 0, LONG),
    number("message.timestamp.before.max.ms", "9223372036854775807", 0, LONG),
    TopicConfig {
        key: "message.timestamp.type",
        default: "CreateTime",
        values: Values::OneOf(&["CreateTime", "LogAppendTime"]),
    },
    TopicConfig { key: "min.cleanable.dirty.ratio", default: "0.5", values: Values::Fraction },
    number("min.compaction.lag.ms", "0", 0, LONG),
    number("min.insync.replicas", "1", 1, INT),
    TopicConfig { key: "preallocate", default: "false", values: Values::Boolean },
    number("retention.bytes", "-1", -1, LONG),
    number("retention.ms", "604800000", -1, LONG),
    number("segment.bytes", "1073741824", 14, INT),
    number("segment.index.bytes", "10485760", 4, INT),
    number("segment.jitter.ms", "0", 0, LONG),
    number("segment.ms", "604800000", 1, LONG),
    TopicConfig { key: "unclean.leader.election.enable", default: "false", values: Values::Boolean },
];

pub fn topic_config(key: &str) -> Option<&'static TopicConfig> {
    TOPIC_CONFIGS.iter().find(|config| config.key == key)
}

pub fn validate_topic_config(key: &str, value: &str) -> Result<(), TopicConfigError> {
    let config = topic_config(key).ok_or_else(|| TopicConfigError::UnknownKey { key: key.to_owned() })?;
    if config.values.accept(value) {
        return Ok(());
    }
    let expected = config.values.describe();
    Err(TopicConfigError::BadValue { key: config.key, value: value.to_owned(), expected })
}

impl Values {
    fn accept(&self, value: &str) -> bool {
        match self {
            Values::Boolean => value == "true" || value == "false",
            Values::Number { min, max } => {
                value.parse::<i64>().is_ok_and(|number| (*min..=*max).contains(&number))
            }
            Values::Fraction => value.parse::<f64>().is_ok_and(|number| (0.0..=1.0).contains(&number)),
            Values::OneOf(words) => words.contains(&value),
            Values::AnyOf(words) => value.split(',').all(|word| words.contains(&word.trim())),
        }
    }

    fn describe(&self) -> String {
        match self {
            Values::Boolean => "true or false".to_owned(),
            Values::Number { min, max } => format!("a whole number from {min} to {max}"),
            Values::Fraction => "a number from 0 to 1".to_owned(),
            Values::OneOf(words) => format!("one of {}", words.join(", ")),
            Values::AnyOf(words) => format!("a list of {}", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_legal_and_the_table_is_in_order() {
        for config in TOPIC_CONFIGS {
            assert_eq!(validate_topic_config(config.key, config.default), Ok(()));
        }
        assert!(TOPIC_CONFIGS.is_sorted_by_key(|config| config.key));
    }

    #[test]
    fn values_are_checked() {
        for (key, value, legal) in [
            ("retention.ms", "-1", true),
            ("retention.ms", "-2", false),
            ("retention.ms", "7d", false),
            ("cleanup.policy", "compact,delete", true),
            ("cleanup.policy", "", false),
            ("min.insync.replicas", "0", false),
            ("compression.type", "zstd", true),
            ("compression.type", "brotli", false),
            ("min.cleanable.dirty.ratio", "NaN", false),
            ("flush.message", "1", false),
        ] {
            assert_eq!(validate_topic_config(key, value).is_ok(), legal, "{key}={value}");
        }
    }
}
