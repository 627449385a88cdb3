//! Produce: batches are validated here, put in order by their partitions' owner, answered when the
//! producer's `acks` are met.

use std::sync::Arc;

use broker_logic::{
    cluster::{Topic, is_internal_topic},
    replica::{Acks, Appended},
};
use bytes::Bytes;
use kafka_wire::{
    ErrorCode,
    messages::produce::{
        BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceData, PartitionProduceResponse,
        ProduceRequest, ProduceResponse, TopicProduceResponse,
    },
    record_batch::{self, BatchError, BatchHeader, Compression},
};
use tokio::sync::oneshot;

use crate::{
    broker::Shared,
    clock,
    hosted::AppendResult,
    partition::{Partition, answered},
};

/// `message.timestamp.after.max.ms`: a clock that runs ahead by more would make retention by time useless.
const MAX_AHEAD_MS: i64 = 3_600_000;

/// What a batch of `message.max.bytes` may become: a hundred times its size and no bomb.
const MAX_DECOMPRESSED_BYTES: usize = 128 << 20;

/// The first version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// A partition's answer, ready or on its way.
enum Pending {
    Ready(ErrorCode, Option<String>),
    /// Refused for these of its records, counted from 0.
    WithoutKey(Vec<i32>),
    Submitted(Partition, oneshot::Receiver<AppendResult>),
}

/// Puts every batch into its partition's queue before it returns; the future waits for the answers. `None`
/// where the producer wants no answer.
pub async fn start(
    shared: Arc<Shared>,
    version: i16,
    request: ProduceRequest,
) -> anyhow::Result<impl Future<Output = anyhow::Result<Option<ProduceResponse>>> + use<>> {
    let acks = match request.acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    };
    let deadline_ms = clock::now_ms() + i64::from(request.timeout_ms.max(0));
    let mut topics = Vec::new();
    for topic in request.topics {
        // A client names the topic, or from version 13 on its id.
        let image = shared.image();
        let found = match version {
            13.. => image.topic_by_id(broker_logic::ids::TopicId(topic.topic_id)),
            _ => image.topic(&topic.name),
        };
        let unknown =
            if version >= 13 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let mut partitions = Vec::new();
        for data in topic.partitions {
            let index = data.index;
            let partition = found.and_then(|found| shared.partition(&found.name, index));
            let pending = match (acks, partition) {
                // What is in them is ours to write: a foreign record there could stop every group.
                _ if found.is_some_and(|found| is_internal_topic(&found.name)) => {
                    Pending::Ready(ErrorCode::InvalidTopicException, Some("an internal topic".into()))
                }
                (None, _) => Pending::Ready(ErrorCode::InvalidRequiredAcks, None),
                (_, None) => Pending::Ready(unknown, None),
                (Some(acks), Some(partition)) => {
                    let is_compacted = found.is_some_and(is_compacted);
                    submit(&shared, partition, is_compacted, data, version, acks, deadline_ms).await
                }
            };
            partitions.push((index, pending));
        }
        topics.push((topic.name, topic.topic_id, partitions));
    }
    Ok(async move {
        let mut response = ProduceResponse::default();
        for (name, topic_id, pending) in topics {
            let mut partitions = Vec::new();
            for (index, pending) in pending {
                partitions.push(answer(&shared, index, pending).await);
            }
            response.topics.push(TopicProduceResponse { name, topic_id, partitions });
        }
        if acks != Some(Acks::None) {
            return Ok(Some(response));
        }
        // Kafka's way to tell a producer that wants no answer: it reconnects and asks for metadata.
        let failed = response.topics.iter().flat_map(|topic| &topic.partitions);
        match failed.map(|partition| partition.error_code).find(|code| *code != ErrorCode::None) {
            Some(code) => Err(anyhow::anyhow!("a produce with acks=0 failed: {code:?}")),
            None => Ok(None),
        }
    })
}

async fn submit(
    shared: &Shared,
    partition: Partition,
    is_compacted: bool,
    data: PartitionProduceData,
    version: i16,
    acks: Acks,
    deadline_ms: i64,
) -> Pending {
    let batch = data.records.unwrap_or_default();
    match check(&batch, version, shared.config.broker.message_max.0 as usize) {
        Err((code, message)) => Pending::Ready(code, Some(message)),
        Ok(header) => {
            let unkeyed = if is_compacted { without_key(&batch) } else { Vec::new() };
            if !unkeyed.is_empty() {
                return Pending::WithoutKey(unkeyed);
            }
            let answer = partition.submit(header, batch, acks, deadline_ms).await;
            Pending::Submitted(partition, answer)
        }
    }
}

/// One batch, whole, within the limits.
fn check(batch: &Bytes, version: i16, message_max: usize) -> Result<BatchHeader, (ErrorCode, String)> {
    if batch.len() > message_max {
        let message = format!("{} bytes of records: at most {message_max} are taken", batch.len());
        return Err((ErrorCode::MessageTooLarge, message));
    }
    let header = BatchHeader::validate(batch).map_err(|error| {
        let code = match error {
            BatchError::Truncated { .. } | BatchError::BadLength(_) | BatchError::BadChecksum { .. } => {
                ErrorCode::CorruptMessage
            }
            BatchError::UnsupportedMagic(_) => ErrorCode::UnsupportedForMessageFormat,
            BatchError::BadTimestamp(_) => ErrorCode::InvalidTimestamp,
            BatchError::UnknownCodec(_) => ErrorCode::UnsupportedCompressionType,
            _ => ErrorCode::InvalidRecord,
        };
        (code, error.to_string())
    })?;
    if header.size != batch.len() {
        return Err((
            ErrorCode::InvalidRecord,
            "one record batch per partition, and nothing behind it".into(),
        ));
    }
    if header.compression() == Ok(Compression::Zstd) && version < ZSTD_FROM {
        let message = format!("zstd needs Produce version {ZSTD_FROM}");
        return Err((ErrorCode::UnsupportedCompressionType, message));
    }
    // Stored without a look, it would be what no consumer gets past.
    record_batch::check_records(batch, &header, MAX_DECOMPRESSED_BYTES).map_err(|error| {
        let code = match error {
            BatchError::BadCompression(_) => ErrorCode::CorruptMessage,
            BatchError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            _ => ErrorCode::InvalidRecord,
        };
        (code, error.to_string())
    })?;
    if header.max_timestamp > clock::now_ms() + MAX_AHEAD_MS {
        let message = format!("timestamp {} is more than an hour ahead", header.max_timestamp);
        return Err((ErrorCode::InvalidTimestamp, message));
    }
    Ok(header)
}

fn is_compacted(topic: &Topic) -> bool {
    topic
        .config("cleanup.policy")
        .is_some_and(|policies| policies.split(',').any(|it| it.trim() == "compact"))
}

/// Compaction keeps the last record of each key; one without a key could never be kept.
fn without_key(batch: &Bytes) -> Vec<i32> {
    let records = record_batch::decode_records(batch.clone(), MAX_DECOMPRESSED_BYTES).unwrap_or_default();
    let numbered = (0..).zip(&records);
    numbered.filter(|(_, record)| record.key.is_none()).map(|(number, _)| number).collect()
}

async fn answer(shared: &Shared, index: i32, pending: Pending) -> PartitionProduceResponse {
    let failed = |error_code, error_message| PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        error_message,
        ..Default::default()
    };
    match pending {
        Pending::Ready(code, message) => failed(code, message),
        Pending::WithoutKey(records) => {
            let message = "a compacted topic takes no record without a key";
            let error = |batch_index| BatchIndexAndErrorMessage {
                batch_index,
                batch_index_error_message: Some(message.into()),
            };
            PartitionProduceResponse {
                record_errors: records.into_iter().map(error).collect(),
                ..failed(ErrorCode::InvalidRecord, Some(message.into()))
            }
        }
        Pending::Submitted(partition, receiver) => match answered(receiver).await {
            Ok(Appended { base_offset, log_start, .. }) => PartitionProduceResponse {
                index,
                base_offset: base_offset.0,
                log_start_offset: log_start.0,
                ..Default::default()
            },
            Err(error) => PartitionProduceResponse {
                current_leader: LeaderIdAndEpoch {
                    leader_id: shared.me.0,
                    leader_epoch: partition.view().leader_epoch.0,
                },
                ..failed(ErrorCode::from(&error), Some(error.to_string()))
            },
        },
    }
}
