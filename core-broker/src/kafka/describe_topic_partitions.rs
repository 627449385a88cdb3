//! DescribeTopicPartitions: topics page by page, with the eligible leader replicas (KIP-966).

use std::{collections::BTreeSet, ops::Range};

use broker_logic::{
    cluster::{PagedTopic, Position, Topic, is_internal_topic, validate_topic_name},
    ids::BrokerId,
};
use kafka_wire::{
    ErrorCode,
    messages::describe_topic_partitions::{
        Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
    },
};

use super::authorized_operations;
use crate::broker::Shared;

/// Kafka's `max.request.partition.size.limit`.
const MAX_PARTITIONS: i32 = 2_000;

pub fn handle(shared: &Shared, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let named: BTreeSet<&str> = request.topics.iter().map(|topic| topic.name.as_str()).collect();
    let Some(from) = position(request.cursor.as_ref(), &named) else {
        let refused = |topic: &TopicRequest| DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::InvalidRequest,
            name: Some(topic.name.clone()),
            ..Default::default()
        };
        let topics = request.topics.iter().map(refused).collect();
        return DescribeTopicPartitionsResponse { topics, ..Default::default() };
    };
    let image = shared.image();
    let limit = request.response_partition_limit.clamp(1, MAX_PARTITIONS) as usize;
    let page = image.page(Some(&named).filter(|named| !named.is_empty()), from, limit);
    let topics = page.topics.iter().map(|topic| match topic {
        PagedTopic::Found { topic, partitions } => described(topic, partitions.clone()),
        PagedTopic::Unknown { name } if validate_topic_name(name).is_err() => {
            failed(name, ErrorCode::InvalidTopicException)
        }
        PagedTopic::Unknown { name } => failed(name, ErrorCode::UnknownTopicOrPartition),
    });
    DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        next_cursor: page
            .next
            .map(|next| Cursor { topic_name: next.topic.to_owned(), partition_index: next.partition as i32 }),
        ..Default::default()
    }
}

/// Where the page begins; `None` if the cursor makes no sense: it names a topic that was asked for.
fn position<'a>(cursor: Option<&'a Cursor>, named: &BTreeSet<&str>) -> Option<Position<'a>> {
    let Some(cursor) = cursor else { return Some(Position { topic: "", partition: 0 }) };
    let asked_for = named.is_empty() || named.contains(cursor.topic_name.as_str());
    let partition = usize::try_from(cursor.partition_index).ok()?;
    asked_for.then_some(Position { topic: &cursor.topic_name, partition })
}

fn described(topic: &Topic, partitions: Range<usize>) -> DescribeTopicPartitionsResponseTopic {
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    let page = topic.partitions().skip(partitions.start).take(partitions.len());
    let partitions = page.map(|(index, state)| DescribeTopicPartitionsResponsePartition {
        error_code: if state.leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        partition_index: index.0,
        leader_id: state.leader.map_or(-1, |leader| leader.0),
        leader_epoch: state.leader_epoch.0,
        replica_nodes: ids(&state.replicas),
        isr_nodes: ids(&state.isr),
        eligible_leader_replicas: Some(ids(&state.elr)),
        last_known_elr: Some(Vec::new()),
        offline_replicas: Vec::new(),
    });
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.topic_id.0,
        is_internal: is_internal_topic(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: authorized_operations::TOPIC,
        ..Default::default()
    }
}

fn failed(name: &str, error_code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name.to_owned()),
        is_internal: is_internal_topic(name),
        topic_authorized_operations: authorized_operations::TOPIC,
        ..Default::default()
    }
}
