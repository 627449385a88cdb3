//! Produce: batches are validated here, put in order by their partitions' owner, answered when the
//! producer's `acks` are met.

use std::sync::Arc;

use broker_logic::{
    cluster::{TimestampType, TopicSettings, is_internal_topic},
    replica::{Acks, Appended},
};
use bytes::{Bytes, BytesMut};
use kafka_wire::{
    ErrorCode,
    messages::produce::{
        BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceData, PartitionProduceResponse,
        ProduceRequest, ProduceResponse, TopicProduceResponse,
    },
    record_batch::{self, BatchError, BatchHeader, Compression, RecordTimes},
};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::coop::consume_budget,
};

use super::{meant, repeated::repeated};
use crate::{
    broker::Shared,
    clock,
    hosted::AppendResult,
    partition::{Partition, answered, blocking},
};

/// A compressed batch of so few bytes, and what it may become, is looked into at once: it takes less than to hand it
/// to another thread.
const SHORT_BYTES: usize = 16 << 10;
const SHORT_DECOMPRESSED_BYTES: usize = 128 << 10;

/// What nearly every compressed batch becomes at most: producers fill batches of 1 MB.
const HONEST_DECOMPRESSED_BYTES: usize = 4 << 20;

/// What a batch of `message.max.bytes` may become: a hundred times its size and no bomb.
const MAX_DECOMPRESSED_BYTES: usize = 128 << 20;

/// Of a batch's records, so many are told why they are refused.
const MOST_TOLD: usize = 500;

/// The first version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// A partition's answer, ready or on its way.
enum Pending {
    Ready(ErrorCode, Option<String>),
    Refused(Refusal),
    Submitted(Partition, oneshot::Receiver<AppendResult>),
}

/// Why a batch is not taken.
struct Refusal {
    code: ErrorCode,
    message: String,
    /// For which of its records, counted from 0, in words; empty where it is not for single ones. The first
    /// [`MOST_TOLD`] of them.
    records: Vec<(i32, String)>,
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
    let named = request.topics.iter().flat_map(|topic| {
        let name: Arc<str> = topic.name.as_str().into();
        topic.partitions.iter().map(move |data| (name.clone(), topic.topic_id, data.index))
    });
    let mut repeated = repeated(named);
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
        // All of them before anything is waited for: the image grows old.
        let meant: Vec<_> = (topic.partitions.into_iter())
            .map(|data| {
                let partition = found.ok_or(unknown);
                let partition =
                    partition.and_then(|found| meant::partition(&shared, found, data.index, unknown));
                (data, partition)
            })
            .collect();
        let mut partitions = Vec::new();
        let name: Arc<str> = topic.name.as_str().into();
        for (data, partition) in meant {
            // Thousands may be named, and others need the worker.
            consume_budget().await;
            let index = data.index;
            // Which of its batches is meant, nobody knows: none is taken, and none looked into.
            if let Some(is_told) = repeated.get_mut(&(name.clone(), topic.topic_id, index)) {
                if !std::mem::replace(is_told, true) {
                    let message = "the request names this partition more than once".into();
                    partitions.push((index, Pending::Ready(ErrorCode::InvalidRequest, Some(message))));
                }
                continue;
            }
            let pending = match (acks, partition) {
                // What is in them is ours to write: a foreign record there could stop every group.
                _ if found.is_some_and(|found| is_internal_topic(&found.name)) => {
                    Pending::Ready(ErrorCode::InvalidTopicException, Some("an internal topic".into()))
                }
                (None, _) => Pending::Ready(ErrorCode::InvalidRequiredAcks, None),
                (_, Err(error)) => Pending::Ready(error, None),
                (Some(acks), Ok(partition)) => {
                    submit(&shared, partition, data, version, acks, deadline_ms).await
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
    data: PartitionProduceData,
    version: i16,
    acks: Acks,
    deadline_ms: i64,
) -> Pending {
    let batch = data.records.unwrap_or_default();
    match check(shared, batch, version, &partition).await {
        Err(refusal) => Pending::Refused(refusal),
        Ok((header, batch)) => {
            let answer = partition.submit(header, batch, acks, deadline_ms).await;
            Pending::Submitted(partition, answer)
        }
    }
}

/// One batch, whole, within the limits; and as the topic wants it stored.
async fn check(
    shared: &Shared,
    batch: Bytes,
    version: i16,
    partition: &Partition,
) -> Result<(BatchHeader, Bytes), Refusal> {
    let settings = partition.settings();
    check_size(&batch, &settings)?;
    let header = check_header(&batch, version)?;
    let now_ms = clock::now_ms();
    let is_plain = header.compression() == Ok(Compression::None);
    if is_plain || batch.len() <= SHORT_BYTES {
        let limit = if is_plain { MAX_DECOMPRESSED_BYTES } else { SHORT_DECOMPRESSED_BYTES };
        match record_batch::check_records(&batch, &header, limit) {
            Err(BatchError::TooLarge { .. }) if !is_plain => {}
            checked => {
                let times = checked.map_err(bad_records)?;
                return check_content(batch, header, times, partition, &settings, now_ms);
            }
        }
    }
    // What few bytes become may take a processor for long: others need the async workers meanwhile, and more at
    // a time would take every processor, and much memory where a batch is made anew. Whoever sends what becomes
    // very large waits for those who do the same, and nobody else for them.
    let beside = Arc::new(Beside { batch, header, partition: partition.clone(), settings, now_ms });
    let turn = shared.connections.decompression().await;
    match beside.check(turn, HONEST_DECOMPRESSED_BYTES).await {
        Err(BatchError::TooLarge { .. }) => {
            let turn = shared.connections.bomb().await;
            beside.check(turn, MAX_DECOMPRESSED_BYTES).await.map_err(bad_records)?
        }
        checked => checked.map_err(bad_records)?,
    }
}

/// A compressed batch that is looked into on another thread.
struct Beside {
    batch: Bytes,
    header: BatchHeader,
    partition: Partition,
    settings: TopicSettings,
    now_ms: i64,
}

impl Beside {
    /// The turn ends with the work, also when its client does not wait for it any more.
    async fn check(
        self: &Arc<Self>,
        turn: OwnedSemaphorePermit,
        limit: usize,
    ) -> Result<Result<(BatchHeader, Bytes), Refusal>, BatchError> {
        let this = self.clone();
        blocking(move || {
            let _turn = turn;
            let Self { batch, header, partition, settings, now_ms } = &*this;
            let times = record_batch::check_records(batch, header, limit)?;
            Ok(check_content(batch.clone(), *header, times, partition, settings, *now_ms))
        })
        .await
    }
}

/// One batch, and nothing behind it.
fn check_header(batch: &Bytes, version: i16) -> Result<BatchHeader, Refusal> {
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
        refused(code, error.to_string())
    })?;
    if header.size != batch.len() {
        let message = "one record batch per partition, and nothing behind it";
        return Err(refused(ErrorCode::InvalidRecord, message.into()));
    }
    if header.compression() == Ok(Compression::Zstd) && version < ZSTD_FROM {
        let message = format!("zstd needs Produce version {ZSTD_FROM}");
        return Err(refused(ErrorCode::UnsupportedCompressionType, message));
    }
    Ok(header)
}

/// Of a batch that holds records: stored without a look, it would be what no consumer gets past.
fn check_content(
    batch: Bytes,
    header: BatchHeader,
    times: RecordTimes,
    partition: &Partition,
    settings: &TopicSettings,
    now_ms: i64,
) -> Result<(BatchHeader, Bytes), Refusal> {
    if settings.cleanup_policy.compact {
        check_keys(&batch, partition)?;
    }
    if settings.message_timestamp_type == TimestampType::CreateTime {
        check_times(&batch, times, settings, now_ms)?;
    }
    as_stored(batch, header, times, settings)
}

fn check_size(batch: &Bytes, settings: &TopicSettings) -> Result<(), Refusal> {
    let (bytes, most) = (batch.len(), settings.max_message_bytes);
    if bytes > most {
        let message = format!("{bytes} bytes of records: at most {most} are taken");
        return Err(refused(ErrorCode::MessageTooLarge, message));
    }
    let segment = settings.segment_bytes;
    if bytes as u64 > segment {
        let message = format!("{bytes} bytes of records do not fit into a segment of {segment}");
        return Err(refused(ErrorCode::RecordListTooLarge, message));
    }
    Ok(())
}

/// Compaction keeps the last record of each key; one without a key could never be kept.
fn check_keys(batch: &Bytes, partition: &Partition) -> Result<(), Refusal> {
    let records = record_batch::decode_records(batch.clone(), MAX_DECOMPRESSED_BYTES).map_err(bad_records)?;
    let numbered = (0..).zip(&records).filter(|(_, record)| record.key.is_none());
    let message =
        format!("Compacted topic cannot accept message without key in topic partition {}.", partition.id);
    let numbered = numbered.take(MOST_TOLD);
    let records: Vec<(i32, String)> = numbered.map(|(number, _)| (number, message.clone())).collect();
    if records.is_empty() {
        return Ok(());
    }
    Err(Refusal { code: ErrorCode::InvalidRecord, message, records })
}

/// Of a clock that runs far ahead or behind, retention by time could make nothing.
fn check_times(
    batch: &Bytes,
    times: RecordTimes,
    settings: &TopicSettings,
    now_ms: i64,
) -> Result<(), Refusal> {
    let earliest = now_ms.saturating_sub(settings.message_timestamp_before_max_ms).max(0);
    let latest = now_ms.saturating_add(settings.message_timestamp_after_max_ms);
    if times.latest == -1 || (times.earliest >= earliest && times.latest <= latest) {
        return Ok(());
    }
    let records = record_batch::decode_records(batch.clone(), MAX_DECOMPRESSED_BYTES).map_err(bad_records)?;
    let wrong = (0..).zip(&records).filter_map(|(number, record)| {
        let timestamp = record.timestamp;
        let message = format!(
            "Timestamp {timestamp} of message with offset {number} is out of range. \
             The timestamp should be within [{earliest}, {latest}]"
        );
        (timestamp != -1 && !(earliest..=latest).contains(&timestamp)).then_some((number, message))
    });
    Err(Refusal {
        code: ErrorCode::InvalidTimestamp,
        message: "One or more records have been rejected due to invalid timestamp".into(),
        records: wrong.take(MOST_TOLD).collect(),
    })
}

/// With the codec that the topic asks for, and a header that says the times of its records: by it segments
/// grow old and are searched.
fn as_stored(
    mut batch: Bytes,
    mut header: BatchHeader,
    times: RecordTimes,
    settings: &TopicSettings,
) -> Result<(BatchHeader, Bytes), Refusal> {
    let mut changed = false;
    if header.log_append_time() || header.max_timestamp != times.latest {
        let mut honest = BytesMut::from(batch);
        record_batch::set_create_time(&mut honest, times.latest);
        (batch, changed) = (honest.freeze(), true);
    }
    if let Some(codec) = settings.compression_type
        && header.compression() != Ok(codec)
    {
        batch = record_batch::recompress(&batch, codec, MAX_DECOMPRESSED_BYTES).map_err(bad_records)?;
        check_size(&batch, settings)?;
        changed = true;
    }
    if changed {
        header = BatchHeader::peek(&batch).map_err(bad_records)?;
    }
    Ok((header, batch))
}

fn refused(code: ErrorCode, message: String) -> Refusal {
    Refusal { code, message, records: Vec::new() }
}

fn bad_records(error: BatchError) -> Refusal {
    let code = match error {
        BatchError::BadCompression(_) => ErrorCode::CorruptMessage,
        BatchError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        _ => ErrorCode::InvalidRecord,
    };
    refused(code, error.to_string())
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
        Pending::Refused(Refusal { code, message, records }) => {
            let error = |(batch_index, message)| BatchIndexAndErrorMessage {
                batch_index,
                batch_index_error_message: Some(message),
            };
            PartitionProduceResponse {
                record_errors: records.into_iter().map(error).collect(),
                ..failed(code, Some(message))
            }
        }
        Pending::Submitted(partition, receiver) => match answered(receiver).await {
            Ok(Appended { base_offset, log_start, log_append_time_ms, .. }) => PartitionProduceResponse {
                index,
                base_offset: base_offset.0,
                log_append_time_ms: log_append_time_ms.unwrap_or(-1),
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
