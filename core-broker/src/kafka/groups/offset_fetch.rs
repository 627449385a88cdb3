//! OffsetFetch: what groups have committed, by name or by id; several groups at once from version 8 on.
//! `require_stable` changes nothing while there are no transactions: every offset is stable.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use broker_logic::{
    cluster::ClusterImage,
    groups::{Answer, FetchedOffset, Request},
    ids::{TopicId, TopicPartition},
};
use kafka_wire::{
    ErrorCode,
    messages::offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
        OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
        OffsetFetchResponseTopics,
    },
};

use super::{MAX_ANSWER_BYTES, ask, unexpected};
use crate::broker::Shared;

const BATCHED_FROM: i16 = 8;
const TOPIC_ID_FROM: i16 = 10;

pub async fn handle(shared: Arc<Shared>, version: i16, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if version < BATCHED_FROM {
        return one_group(&shared, version, request).await;
    }
    let mut response = OffsetFetchResponse::default();
    let mut bytes = 0;
    // A group may be asked for again with other topics, as Apache Kafka allows.
    for group in request.groups {
        let group = match version {
            _ if bytes > MAX_ANSWER_BYTES => OffsetFetchResponseGroup {
                group_id: group.group_id,
                error_code: ErrorCode::CoordinatorLoadInProgress,
                ..Default::default()
            },
            TOPIC_ID_FROM.. => by_id(&shared, group).await,
            _ => by_name(&shared, group).await,
        };
        bytes += group.topics.iter().flat_map(|topic| &topic.partitions).map(row_bytes).sum::<usize>();
        response.groups.push(group);
    }
    response
}

fn row_bytes(row: &OffsetFetchResponsePartitions) -> usize {
    size_of_val(row) + row.metadata.as_ref().map_or(0, String::len)
}

async fn one_group(shared: &Shared, version: i16, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let asked = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| (topic.name.as_str(), topic.partition_indexes.as_slice()));
        partitions(topics)
    });
    match fetched(shared, request.group_id, asked).await {
        Ok(offsets) => {
            let topics = by_topic(offsets).into_iter().map(|(name, offsets)| OffsetFetchResponseTopic {
                name: name.to_string(),
                partitions: offsets.into_iter().map(old_row).collect(),
            });
            OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
        }
        Err(error_code) if version >= 2 => OffsetFetchResponse { error_code, ..Default::default() },
        // Before it had an error of its own, every partition of the answer had it.
        Err(error_code) => {
            let failed = |index: i32| OffsetFetchResponsePartition {
                partition_index: index,
                committed_offset: -1,
                metadata: Some(String::new()),
                error_code,
                ..Default::default()
            };
            let topics = request.topics.into_iter().flatten().map(|topic| OffsetFetchResponseTopic {
                name: topic.name,
                partitions: topic.partition_indexes.into_iter().map(failed).collect(),
            });
            OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
        }
    }
}

async fn by_name(shared: &Shared, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let asked = group.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| (topic.name.as_str(), topic.partition_indexes.as_slice()));
        partitions(topics)
    });
    answer(group.group_id.clone(), fetched(shared, group.group_id, asked).await, |name, partitions| {
        Some(OffsetFetchResponseTopics { name: name.to_owned(), partitions, ..Default::default() })
    })
}

/// Topics whose id is not known are answered as such; in the answer to "all", they are left out.
async fn by_id(shared: &Shared, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let image = shared.image();
    let mut unknown = Vec::new();
    let asked = group.topics.map(|topics| {
        let mut known = Vec::new();
        for topic in topics {
            match image.topic_by_id(TopicId(topic.topic_id)) {
                Some(found) => known.push((found.name.clone(), topic.partition_indexes)),
                None => unknown.push(topic),
            }
        }
        partitions(known.iter().map(|(name, indexes)| (&**name, indexes.as_slice())))
    });
    let nothing_known = asked.as_ref().is_some_and(Vec::is_empty) && !unknown.is_empty();
    let fetched = match nothing_known {
        true => Ok(Vec::new()),
        false => fetched(shared, group.group_id.clone(), asked).await,
    };
    let mut group = answer(group.group_id, fetched, |name, partitions| with_id(&image, name, partitions));
    if group.error_code.is_ok() {
        group.topics.extend(unknown.into_iter().map(|topic| OffsetFetchResponseTopics {
            topic_id: topic.topic_id,
            partitions: topic.partition_indexes.into_iter().map(of_unknown_topic).collect(),
            ..Default::default()
        }));
    }
    group
}

fn with_id(
    image: &ClusterImage,
    name: &str,
    partitions: Vec<OffsetFetchResponsePartitions>,
) -> Option<OffsetFetchResponseTopics> {
    let topic_id = image.topic(name)?.topic_id.0;
    Some(OffsetFetchResponseTopics { topic_id, partitions, ..Default::default() })
}

fn of_unknown_topic(index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: -1,
        metadata: Some(String::new()),
        error_code: ErrorCode::UnknownTopicId,
        ..Default::default()
    }
}

fn answer(
    group_id: String,
    fetched: Result<Vec<FetchedOffset>, ErrorCode>,
    topic: impl Fn(&str, Vec<OffsetFetchResponsePartitions>) -> Option<OffsetFetchResponseTopics>,
) -> OffsetFetchResponseGroup {
    match fetched {
        Ok(offsets) => {
            let topics = by_topic(offsets)
                .into_iter()
                .filter_map(|(name, offsets)| topic(&name, offsets.into_iter().map(row).collect()));
            OffsetFetchResponseGroup { group_id, topics: topics.collect(), ..Default::default() }
        }
        Err(error_code) => OffsetFetchResponseGroup { group_id, error_code, ..Default::default() },
    }
}

/// Each once, however often it is named.
fn partitions<'a>(topics: impl Iterator<Item = (&'a str, &'a [i32])>) -> Vec<TopicPartition> {
    let mut seen = BTreeSet::new();
    let of_topic = |(name, indexes): (&str, &'a [i32])| {
        let name: Arc<str> = name.into();
        indexes.iter().map(move |index| TopicPartition::new(name.clone(), *index))
    };
    topics.flat_map(of_topic).filter(|it| seen.insert(it.clone())).collect()
}

async fn fetched(
    shared: &Shared,
    group_id: String,
    partitions: Option<Vec<TopicPartition>>,
) -> Result<Vec<FetchedOffset>, ErrorCode> {
    match ask(shared, Request::FetchOffsets { group_id, partitions }).await {
        Ok(Answer::FetchOffsets(result)) => result.map_err(ErrorCode::from),
        other => Err(unexpected(other)),
    }
}

fn by_topic(offsets: Vec<FetchedOffset>) -> BTreeMap<Arc<str>, Vec<FetchedOffset>> {
    let mut topics = BTreeMap::<Arc<str>, Vec<FetchedOffset>>::new();
    for offset in offsets {
        topics.entry(offset.partition.topic.clone()).or_default().push(offset);
    }
    topics
}

fn old_row(offset: FetchedOffset) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: offset.partition.partition.0,
        committed_offset: offset.offset.0,
        committed_leader_epoch: offset.leader_epoch.0,
        metadata: Some(offset.metadata),
        error_code: ErrorCode::None,
    }
}

fn row(offset: FetchedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: offset.partition.partition.0,
        committed_offset: offset.offset.0,
        committed_leader_epoch: offset.leader_epoch.0,
        metadata: Some(offset.metadata),
        error_code: ErrorCode::None,
    }
}
