//! OffsetDelete: a group forgets topics that its members do not ask for.

use std::sync::Arc;

use broker_logic::{
    groups::{Answer, Request},
    ids::TopicPartition,
};
use kafka_wire::{
    ErrorCode,
    messages::offset_delete::{
        OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
    },
};

use super::{ask, unexpected};
use crate::broker::Shared;

pub async fn handle(shared: Arc<Shared>, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let image = shared.image();
    let mut response = OffsetDeleteResponse::default();
    let mut partitions = Vec::new();
    for topic in request.topics {
        let found = image.topic(&topic.name);
        let mut rows = Vec::new();
        for one in topic.partitions {
            let known = found.filter(|topic| topic.partition(one.partition_index.into()).is_some());
            let error_code = match known {
                Some(topic) => {
                    partitions.push(TopicPartition::new(topic.name.clone(), one.partition_index));
                    ErrorCode::None
                }
                None => ErrorCode::UnknownTopicOrPartition,
            };
            rows.push(OffsetDeleteResponsePartition { partition_index: one.partition_index, error_code });
        }
        response.topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions: rows });
    }
    let failed = match ask(&shared, Request::DeleteOffsets { group_id: request.group_id, partitions }).await {
        Ok(Answer::DeleteOffsets(Ok(results))) => {
            let asked_for = (response.topics.iter_mut())
                .flat_map(|topic| &mut topic.partitions)
                .filter(|partition| partition.error_code.is_ok());
            for (partition, (_, result)) in asked_for.zip(results) {
                partition.error_code = result.err().map_or(ErrorCode::None, ErrorCode::from);
            }
            return response;
        }
        Ok(Answer::DeleteOffsets(Err(error))) => error.into(),
        other => unexpected(other),
    };
    OffsetDeleteResponse { error_code: failed, ..Default::default() }
}
