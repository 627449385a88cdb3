//! Names for the numbers of a Kafka cluster: each its own type, so that an epoch is never an offset.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// A record's place in its partition, counted from 0. -1 on the wire means "none".
    Offset(i64)
}
number! {
    /// Plus one at every change of a partition's leader (KIP-101). -1 on the wire means "not known".
    LeaderEpoch(i32)
}
number! {
    /// Plus one at any change of a partition's state; the compare-and-set of AlterPartition (KIP-497).
    PartitionEpoch(i32)
}
number! {
    /// An idempotent producer (KIP-98).
    ProducerId(i64)
}
number! {
    /// Fences the older of two producers that share a producer id (KIP-360).
    ProducerEpoch(i16)
}
number! {
    /// A broker of the cluster: `node.id`.
    BrokerId(i32)
}
number! {
    /// One registration of a broker: greater for each later one (KIP-841).
    BrokerEpoch(i64)
}
number! {
    /// A partition's number within its topic, counted from 0.
    PartitionIndex(i32)
}

impl LeaderEpoch {
    /// The wire's "not known".
    pub const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);

    pub fn next(self) -> LeaderEpoch {
        LeaderEpoch(self.0.saturating_add(1))
    }
}

impl PartitionEpoch {
    pub fn next(self) -> PartitionEpoch {
        PartitionEpoch(self.0.saturating_add(1))
    }
}

impl BrokerEpoch {
    pub fn next(self) -> BrokerEpoch {
        BrokerEpoch(self.0.saturating_add(1))
    }
}

/// Tells a topic from a later one of the same name (KIP-516).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicId(pub Uuid);

impl TopicId {
    /// The wire's "no topic id".
    pub const ZERO: TopicId = TopicId(Uuid::nil());
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One partition by its topic's name: `trucks_gps-3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: PartitionIndex,
}

impl TopicPartition {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: PartitionIndex(partition) }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_reads_as_kafka_writes_it() {
        assert_eq!(TopicPartition::new("trucks_gps", 3).to_string(), "trucks_gps-3");
    }

    #[test]
    fn epochs_do_not_wrap() {
        assert_eq!(LeaderEpoch(i32::MAX).next(), LeaderEpoch(i32::MAX));
        assert_eq!(LeaderEpoch::UNKNOWN.next(), LeaderEpoch(0));
    }
}
