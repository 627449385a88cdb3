//! What a replica, a log or the controller refuses, in Kafka's codes: the one place where they meet.

use broker_logic::{
    cluster::PlanError,
    groups::GroupError,
    replica::{AppendError, SequenceError},
};
use commit_log::ReadError;
use kafka_wire::ErrorCode;

use crate::controller::ControllerError;

pub fn append(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
        AppendError::TimedOut => ErrorCode::RequestTimedOut,
        AppendError::ControlBatch => ErrorCode::InvalidRecord,
        AppendError::Transactional => ErrorCode::InvalidTxnState,
        AppendError::Sequence(SequenceError::FencedEpoch) => ErrorCode::InvalidProducerEpoch,
        AppendError::Sequence(SequenceError::OutOfOrder) => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::Sequence(SequenceError::OldDuplicate) => ErrorCode::DuplicateSequenceNumber,
        AppendError::LogFailed => ErrorCode::KafkaStorageError,
    }
}

pub fn read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt { .. } | ReadError::Io { .. } => ErrorCode::KafkaStorageError,
    }
}

pub fn controller(error: &ControllerError) -> ErrorCode {
    match error {
        ControllerError::Plan(plan) => self::plan(plan),
        ControllerError::Log(_) => ErrorCode::KafkaStorageError,
        ControllerError::Stopping => ErrorCode::NotController,
    }
}

fn plan(error: &PlanError) -> ErrorCode {
    match error {
        PlanError::InvalidTopicName(_) | PlanError::TopicNameCollides { .. } => {
            ErrorCode::InvalidTopicException
        }
        PlanError::TopicExists { .. } => ErrorCode::TopicAlreadyExists,
        PlanError::UnknownTopic { .. } => ErrorCode::UnknownTopicOrPartition,
        PlanError::InvalidPartitions { .. }
        | PlanError::NotAnIncrease { .. }
        | PlanError::TooManyPartitionsInTopic { .. } => ErrorCode::InvalidPartitions,
        PlanError::TooManyPartitionsInCluster { .. } => ErrorCode::PolicyViolation,
        PlanError::InvalidReplicationFactor { .. } => ErrorCode::InvalidReplicationFactor,
        PlanError::InvalidAssignment { .. } => ErrorCode::InvalidReplicaAssignment,
        PlanError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        PlanError::TooLong { .. } | PlanError::TopicIdInUse { .. } => ErrorCode::InvalidRequest,
        PlanError::OtherCluster { .. }
        | PlanError::NoEndpoint
        | PlanError::UnknownBroker { .. }
        | PlanError::ProducerIdsExhausted => ErrorCode::UnknownServerError,
    }
}

pub fn group(error: GroupError) -> ErrorCode {
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
