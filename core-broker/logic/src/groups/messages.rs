//! What goes into a coordinator and what comes out: requests and answers close to Kafka's messages.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::error::{GroupError, PersistError};
use super::record::OffsetsRecord;
use crate::ids::{LeaderEpoch, Offset, TopicPartition};

/// Chosen by the shell for each request; comes back with the answer.
pub type Token = u64;

/// Chosen by the coordinator for each [`Action::Persist`], counting up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersistId(pub u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Every record of the partition went through `replay`.
    Loaded,
    /// The partition cannot be read: whoever asks is told so, and waits for nothing.
    LoadFailed,
    /// It is read once more, from its start; what was deleted meanwhile is remembered.
    LoadAgain,
    /// Leadership of the partition is lost; nothing after this is answered but "not here".
    Resigned,
    /// What groups committed for the topic is forgotten, whatever state they are in: from here on, or once it
    /// is read.
    TopicDeleted {
        topic: Arc<str>,
    },
    Request {
        token: Token,
        request: Request,
    },
    /// The records are durable. May come in any order: they take effect in the order of their ids.
    Persisted {
        persist: PersistId,
    },
    PersistFailed {
        persist: PersistId,
        error: PersistError,
    },
    /// The deadline has come; `unix_ms` sets the wall clock that commit timestamps are taken from.
    Tick {
        unix_ms: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Answer {
        token: Token,
        answer: Answer,
    },
    /// Append to the coordinator's partition of `__consumer_offsets`, in the order of these actions
    /// and as one batch each; report when it is as durable as `acks=all`.
    Persist {
        persist: PersistId,
        records: Arc<[OffsetsRecord]>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Join(JoinRequest),
    Sync(SyncRequest),
    Heartbeat(HeartbeatRequest),
    Leave(LeaveRequest),
    CommitOffsets(CommitRequest),
    /// `partitions: None` asks for all the group has.
    FetchOffsets {
        group_id: String,
        partitions: Option<Vec<TopicPartition>>,
    },
    DeleteGroup {
        group_id: String,
    },
    DeleteOffsets {
        group_id: String,
        partitions: Vec<TopicPartition>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    pub group_id: String,
    /// Empty at the first join.
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    /// JoinGroup v0 has none: the session timeout then.
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    /// Name and metadata, the preferred first.
    pub protocols: Vec<(String, Bytes)>,
    /// JoinGroup v4 and later: a member without id is first given one (KIP-394).
    pub needs_member_id_first: bool,
    /// JoinGroup v9 and later: a returning static leader may be told to assign nothing (KIP-814).
    pub may_skip_assignment: bool,
    /// Fresh for every request; becomes part of a member id. Chance is an argument.
    pub fresh_id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    pub group_id: String,
    pub generation: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    /// SyncGroup v5 and later.
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    /// From the leader: member id and assignment.
    pub assignments: Vec<(String, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatRequest {
    pub group_id: String,
    pub generation: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRequest {
    pub group_id: String,
    /// One before LeaveGroup v3.
    pub members: Vec<LeavingMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    /// May be empty when an instance id is given: an admin removes a static member.
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRequest {
    pub group_id: String,
    /// -1 from a consumer that assigns its own partitions.
    pub generation: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    /// OffsetCommit v2 to v4: keep the offsets for this long, whatever the broker's retention.
    pub retention_ms: Option<i64>,
    pub offsets: Vec<OffsetToCommit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetToCommit {
    pub partition: TopicPartition,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
}

/// One answer per partition of the request, in its order.
pub type PartitionResults = Vec<(TopicPartition, Result<(), GroupError>)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Join(Result<Joined, JoinRefused>),
    Sync(Result<Synced, GroupError>),
    Heartbeat(Result<(), GroupError>),
    Leave(Result<Vec<LeftMember>, GroupError>),
    CommitOffsets(PartitionResults),
    FetchOffsets(Result<Vec<FetchedOffset>, GroupError>),
    DeleteGroup(Result<(), GroupError>),
    DeleteOffsets(Result<PartitionResults, GroupError>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// For the leader alone.
    pub members: Vec<JoinedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    /// Of the chosen protocol.
    pub metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRefused {
    pub error: GroupError,
    /// The one to come back with, when `error` is `MemberIdRequired`.
    pub member_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignment: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub result: Result<(), GroupError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOffset {
    pub partition: TopicPartition,
    /// -1: nothing committed.
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
}

/// Longer names are refused: every name may end up in a record, whose strings are bounded.
const MAX_NAME_BYTES: usize = 8 * 1024;

/// What a member may offer: a group keeps it for as long as the member stays. No client has more than a
/// handful, and what is longer than a batch of the log may be could not be saved.
const MAX_PROTOCOLS: usize = 100;
const MAX_METADATA_BYTES: usize = 1 << 20;

impl Request {
    pub fn group_id(&self) -> &str {
        match self {
            Request::Join(request) => &request.group_id,
            Request::Sync(request) => &request.group_id,
            Request::Heartbeat(request) => &request.group_id,
            Request::Leave(request) => &request.group_id,
            Request::CommitOffsets(request) => &request.group_id,
            Request::FetchOffsets { group_id, .. }
            | Request::DeleteGroup { group_id }
            | Request::DeleteOffsets { group_id, .. } => group_id,
        }
    }

    /// Is everything that the group would keep small enough to be kept?
    pub(super) fn fits(&self) -> bool {
        let fits = |name: &str| name.len() <= MAX_NAME_BYTES;
        fits(self.group_id())
            && match self {
                Request::Join(join) => {
                    let instance = join.group_instance_id.as_deref().unwrap_or_default();
                    [instance, &join.client_id, &join.client_host, &join.protocol_type].into_iter().all(fits)
                        && join.protocols_fit()
                }
                Request::CommitOffsets(commit) => {
                    commit.offsets.iter().all(|offset| fits(&offset.partition.topic))
                }
                _ => true,
            }
    }

    /// The answer that says no to the request as a whole.
    pub(super) fn refused(&self, error: GroupError) -> Answer {
        match self {
            Request::Join(request) => {
                Answer::Join(Err(JoinRefused { error, member_id: request.member_id.clone() }))
            }
            Request::Sync(_) => Answer::Sync(Err(error)),
            Request::Heartbeat(_) => Answer::Heartbeat(Err(error)),
            Request::Leave(_) => Answer::Leave(Err(error)),
            Request::CommitOffsets(request) => request.refused(error),
            Request::FetchOffsets { .. } => Answer::FetchOffsets(Err(error)),
            Request::DeleteGroup { .. } => Answer::DeleteGroup(Err(error)),
            Request::DeleteOffsets { .. } => Answer::DeleteOffsets(Err(error)),
        }
    }
}

impl Answer {
    /// The prepared good news, turned into the bad: the records did not reach the disk. What was
    /// refused for a reason of its own stays so.
    pub(super) fn not_saved(self, error: GroupError) -> Answer {
        let spoil = |rows: PartitionResults| {
            rows.into_iter().map(|(at, result)| (at, result.and(Err(error)))).collect()
        };
        match self {
            Answer::CommitOffsets(rows) => Answer::CommitOffsets(spoil(rows)),
            Answer::DeleteOffsets(Ok(rows)) => Answer::DeleteOffsets(Ok(spoil(rows))),
            Answer::DeleteGroup(Ok(())) => Answer::DeleteGroup(Err(error)),
            other => other,
        }
    }
}

impl JoinRequest {
    fn protocols_fit(&self) -> bool {
        let bytes: usize = self.protocols.iter().map(|(_, metadata)| metadata.len()).sum();
        self.protocols.len() <= MAX_PROTOCOLS
            && self.protocols.iter().all(|(name, _)| name.len() <= MAX_NAME_BYTES)
            && bytes <= MAX_METADATA_BYTES
    }
}

impl LeaveRequest {
    /// A group that is not there knows nobody, and says so for each.
    pub(super) fn unknown_members(&self) -> Answer {
        let rows = self.members.iter().map(|leaving| LeftMember {
            member_id: leaving.member_id.clone(),
            group_instance_id: leaving.group_instance_id.clone(),
            result: Err(GroupError::UnknownMember),
        });
        Answer::Leave(Ok(rows.collect()))
    }
}

impl CommitRequest {
    pub(super) fn refused(&self, error: GroupError) -> Answer {
        let rows = self.offsets.iter().map(|offset| (offset.partition.clone(), Err(error)));
        Answer::CommitOffsets(rows.collect())
    }
}
