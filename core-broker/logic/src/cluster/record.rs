//! What the metadata log holds. The image is these records applied in order, nothing else.

use uuid::Uuid;

use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, ProducerId, TopicId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Cluster {
        cluster_id: String,
    },
    Broker(BrokerRecord),
    Topic {
        name: String,
        topic_id: TopicId,
    },
    RemoveTopic {
        topic_id: TopicId,
    },
    Partition(PartitionRecord),
    /// `value: None` returns the key to its default.
    TopicConfig {
        topic_id: TopicId,
        key: String,
        value: Option<String>,
    },
    /// `broker: None` is for all brokers, `value: None` returns the key to its default.
    BrokerConfig {
        broker: Option<BrokerId>,
        key: String,
        value: Option<String>,
    },
    /// `count` producer ids from `first` on belong to `broker`, for ever.
    ProducerIdBlock {
        broker: BrokerId,
        first: ProducerId,
        count: i32,
    },
}

/// One registration of a broker, made at every start of its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRecord {
    pub id: BrokerId,
    pub epoch: BrokerEpoch,
    /// One per process start.
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
}

impl BrokerRecord {
    /// Where the clients of a listener reach this broker. A client that is inside a network is never told an
    /// address outside of it: `None` where this broker has no listener of that name.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == listener)
    }
}

/// Where a listener of a broker is reached, as advertised to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: String,
    pub host: String,
    pub port: u16,
}

/// The whole state of one partition; replaces what was known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRecord {
    pub topic_id: TopicId,
    pub partition: PartitionIndex,
    pub state: PartitionState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// In order of preference.
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966): out of the ISR, yet complete below the high watermark.
    pub elr: Vec<BrokerId>,
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    /// The leader was elected uncleanly and has not yet taken stock of what was lost.
    pub recovering: bool,
}
