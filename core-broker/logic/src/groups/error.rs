//! Why a group refuses, in the words of its members.

use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GroupError {
    #[error("the broker is not the coordinator of this group")]
    NotCoordinator,
    #[error("the coordinator is still reading the group's offsets")]
    LoadInProgress,
    #[error("the coordinator could not save the group's state")]
    CoordinatorNotAvailable,
    #[error("a group id cannot be empty here")]
    InvalidGroupId,
    #[error("there is no such group")]
    GroupIdNotFound,
    #[error("the request holds a name that is too long, or offers too many protocols or too long ones")]
    InvalidRequest,
    #[error("the session timeout is outside what the broker allows")]
    InvalidSessionTimeout,
    #[error("join again with the member id in this answer")]
    MemberIdRequired,
    #[error("the group does not know this member")]
    UnknownMember,
    #[error("another member has taken this group instance id")]
    FencedInstance,
    #[error("the member's generation is not the group's")]
    IllegalGeneration,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("the member shares no protocol with the group")]
    InconsistentProtocol,
    #[error("the group is full")]
    GroupFull,
    #[error("the group has members")]
    NonEmptyGroup,
    #[error("the group is subscribed to the topic")]
    SubscribedToTopic,
    #[error("the offset's metadata is too long")]
    OffsetMetadataTooLarge,
    #[error("the commit does not fit into one record batch")]
    CommitTooLarge,
    #[error("the group's state does not fit into one record batch")]
    GroupTooLarge,
}

/// Why records did not reach the disk of `__consumer_offsets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PersistError {
    #[error("no longer the leader of the offsets partition")]
    NotLeader,
    #[error("the offsets partition cannot be written or replicated")]
    Unavailable,
    #[error("the records exceed the largest batch")]
    TooLarge,
}

impl PersistError {
    pub(super) fn for_commit(self) -> GroupError {
        match self {
            PersistError::NotLeader => GroupError::NotCoordinator,
            PersistError::Unavailable => GroupError::CoordinatorNotAvailable,
            PersistError::TooLarge => GroupError::CommitTooLarge,
        }
    }

    pub(super) fn for_group(self) -> GroupError {
        match self {
            PersistError::TooLarge => GroupError::GroupTooLarge,
            other => other.for_commit(),
        }
    }
}
