//! OffsetCommit: offsets of partitions that exist, by name or by id.

use std::sync::Arc;

use broker_logic::{
    groups::{Answer, CommitRequest, OffsetToCommit, Request},
    ids::{LeaderEpoch, Offset, TopicId, TopicPartition},
};
use kafka_wire::{
    ErrorCode,
    messages::offset_commit::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
    },
};

use super::{ask, unexpected};
use crate::broker::Shared;

const TOPIC_ID_FROM: i16 = 10;

pub async fn handle(shared: Arc<Shared>, version: i16, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let image = shared.image();
    let mut response = OffsetCommitResponse::default();
    let mut offsets = Vec::new();
    for topic in request.topics {
        let named = match version {
            TOPIC_ID_FROM.. => image.topic_by_id(TopicId(topic.topic_id)),
            _ => image.topic(&topic.name),
        };
        let mut partitions = Vec::new();
        for one in topic.partitions {
            let known = named
                .filter(|topic| topic.partition(one.partition_index.into()).is_some())
                .map(|topic| topic.name.clone());
            let error_code = match known {
                Some(name) => {
                    offsets.push(OffsetToCommit {
                        partition: TopicPartition::new(name, one.partition_index),
                        offset: Offset(one.committed_offset),
                        leader_epoch: LeaderEpoch(one.committed_leader_epoch),
                        metadata: one.committed_metadata.unwrap_or_default(),
                    });
                    ErrorCode::None
                }
                None if version >= TOPIC_ID_FROM && named.is_none() => ErrorCode::UnknownTopicId,
                None => ErrorCode::UnknownTopicOrPartition,
            };
            partitions
                .push(OffsetCommitResponsePartition { partition_index: one.partition_index, error_code });
        }
        response.topics.push(OffsetCommitResponseTopic {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions,
        });
    }
    if offsets.is_empty() {
        return response;
    }
    let asked = Request::CommitOffsets(CommitRequest {
        group_id: request.group_id,
        generation: request.generation_id_or_member_epoch,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        retention_ms: Some(request.retention_time_ms).filter(|ms| *ms >= 0),
        offsets,
    });
    // What the coordinator was asked about, in the order in which it answers.
    let asked_for = (response.topics.iter_mut())
        .flat_map(|topic| &mut topic.partitions)
        .filter(|partition| partition.error_code.is_ok());
    match ask(&shared, asked).await {
        Ok(Answer::CommitOffsets(results)) => {
            for (partition, (_, result)) in asked_for.zip(results) {
                partition.error_code = result.err().map_or(ErrorCode::None, ErrorCode::from);
            }
        }
        other => {
            let failed = unexpected(other);
            asked_for.for_each(|partition| partition.error_code = failed);
        }
    }
    response
}
