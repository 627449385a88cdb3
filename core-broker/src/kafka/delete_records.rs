//! DeleteRecords: a partition begins at a later offset.

use std::sync::Arc;

use broker_logic::cluster::is_internal_topic;
use kafka_wire::{
    ErrorCode,
    messages::delete_records::{
        DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
        DeleteRecordsTopicResult,
    },
};
use tracing::error;

use crate::{broker::Shared, hosted::DeleteRecordsError};

pub async fn handle(shared: Arc<Shared>, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut response = DeleteRecordsResponse::default();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for asked in topic.partitions {
            let partition_index = asked.partition_index;
            let (low_watermark, error_code) = match delete(&shared, &topic.name, asked).await {
                Ok(low_watermark) => (low_watermark, ErrorCode::None),
                Err(error_code) => (-1, error_code),
            };
            partitions.push(DeleteRecordsPartitionResult { partition_index, low_watermark, error_code });
        }
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    response
}

/// The offset that the partition begins at.
async fn delete(shared: &Shared, topic: &str, asked: DeleteRecordsPartition) -> Result<i64, ErrorCode> {
    if is_internal_topic(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let partition = shared.partition(topic, asked.partition_index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    // What is only compacted is kept for ever, and by nobody's wish shortened.
    if !partition.settings().cleanup_policy.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let deleted =
        partition.ask(move |hosted, now_ms, answers| hosted.delete_records(asked.offset, now_ms, answers));
    match deleted.await {
        None => Err(ErrorCode::UnknownTopicOrPartition),
        Some(Ok(log_start)) => Ok(log_start.0),
        Some(Err(DeleteRecordsError::OutOfRange(_))) => Err(ErrorCode::OffsetOutOfRange),
        Some(Err(error)) => {
            error!(partition = %partition.id, %error, "records could not be deleted");
            Err(ErrorCode::KafkaStorageError)
        }
    }
}
