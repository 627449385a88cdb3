//! What only the shell knows can go wrong, in Kafka's codes. The rest is in `broker_logic::errors`.

use broker_logic::{cluster::Topic, ids::PartitionIndex};
use commit_log::ReadError;
use kafka_wire::ErrorCode;

use crate::controller::ControllerError;

pub fn read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt { .. } | ReadError::Io { .. } => ErrorCode::KafkaStorageError,
    }
}

pub fn controller(error: &ControllerError) -> ErrorCode {
    match error {
        ControllerError::Plan(plan) => plan.into(),
        ControllerError::Log(_) => ErrorCode::KafkaStorageError,
        ControllerError::Stopping => ErrorCode::NotController,
    }
}

/// Why a request, or a part of it, is refused: a code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: Option<String>,
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// A code that says everything.
    pub fn bare(code: ErrorCode) -> Self {
        Self { code, message: None }
    }

    /// The two fields that most answers have.
    pub fn parts(done: Result<(), Refusal>) -> (ErrorCode, Option<String>) {
        match done {
            Ok(()) => (ErrorCode::None, None),
            Err(Refusal { code, message }) => (code, message),
        }
    }
}

impl From<&ControllerError> for Refusal {
    fn from(error: &ControllerError) -> Self {
        Self::new(controller(error), error.to_string())
    }
}

/// Of a partition that nobody can read or write here: its log could not be opened, or there is no such partition.
pub fn not_open(topic: &Topic, partition: i32) -> ErrorCode {
    match topic.partition(PartitionIndex(partition)) {
        Some(_) => ErrorCode::KafkaStorageError,
        None => ErrorCode::UnknownTopicOrPartition,
    }
}
