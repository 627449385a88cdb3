//! DeleteTopics: the topic is gone when the answer comes; its bytes go later.

use std::{collections::BTreeMap, sync::Arc};

use broker_logic::{
    cluster::{ClusterImage, Command, is_internal_topic},
    ids::TopicId,
};
use kafka_wire::{
    ErrorCode,
    messages::delete_topics::{
        DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
    },
};
use uuid::Uuid;

use super::errors;
use crate::broker::Shared;

/// What a client calls a topic: by the one or by the other.
type Asked = (Option<String>, Uuid);

/// The code, and why in words.
type Refusal = (ErrorCode, String);

pub async fn handle(shared: Arc<Shared>, version: i16, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let asked: Vec<Asked> = match version {
        6.. => {
            request.topics.into_iter().map(|DeleteTopicState { name, topic_id }| (name, topic_id)).collect()
        }
        _ => request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil())).collect(),
    };
    let mut times: BTreeMap<Asked, usize> = BTreeMap::new();
    for topic in &asked {
        *times.entry(topic.clone()).or_default() += 1;
    }
    let mut response = DeleteTopicsResponse::default();
    for (topic, times) in times {
        let found = find(&shared.image(), &topic, times);
        let result = match found {
            Ok((name, topic_id)) => delete(&shared, topic_id).await.map(|()| (name, topic_id)),
            Err(refusal) => Err(refusal),
        };
        response.responses.push(answer(topic, result));
    }
    response
}

fn find(image: &ClusterImage, asked: &Asked, times: usize) -> Result<(String, TopicId), Refusal> {
    let invalid = |message: &str| Err((ErrorCode::InvalidRequest, message.to_owned()));
    let topic = match asked {
        (None, id) if id.is_nil() => return invalid("Neither topic name nor id were specified."),
        (Some(_), id) if !id.is_nil() => return invalid("You may not specify both topic name and topic id."),
        (Some(_), _) if times > 1 => return invalid("Duplicate topic name."),
        (None, _) if times > 1 => return invalid("Duplicate topic id."),
        (Some(name), _) => image.topic(name).ok_or_else(|| {
            let message = "This server does not host this topic-partition.";
            (ErrorCode::UnknownTopicOrPartition, message.to_owned())
        })?,
        (None, id) => image.topic_by_id(TopicId(*id)).ok_or_else(|| {
            let message = "This server does not host this topic ID.";
            (ErrorCode::UnknownTopicId, message.to_owned())
        })?,
    };
    if is_internal_topic(&topic.name) {
        let message =
            format!("The topic {} is internal: every group on this broker lives in it.", topic.name);
        return Err((ErrorCode::InvalidTopicException, message));
    }
    Ok((topic.name.to_string(), topic.topic_id))
}

async fn delete(shared: &Shared, topic_id: TopicId) -> Result<(), Refusal> {
    let deleted = shared.controller.run(Command::DeleteTopic { topic_id }).await;
    deleted.map_err(|error| (errors::controller(&error), error.to_string()))?;
    Ok(())
}

fn answer(asked: Asked, result: Result<(String, TopicId), Refusal>) -> DeletableTopicResult {
    match result {
        Ok((name, topic_id)) => {
            DeletableTopicResult { name: Some(name), topic_id: topic_id.0, ..Default::default() }
        }
        Err((error_code, message)) => {
            let (name, topic_id) = asked;
            DeletableTopicResult { name, topic_id, error_code, error_message: Some(message) }
        }
    }
}
