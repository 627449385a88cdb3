//! What an operator may set about groups, with Kafka's defaults.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`: shorter sessions would rebalance at every hiccup.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`: a dead member holds its partitions for as long.
    pub max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms`: an empty group waits for company before its first
    /// generation. A demo sets 0.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`; Kafka's is unbounded. Bounds what one group can cost.
    pub max_group_size: usize,
    /// Group names cost memory and anyone can invent them.
    pub max_groups: usize,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, counted from when a group became empty.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`.
    pub expiry_check_interval: Duration,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::from_secs(3),
            max_group_size: 2_000,
            max_groups: 10_000,
            offset_metadata_max_bytes: 4_096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            expiry_check_interval: Duration::from_secs(10 * 60),
        }
    }
}
