//! What only the shell knows can go wrong, in Kafka's codes. The rest is in `broker_logic::errors`.

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
