//! What a coordinator persists: the records of `__consumer_offsets`.

use bytes::Bytes;

use crate::ids::{LeaderEpoch, Offset, TopicPartition};

/// `None` as value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetsRecord {
    Offset { group_id: String, partition: TopicPartition, value: Option<CommittedOffset> },
    Group { group_id: String, value: Option<GroupMetadata> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    pub commit_unix_ms: i64,
    /// Set by a client that asked for a retention of its own.
    pub expire_unix_ms: Option<i64>,
}

/// A group as of one generation, with what each member was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    pub protocol_type: String,
    pub generation: i32,
    pub protocol_name: Option<String>,
    pub leader: Option<String>,
    /// When the group entered the state; -1 where an old record did not say.
    pub state_unix_ms: i64,
    pub members: Vec<MemberMetadata>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadata {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}
