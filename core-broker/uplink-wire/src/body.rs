//! The bodies of the control frames. Frozen: fields are never added, dropped or swapped, because
//! postcard has no names on the wire and would read the change as other values.

use serde::{Deserialize, Serialize};

/// What a lane carries, most urgent first; each class rides its own stream, so that a week of
/// backlog does not hold up an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    Alert,
    Live,
    Backlog,
    Bulk,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Alert, Class::Live, Class::Backlog, Class::Bulk];

    /// QUIC stream priority: higher is sent first.
    pub fn priority(self) -> i32 {
        match self {
            Class::Alert => 3,
            Class::Live => 2,
            Class::Backlog => 1,
            Class::Bulk => 0,
        }
    }
}

/// First frame of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub min_version: u8,
    pub max_version: u8,
    /// For the broker's log only; who the agent *is* comes from its certificate.
    pub agent_id: String,
    /// Counts the agent's starts.
    pub boot: u64,
    /// The topics that the agent's routes lead to.
    pub topics: Vec<TopicWanted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicWanted {
    pub name: String,
    /// How many partitions to create it with if it does not exist and may be created.
    pub partitions: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicInfo {
    pub name: String,
    /// 0: there is no such topic and it was not created.
    pub partitions: u32,
}

/// The broker's answer to [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub version: u8,
    pub cluster_id: String,
    /// The broker's clock, milliseconds since the epoch, for agents whose own clock is not to be trusted.
    pub server_time_ms: i64,
    /// Largest batch a lane may send, in bytes.
    pub max_block_bytes: u32,
    /// One for each topic of the hello, in its order.
    pub topics: Vec<TopicInfo>,
}

/// A producer's identity as a leader keeps it (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampedProducer {
    pub id: i64,
    pub epoch: i16,
}

/// First frame of a lane's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLane {
    pub topic: String,
    pub partition: i32,
    pub class: Class,
    /// `None` asks for a producer id.
    pub producer: Option<StampedProducer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneOpened {
    pub producer: StampedProducer,
}

/// First frame of a downlink stream: send me this topic from here on, as it becomes stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    pub topic: String,
    /// (partition, next offset). A partition not named starts at the first record there is.
    pub from: Vec<(i32, i64)>,
}

/// Why something was not done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// For a person: what was wrong and what to do.
    pub message: String,
}

/// Append only: postcard writes the position of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalCode {
    UnsupportedVersion,
    /// The certificate's owner may not do this.
    Unauthorized,
    UnknownTopic,
    UnknownPartition,
    /// The leader is elsewhere; reconnect.
    NotLeader,
    /// The block's bytes are not a valid batch.
    CorruptBlock,
    BlockTooLarge,
    /// The leader expects another sequence: something between is missing on its side.
    OutOfOrderSequence,
    /// A newer holder of this producer id exists.
    FencedProducer,
    /// Too few in-sync replicas, a full disk, a failed write: not stored.
    StorageUnavailable,
    TooManyLanes,
    /// A frame that does not belong here.
    Protocol,
    ShuttingDown,
}

impl RefusalCode {
    /// Whether the same bytes may be sent again later.
    pub fn retry(self) -> bool {
        use RefusalCode::*;
        match self {
            NotLeader | StorageUnavailable | ShuttingDown | TooManyLanes | UnknownTopic
            | UnknownPartition | Unauthorized => true,
            UnsupportedVersion | CorruptBlock | BlockTooLarge | OutOfOrderSequence | FencedProducer
            | Protocol => false,
        }
    }
}
