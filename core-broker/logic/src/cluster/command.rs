//! What may be asked of the cluster's metadata, and why it may be refused.

use thiserror::Error;
use uuid::Uuid;

use super::configs::{ConfigError, Operation};
use super::record::Endpoint;
use super::topic_name::TopicNameError;
use crate::ids::{BrokerId, ProducerId, TopicId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Once in a cluster's life; the same id again changes nothing.
    FormatCluster { cluster_id: String },
    /// At every start of a broker's process, with a fresh `incarnation`.
    RegisterBroker {
        id: BrokerId,
        incarnation: Uuid,
        endpoints: Vec<Endpoint>,
        rack: Option<String>,
        /// So many registrations may be missing from damaged metadata: the partitions' epochs go past them.
        missing: i32,
    },
    /// `topic_id` is fresh: chance is an argument.
    CreateTopic { name: String, topic_id: TopicId, layout: Layout, configs: Vec<(String, Option<String>)> },
    /// By its id: a topic that was made again under the same name is another one.
    DeleteTopic { topic_id: TopicId },
    /// `total` partitions in all, more than there are.
    CreatePartitions { name: String, total: i32, assignments: Option<Vec<Vec<BrokerId>>> },
    /// All of it or nothing. With `replace`, what is not named goes back to its default.
    AlterConfigs { resource: ConfigResource, operations: Vec<(String, Operation)>, replace: bool },
    /// The block is in the record: `Record::ProducerIdBlock`.
    AllocateProducerIds { broker: BrokerId },
    /// No id up to `last` is given out any more: a log knows it, whatever the metadata have lost.
    PassProducerIds { broker: BrokerId, last: ProducerId },
}

/// What has configs that change while brokers run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigResource {
    Topic(String),
    /// `None` is all brokers.
    Broker(Option<BrokerId>),
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
    #[error("Topic '{name}' already exists.")]
    TopicExists { name: String },
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    TopicNameCollides { name: String, existing: String },
    #[error("the topic id {topic_id} is in use or zero")]
    TopicIdInUse { topic_id: TopicId },
    #[error("The topic '{name}' does not exist.")]
    UnknownTopic { name: String },
    #[error("This server does not host this topic ID.")]
    UnknownTopicId { topic_id: TopicId },
    #[error("Number of partitions was set to an invalid non-positive value.")]
    InvalidPartitions,
    #[error("Topic already has {current} partition(s).")]
    SamePartitions { current: usize },
    #[error("The topic {name} currently has {current} partition(s); {asked} would not be an increase.")]
    NotAnIncrease { name: String, current: usize, asked: i64 },
    #[error("{asked} partitions in one topic, {max} are allowed")]
    TooManyPartitionsInTopic { asked: i64, max: usize },
    #[error("the cluster would hold {asked} partitions, {max} are allowed")]
    TooManyPartitionsInCluster { asked: usize, max: usize },
    #[error("Replication factor must be larger than 0, or -1 to use the default value.")]
    InvalidReplicationFactor,
    #[error(
        "Unable to replicate the partition {asked} time(s): The target replication factor of {asked} cannot be \
         reached because only {brokers} broker(s) are registered."
    )]
    TooFewBrokers { asked: usize, brokers: usize },
    #[error("{reason}")]
    InvalidAssignment { reason: String },
    #[error(transparent)]
    InvalidConfig(#[from] ConfigError),
    #[error("{0}")]
    InvalidBrokerConfig(ConfigError),
    #[error("Null value not supported for topic configs: {keys}")]
    NullConfigs { keys: String },
    #[error("all producer ids have been given away")]
    ProducerIdsExhausted,
}
