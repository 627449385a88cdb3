//! Fetch with long poll: answered when there is enough to read, when something is wrong, or when the
//! client has waited as long as it said.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use broker_logic::ids::{LeaderEpoch, Offset, TopicId};
use kafka_wire::{
    ErrorCode, Records,
    messages::fetch::{
        FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
    },
};
use tokio::time::{Instant, timeout_at};

use super::errors;
use crate::{broker::Shared, partition::Partition};

/// `fetch.max.bytes` of the broker: what one answer may hold whatever the client asks for.
const MAX_BYTES: usize = 55 << 20;

/// A client that asks to wait for longer is answered by then, empty.
const MAX_WAIT: Duration = Duration::from_secs(60);

pub async fn handle(shared: Arc<Shared>, version: i16, request: FetchRequest) -> FetchResponse {
    let wait = Duration::from_millis(request.max_wait_ms.max(0) as u64).min(MAX_WAIT);
    let until = Instant::now() + wait;
    let min_bytes = request.min_bytes.max(0) as usize;
    loop {
        // What changes from here on wakes the wait below, so nothing is missed between the two.
        let mut watched = watched(&shared, version, &request);
        let (response, bytes, wrong) = read(&shared, version, &request).await;
        if bytes >= min_bytes || wrong || Instant::now() >= until || watched.is_empty() {
            return response;
        }
        if timeout_at(until, any_change(&mut watched)).await.is_err() {
            return response;
        }
    }
}

fn named<'a>(
    shared: &Shared,
    version: i16,
    request: &'a FetchRequest,
) -> impl Iterator<Item = (Option<Partition>, &'a FetchPartition)> {
    let image = shared.image();
    let partitions = shared.partitions.clone();
    request.topics.iter().flat_map(move |topic| {
        let found = match version {
            13.. => image.topic_by_id(TopicId(topic.topic_id)),
            _ => image.topic(&topic.topic),
        };
        let name = found.map(|found| found.name.clone());
        let partitions = partitions.clone();
        topic.partitions.iter().map(move |asked| {
            let id = name.clone().map(|name| broker_logic::ids::TopicPartition::new(name, asked.partition));
            (id.and_then(|id| partitions.get(&id)), asked)
        })
    })
}

type Watched = Vec<tokio::sync::watch::Receiver<crate::partition::View>>;

fn watched(shared: &Shared, version: i16, request: &FetchRequest) -> Watched {
    named(shared, version, request)
        .filter_map(|(partition, _)| {
            let mut view = partition?.view.clone();
            view.mark_unchanged();
            Some(view)
        })
        .collect()
}

/// Until one of them moves.
async fn any_change(watched: &mut Watched) {
    let mut changes: Vec<_> = watched.iter_mut().map(|view| Box::pin(view.changed())).collect();
    poll_fn(|context| {
        let moved = changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready());
        if moved { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Reads each partition in the order of the request; the answer, its bytes of records, and whether some
/// partition has an error that the client should hear at once.
async fn read(shared: &Shared, version: i16, request: &FetchRequest) -> (FetchResponse, usize, bool) {
    let budget = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_BYTES);
    let mut response = FetchResponse::default();
    let (mut bytes, mut wrong) = (0, false);
    let mut partitions = named(shared, version, request);
    for topic in &request.topics {
        let mut answers = Vec::new();
        for _ in &topic.partitions {
            let Some((partition, asked)) = partitions.next() else { continue };
            let answer = match partition {
                None => failed(
                    asked.partition,
                    if version >= 13 {
                        ErrorCode::UnknownTopicId
                    } else {
                        ErrorCode::UnknownTopicOrPartition
                    },
                ),
                Some(partition) => {
                    let room = budget.saturating_sub(bytes);
                    read_partition(shared, &partition, asked, room, bytes == 0).await
                }
            };
            bytes += answer.records.len();
            wrong |= answer.error_code != ErrorCode::None;
            answers.push(answer);
        }
        response.responses.push(FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: answers,
        });
    }
    (response, bytes, wrong)
}

async fn read_partition(
    shared: &Shared,
    partition: &Partition,
    asked: &FetchPartition,
    room: usize,
    first: bool,
) -> PartitionData {
    let view = partition.view();
    let mut answer = PartitionData {
        partition_index: asked.partition,
        high_watermark: view.high_watermark.0,
        // Without transactions everything below the high watermark is stable.
        last_stable_offset: view.high_watermark.0,
        log_start_offset: view.log_start.0,
        ..Default::default()
    };
    let epoch_error = check_epoch(LeaderEpoch(asked.current_leader_epoch), view.leader_epoch);
    let error = match epoch_error {
        Some(error) => Some(error),
        None => {
            let max_bytes = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room);
            let offset = Offset(asked.fetch_offset);
            if offset == view.high_watermark {
                None
            } else if offset > view.high_watermark || offset < view.log_start {
                Some(ErrorCode::OffsetOutOfRange)
            } else {
                match partition.read(offset, max_bytes, first).await {
                    Ok(records) => {
                        answer.records = Records::from(records);
                        None
                    }
                    Err(error) => {
                        tracing::warn!(partition = %partition.id, %error, "fetch failed");
                        Some(errors::read(&error))
                    }
                }
            }
        }
    };
    if let Some(error) = error {
        answer.error_code = error;
        answer.current_leader =
            LeaderIdAndEpoch { leader_id: shared.me.0, leader_epoch: view.leader_epoch.0 };
    }
    answer
}

/// KIP-320: a client that knows another epoch looks again before it reads.
pub fn check_epoch(asked: LeaderEpoch, current: LeaderEpoch) -> Option<ErrorCode> {
    if asked == LeaderEpoch::UNKNOWN || asked == current {
        None
    } else if asked < current {
        Some(ErrorCode::FencedLeaderEpoch)
    } else {
        Some(ErrorCode::UnknownLeaderEpoch)
    }
}

fn failed(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData { partition_index, error_code, high_watermark: -1, ..Default::default() }
}
