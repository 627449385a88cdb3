//! CreateTopics.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::{
    cluster::{ClusterImage, Command, Layout, Limits, PlanError},
    ids::{BrokerId, TopicId},
};
use kafka_wire::{
    ErrorCode,
    messages::create_topics::{
        CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
    },
};
use uuid::Uuid;

use super::errors;
use crate::{broker::Shared, controller::ControllerError};

pub async fn handle(shared: Arc<Shared>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<String> = request
        .topics
        .iter()
        .filter(|topic| !seen.insert(topic.name.clone()))
        .map(|topic| topic.name.clone())
        .collect();
    let mut response = CreateTopicsResponse::default();
    for topic in request.topics {
        let result = if twice.contains(&topic.name) {
            failed(topic.name, ErrorCode::InvalidRequest, "the request names this topic twice".into())
        } else {
            create(&shared, topic, request.validate_only).await
        };
        response.topics.push(result);
    }
    response
}

async fn create(shared: &Shared, topic: CreatableTopic, validate_only: bool) -> CreatableTopicResult {
    let name = topic.name.clone();
    let command = match command(topic) {
        Ok(command) => command,
        Err(reason) => return failed(name, ErrorCode::InvalidReplicaAssignment, reason),
    };
    let result = if validate_only {
        planned(&shared.image(), &command).map_err(ControllerError::Plan)
    } else {
        shared.controller.run(command).await.map(|_| shared.image())
    };
    let image = match result {
        Ok(image) => image,
        Err(error) => return failed(name, errors::controller(&error), error.to_string()),
    };
    let created = image.topic(&name);
    CreatableTopicResult {
        name,
        topic_id: created.map_or(Uuid::nil(), |topic| topic.topic_id.0),
        num_partitions: created.map_or(-1, |topic| topic.partition_count() as i32),
        replication_factor: created
            .and_then(|topic| topic.partitions().next())
            .map_or(-1, |(_, state)| state.replicas.len() as i16),
        configs: Some(Vec::new()),
        ..Default::default()
    }
}

/// The cluster as it would be: what is only validated is described as if it had been created.
fn planned(image: &ClusterImage, command: &Command) -> Result<Arc<ClusterImage>, PlanError> {
    let records = image.plan(command, &Limits::default())?;
    let mut image = image.clone();
    for record in &records {
        image.apply(record).expect("what was planned on an image can be applied to it");
    }
    Ok(Arc::new(image))
}

fn command(topic: CreatableTopic) -> Result<Command, String> {
    let layout = if topic.assignments.is_empty() {
        Layout::Automatic {
            partitions: Some(topic.num_partitions).filter(|count| *count != -1),
            replication_factor: Some(topic.replication_factor).filter(|factor| *factor != -1),
        }
    } else {
        let mut assignments = topic.assignments;
        assignments.sort_by_key(|assignment| assignment.partition_index);
        let in_order =
            assignments.iter().zip(0..).all(|(assignment, index)| assignment.partition_index == index);
        if !in_order {
            return Err("assigned partitions must be numbered from 0 without a gap".into());
        }
        let replicas = |ids: Vec<i32>| ids.into_iter().map(BrokerId).collect();
        Layout::Manual(assignments.into_iter().map(|assignment| replicas(assignment.broker_ids)).collect())
    };
    let configs = topic.configs.into_iter().map(|config| (config.name, config.value)).collect();
    Ok(Command::CreateTopic { name: topic.name, topic_id: TopicId(Uuid::new_v4()), layout, configs })
}

fn failed(name: String, error_code: ErrorCode, message: String) -> CreatableTopicResult {
    CreatableTopicResult { name, error_code, error_message: Some(message), ..Default::default() }
}
