//! ListOffsets: the ends of a log, the first record at a time or later, or the record of the latest time.

use std::sync::Arc;

use broker_logic::ids::{LeaderEpoch, Offset};
use commit_log::ReadError;
use kafka_wire::{
    ErrorCode,
    messages::list_offsets::{
        EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP,
        LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsPartitionResponse,
        ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse, MAX_TIMESTAMP,
    },
    record_batch,
};

use super::{errors, fetch::check_epoch, repeated::repeated};
use crate::{
    broker::Shared,
    partition::{Partition, blocking},
};

/// A batch of records decompresses to at most this; larger ones answer with their first offset.
const MAX_BATCH_BYTES: usize = 64 << 20;

pub async fn handle(shared: Arc<Shared>, version: i16, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let mut response = ListOffsetsResponse::default();
    let named = request.topics.iter().flat_map(|topic| {
        let name: Arc<str> = topic.name.as_str().into();
        topic.partitions.iter().map(move |asked| (name.clone(), asked.partition_index))
    });
    let mut repeated = repeated(named);
    for topic in request.topics {
        let mut partitions = Vec::new();
        let name: Arc<str> = topic.name.as_str().into();
        for asked in topic.partitions {
            let named = (name.clone(), asked.partition_index);
            // Refused once, and not looked for.
            if let Some(is_told) = repeated.get_mut(&named) {
                if !std::mem::replace(is_told, true) {
                    partitions.push(failed(asked.partition_index, ErrorCode::InvalidRequest));
                }
                continue;
            }
            partitions.push(match shared.partition(&topic.name, asked.partition_index) {
                Some(partition) => answer(&shared, partition, version, asked).await,
                None => {
                    let image = shared.image();
                    let not_open = |found| errors::not_open(found, asked.partition_index);
                    let error = image.topic(&topic.name).map_or(ErrorCode::UnknownTopicOrPartition, not_open);
                    failed(asked.partition_index, error)
                }
            });
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
    }
    response
}

async fn answer(
    shared: &Shared,
    partition: Partition,
    version: i16,
    asked: ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let view = partition.view();
    let index = asked.partition_index;
    if let Some(error) = check_epoch(LeaderEpoch(asked.current_leader_epoch), view.leader_epoch) {
        return failed(index, error);
    }
    let found = match asked.timestamp {
        LATEST_TIMESTAMP => Ok(Some((view.high_watermark.0, -1))),
        EARLIEST_TIMESTAMP => Ok(Some((view.log_start.0, -1))),
        EARLIEST_LOCAL_TIMESTAMP if version >= 8 => Ok(Some((view.log_start.0, -1))),
        MAX_TIMESTAMP if version >= 7 => blocking_lookup(shared, &partition, newest).await,
        // Nothing is kept anywhere but on local disks.
        LATEST_TIERED_TIMESTAMP if version >= 9 => Ok(None),
        EARLIEST_PENDING_UPLOAD_TIMESTAMP if version >= 11 => Ok(None),
        timestamp if timestamp >= 0 => {
            blocking_lookup(shared, &partition, move |reader, end| first_at(reader, timestamp, end)).await
        }
        _ => return failed(index, ErrorCode::UnsupportedVersion),
    };
    match found {
        Ok(Some((offset, timestamp))) => ListOffsetsPartitionResponse {
            partition_index: index,
            offset,
            timestamp,
            // The epoch of the record there, not the leader's; -1 for an empty partition.
            leader_epoch: partition.reader().epoch_at(offset).unwrap_or(-1),
            ..Default::default()
        },
        Ok(None) => ListOffsetsPartitionResponse { partition_index: index, ..Default::default() },
        Err(error) => failed(index, errors::read(&error)),
    }
}

type Reader = commit_log::LogReader<commit_log::RealDisk>;
type Found = Result<Option<(i64, i64)>, ReadError>;

/// In turn: a batch is decompressed and decoded for it.
async fn blocking_lookup(
    shared: &Shared,
    partition: &Partition,
    look_up: impl FnOnce(&Reader, Offset) -> Found + Send + 'static,
) -> Found {
    let (reader, end) = (partition.reader(), partition.view().high_watermark);
    let turn = shared.connections.decompression().await;
    blocking(move || {
        let _turn = turn;
        look_up(&reader, end)
    })
    .await
}

/// The log finds the batch; its records say which of them.
fn first_at(reader: &Reader, timestamp: i64, end: Offset) -> Found {
    let Some(found) = reader.offset_for_timestamp(timestamp)? else { return Ok(None) };
    if found.base_offset >= end.0 {
        return Ok(None);
    }
    let record = first_record(reader, found.base_offset, end, |time| time >= timestamp)?;
    Ok(Some(record.unwrap_or((found.base_offset, found.max_timestamp))))
}

/// The first record of the latest time (KIP-734).
fn newest(reader: &Reader, end: Offset) -> Found {
    let Some(found) = reader.max_timestamp(end.0)? else { return Ok(None) };
    let record = first_record(reader, found.base_offset, end, |time| time == found.max_timestamp)?;
    Ok(Some(record.unwrap_or((found.base_offset, found.max_timestamp))))
}

/// Offset and time of the first record of a batch whose time is wanted.
fn first_record(reader: &Reader, base_offset: i64, end: Offset, wanted: impl Fn(i64) -> bool) -> Found {
    // The log may begin in the middle of the batch.
    let start = base_offset.max(reader.log_start());
    let bytes = reader.read(start, end.0, 1, true)?;
    let records = record_batch::decode_records(bytes, MAX_BATCH_BYTES).unwrap_or_default();
    let mut records = records.iter().filter(|record| record.offset >= start);
    Ok(records.find(|record| wanted(record.timestamp)).map(|record| (record.offset, record.timestamp)))
}

fn failed(partition_index: i32, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() }
}
