//! Consumer groups of the classic protocol: who is a member, who leads, which generation it is, and
//! what they have committed.
//!
//! A [`Coordinator`] owns the groups of one partition of `__consumer_offsets` and is driven by
//! [`Input`]s; each group is a state machine of its own. An offset changes only when its record is
//! durable, and by the same code that replays the log.

mod admission;
mod config;
mod coordinator;
mod description;
mod error;
mod forgetting;
mod group;
mod join;
mod member;
mod membership;
mod messages;
mod offsets;
mod partition_of;
mod persisted;
mod rebalance;
mod record;
mod record_codec;
mod step;
mod subscription;
mod sync;

pub use config::GroupConfig;
pub use coordinator::Coordinator;
pub use description::{GroupDescription, GroupListing, MemberDescription};
pub use error::{GroupError, PersistError};
pub use group::GroupState;
pub use messages::{
    Action, Answer, CommitRequest, FetchedOffset, HeartbeatRequest, Input, JoinRefused, JoinRequest, Joined,
    JoinedMember, LeaveRequest, LeavingMember, LeftMember, OffsetToCommit, PartitionResults, PersistId,
    Request, SyncRequest, Synced, Token,
};
pub use partition_of::group_partition;
pub use record::{CommittedOffset, GroupMetadata, MemberMetadata, OffsetsRecord};
pub use record_codec::OffsetsRecordError;
