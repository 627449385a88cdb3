//! From what went wrong here to the code a Kafka client knows: the only place that knows both.

use kafka_wire::ErrorCode;

use crate::cluster::{ElectionError, PlanError, ReassignmentError};
use crate::fetch_session::SessionError;
use crate::groups::GroupError;
use crate::replica::{AppendError, SequenceError};

impl From<GroupError> for ErrorCode {
    fn from(error: GroupError) -> ErrorCode {
        match error {
            GroupError::NotCoordinator => ErrorCode::NotCoordinator,
            GroupError::LoadInProgress => ErrorCode::CoordinatorLoadInProgress,
            GroupError::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
            GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
            GroupError::GroupIdNotFound => ErrorCode::GroupIdNotFound,
            GroupError::InvalidRequest => ErrorCode::InvalidRequest,
            GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
            GroupError::UnknownMember => ErrorCode::UnknownMemberId,
            GroupError::FencedInstance => ErrorCode::FencedInstanceId,
            GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
            GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            GroupError::InconsistentProtocol => ErrorCode::InconsistentGroupProtocol,
            GroupError::GroupFull => ErrorCode::GroupMaxSizeReached,
            GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
            GroupError::SubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
            GroupError::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
            GroupError::CommitTooLarge => ErrorCode::InvalidCommitOffsetSize,
            GroupError::GroupTooLarge => ErrorCode::UnknownServerError,
        }
    }
}

impl From<SessionError> for ErrorCode {
    fn from(error: SessionError) -> ErrorCode {
        match error {
            SessionError::NotFound => ErrorCode::FetchSessionIdNotFound,
            SessionError::InvalidEpoch => ErrorCode::InvalidFetchSessionEpoch,
            SessionError::TopicIdMismatch => ErrorCode::FetchSessionTopicIdError,
        }
    }
}

impl From<&PlanError> for ErrorCode {
    fn from(error: &PlanError) -> ErrorCode {
        match error {
            PlanError::OtherCluster { .. } => ErrorCode::InconsistentClusterId,
            PlanError::TooLong { .. } | PlanError::NoEndpoint | PlanError::InvalidBrokerConfig(_) => {
                ErrorCode::InvalidRequest
            }
            PlanError::UnknownBroker { .. } => ErrorCode::BrokerIdNotRegistered,
            PlanError::InvalidTopicName(_) | PlanError::TopicNameCollides { .. } => {
                ErrorCode::InvalidTopicException
            }
            PlanError::TopicExists { .. } => ErrorCode::TopicAlreadyExists,
            PlanError::UnknownTopic { .. } => ErrorCode::UnknownTopicOrPartition,
            PlanError::UnknownTopicId { .. } => ErrorCode::UnknownTopicId,
            PlanError::InvalidPartitions
            | PlanError::SamePartitions { .. }
            | PlanError::NotAnIncrease { .. } => ErrorCode::InvalidPartitions,
            // Kafka's own answer to a limit that a broker sets.
            PlanError::TooManyPartitionsInTopic { .. } | PlanError::TooManyPartitionsInCluster { .. } => {
                ErrorCode::PolicyViolation
            }
            PlanError::InvalidReplicationFactor | PlanError::TooFewBrokers { .. } => {
                ErrorCode::InvalidReplicationFactor
            }
            PlanError::InvalidAssignment { .. } => ErrorCode::InvalidReplicaAssignment,
            PlanError::InvalidConfig(_) | PlanError::NullConfigs { .. } => ErrorCode::InvalidConfig,
            PlanError::TopicIdInUse { .. } | PlanError::ProducerIdsExhausted => ErrorCode::UnknownServerError,
        }
    }
}

impl From<&ElectionError> for ErrorCode {
    fn from(error: &ElectionError) -> ErrorCode {
        match error {
            ElectionError::UnknownTopic { .. } | ElectionError::UnknownPartition { .. } => {
                ErrorCode::UnknownTopicOrPartition
            }
            ElectionError::NotNeeded => ErrorCode::ElectionNotNeeded,
            ElectionError::PreferredNotAvailable => ErrorCode::PreferredLeaderNotAvailable,
            ElectionError::NoEligibleLeader => ErrorCode::EligibleLeadersNotAvailable,
        }
    }
}

impl From<&ReassignmentError> for ErrorCode {
    fn from(error: &ReassignmentError) -> ErrorCode {
        match error {
            ReassignmentError::UnknownTopic { .. } | ReassignmentError::UnknownPartition { .. } => {
                ErrorCode::UnknownTopicOrPartition
            }
            ReassignmentError::NoneInProgress => ErrorCode::NoReassignmentInProgress,
            ReassignmentError::InvalidAssignment(plan) => plan.into(),
            ReassignmentError::NotMoved => ErrorCode::InvalidReplicaAssignment,
        }
    }
}

impl From<&AppendError> for ErrorCode {
    fn from(error: &AppendError) -> ErrorCode {
        match error {
            AppendError::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
            AppendError::TimedOut => ErrorCode::RequestTimedOut,
            AppendError::ControlBatch => ErrorCode::InvalidRecord,
            AppendError::Transactional => ErrorCode::InvalidTxnState,
            AppendError::Sequence(SequenceError::FencedEpoch) => ErrorCode::InvalidProducerEpoch,
            AppendError::Sequence(SequenceError::OutOfOrder) => ErrorCode::OutOfOrderSequenceNumber,
            AppendError::Sequence(SequenceError::OldDuplicate) => ErrorCode::DuplicateSequenceNumber,
            AppendError::LogFailed => ErrorCode::KafkaStorageError,
            AppendError::TopicDeleted => ErrorCode::UnknownTopicOrPartition,
        }
    }
}
