//! CreateTopics.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::{
    cluster::{ClusterImage, Command, Configs, Layout, TOPIC_CONFIGS, Topic},
    ids::{BrokerId, TopicId},
};
use kafka_wire::{
    ErrorCode,
    messages::create_topics::{
        CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
        CreateTopicsResponse,
    },
};
use uuid::Uuid;

use super::errors::Refusal;
use crate::{broker::Shared, controller::ControllerError};

/// -1: as the broker has it, or as the assignments say.
const NOT_SAID: i16 = -1;

pub async fn handle(shared: Arc<Shared>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut response = CreateTopicsResponse::default();
    // An answer describes each with all its configs.
    let too_many = request.topics.len() > shared.limits.max_partitions;
    for topic in request.topics {
        let name = topic.name.clone();
        let result = if twice.contains(&name) {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else if too_many {
            Err(Refusal::new(ErrorCode::PolicyViolation, "More topics than a cluster may have partitions."))
        } else {
            create(&shared, topic, request.validate_only).await
        };
        response.topics.push(result.unwrap_or_else(|refusal| failed(name, refusal)));
    }
    response
}

/// Names that stand in a request more than once.
pub fn named_twice<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
}

async fn create(
    shared: &Shared,
    topic: CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, Refusal> {
    let name = topic.name.clone();
    let command = command(topic)?;
    // What is only validated is described as if it had been created.
    let image = if validate_only {
        let image = shared.image();
        let records = image.plan(&command, &shared.limits).map_err(ControllerError::Plan);
        let records = records.map_err(|error| Refusal::from(&error))?;
        Arc::new(image.sketch(&records).expect("what was planned can be applied"))
    } else {
        let created = shared.controller.run(command).await;
        created.map_err(|error| Refusal::from(&error))?;
        shared.image()
    };
    // It may be gone again.
    let topic = image.topic(&name).ok_or(Refusal::bare(ErrorCode::UnknownTopicOrPartition))?;
    Ok(described(shared, &image, topic))
}

fn described(shared: &Shared, image: &ClusterImage, topic: &Topic) -> CreatableTopicResult {
    let configs = Configs::new(image, shared.me, &shared.static_configs);
    let configs = TOPIC_CONFIGS.iter().map(|config| {
        let effective = configs.topic_effective(topic, config);
        CreatableTopicConfigs {
            name: config.key.to_owned(),
            config_source: effective.source.code(),
            value: effective.value.map(Into::into),
            read_only: false,
            is_sensitive: false,
        }
    });
    CreatableTopicResult {
        name: topic.name.to_string(),
        topic_id: topic.topic_id.0,
        num_partitions: topic.partition_count() as i32,
        replication_factor: topic.partitions().next().map_or(-1, |(_, state)| state.replicas.len() as i16),
        configs: Some(configs.collect()),
        ..Default::default()
    }
}

fn command(topic: CreatableTopic) -> Result<Command, Refusal> {
    let layout = if topic.assignments.is_empty() {
        Layout::Automatic {
            partitions: Some(topic.num_partitions).filter(|count| *count != i32::from(NOT_SAID)),
            replication_factor: Some(topic.replication_factor).filter(|factor| *factor != NOT_SAID),
        }
    } else {
        manual_layout(&topic)?
    };
    let configs = topic.configs.into_iter().map(|config| (config.name, config.value)).collect();
    Ok(Command::CreateTopic { name: topic.name, topic_id: TopicId(Uuid::new_v4()), layout, configs })
}

fn manual_layout(topic: &CreatableTopic) -> Result<Layout, Refusal> {
    let invalid = |told| Err(Refusal::new(ErrorCode::InvalidRequest, told));
    if topic.replication_factor != NOT_SAID {
        return invalid(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        );
    }
    if topic.num_partitions != i32::from(NOT_SAID) {
        return invalid("A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    let mut assignments: Vec<_> = topic.assignments.iter().collect();
    assignments.sort_by_key(|assignment| assignment.partition_index);
    let in_order = assignments.iter().zip(0..).all(|(assignment, index)| assignment.partition_index == index);
    if !in_order {
        let told = "partitions should be a consecutive 0-based integer sequence";
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, told));
    }
    let replicas = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    let layout = assignments.into_iter().map(|assignment| replicas(&assignment.broker_ids));
    Ok(Layout::Manual(layout.collect()))
}

fn failed(name: String, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: refusal.code,
        error_message: refusal.message,
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
