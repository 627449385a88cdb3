//! What may be asked of the cluster's metadata, and why it may be refused.

use thiserror::Error;
use uuid::Uuid;

use super::configs::ConfigError;
use super::record::Endpoint;
use super::topic_name::TopicNameError;
use crate::ids::{BrokerId, TopicId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Once in a cluster's life; the same id again changes nothing.
    FormatCluster {
        cluster_id: String,
    },
    /// At every start of a broker's process, with a fresh `incarnation`.
    RegisterBroker {
        id: BrokerId,
        incarnation: Uuid,
        endpoints: Vec<Endpoint>,
        rack: Option<String>,
    },
    /// `topic_id` is fresh: chance is an argument.
    CreateTopic {
        name: String,
        topic_id: TopicId,
        layout: Layout,
        configs: Vec<(String, Option<String>)>,
    },
    DeleteTopic {
        name: String,
    },
    /// `total` partitions in all, more than there are.
    CreatePartitions {
        name: String,
        total: i32,
        assignments: Option<Vec<Vec<BrokerId>>>,
    },
    /// All of the changes or none; a value of `None` returns the key to its default.
    AlterTopicConfigs {
        name: String,
        changes: Vec<(String, Option<String>)>,
    },
    /// As for a topic; `broker: None` is for all brokers.
    AlterBrokerConfigs {
        broker: Option<BrokerId>,
        changes: Vec<(String, Option<String>)>,
    },
    /// The block is in the record: `Record::ProducerIdBlock`.
    AllocateProducerIds {
        broker: BrokerId,
    },
}

/// Where the partitions of a topic go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The broker chooses; `None` (-1 on the wire) takes the default of [`Limits`].
    Automatic { partitions: Option<i32>, replication_factor: Option<i16> },
    /// Replicas per partition, the preferred leader first.
    Manual(Vec<Vec<BrokerId>>),
}

/// Known to the planner only: applying a record never depends on a limit, so that a log written
/// under wider limits can still be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub default_partitions: i32,
    pub default_replication_factor: i16,
    /// A partition costs open files and memory: a typing error must not take the broker down.
    pub max_partitions_per_topic: usize,
    pub max_partitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            default_partitions: 1,
            default_replication_factor: 1,
            max_partitions_per_topic: 1_000,
            max_partitions: 4_000,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error("this cluster is already {current}, not {asked}")]
    OtherCluster { current: String, asked: String },
    #[error("{what} is too long for a metadata record: {bytes} bytes")]
    TooLong { what: &'static str, bytes: usize },
    #[error("a broker registers with at least one endpoint")]
    NoEndpoint,
    #[error("broker {broker} is not registered")]
    UnknownBroker { broker: BrokerId },
    #[error(transparent)]
    InvalidTopicName(#[from] TopicNameError),
    #[error("topic '{name}' already exists")]
    TopicExists { name: String },
    #[error("topic '{name}' collides with existing topic: {existing}")]
    TopicNameCollides { name: String, existing: String },
    #[error("the topic id {topic_id} is in use or zero")]
    TopicIdInUse { topic_id: TopicId },
    #[error("there is no topic '{name}'")]
    UnknownTopic { name: String },
    #[error("the number of partitions must be greater than 0, not {asked}")]
    InvalidPartitions { asked: i64 },
    #[error("the topic has {current} partitions; {asked} would not be an increase")]
    NotAnIncrease { current: usize, asked: i64 },
    #[error("{asked} partitions in one topic, {max} are allowed")]
    TooManyPartitionsInTopic { asked: i64, max: usize },
    #[error("the cluster would hold {asked} partitions, {max} are allowed")]
    TooManyPartitionsInCluster { asked: usize, max: usize },
    #[error("replication factor {asked} with {brokers} registered broker(s)")]
    InvalidReplicationFactor { asked: i64, brokers: usize },
    #[error("invalid replica assignment: {reason}")]
    InvalidAssignment { reason: String },
    #[error(transparent)]
    InvalidConfig(#[from] ConfigError),
    #[error("all producer ids have been given away")]
    ProducerIdsExhausted,
}
