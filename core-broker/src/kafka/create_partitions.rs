//! CreatePartitions: more partitions for topics that exist.

use std::sync::Arc;

use broker_logic::{
    cluster::{Command, PlanError, is_internal_topic},
    ids::BrokerId,
};
use kafka_wire::{
    ErrorCode,
    messages::create_partitions::{
        CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
    },
};

use super::{create_topics::named_twice, errors::Refusal};
use crate::{broker::Shared, controller::ControllerError};

pub async fn handle(shared: Arc<Shared>, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut response = CreatePartitionsResponse::default();
    for topic in request.topics {
        let name = topic.name.clone();
        let done = if twice.contains(&name) {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else {
            create(&shared, topic, request.validate_only).await
        };
        let (error_code, error_message) = Refusal::parts(done);
        response.results.push(CreatePartitionsTopicResult { name, error_code, error_message });
    }
    response
}

async fn create(shared: &Shared, topic: CreatePartitionsTopic, validate_only: bool) -> Result<(), Refusal> {
    if is_internal_topic(&topic.name) {
        let message =
            format!("The topic {} is internal: a group is found by how many partitions it has.", topic.name);
        return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
    }
    let brokers = |ids: Vec<i32>| ids.into_iter().map(BrokerId).collect();
    let assignments = topic.assignments.map(|assignments| {
        assignments.into_iter().map(|assignment| brokers(assignment.broker_ids)).collect()
    });
    let command = Command::CreatePartitions { name: topic.name, total: topic.count, assignments };
    let done = match validate_only {
        true => shared.image().plan(&command, &shared.limits).map_err(ControllerError::Plan),
        false => shared.controller.run(command).await,
    };
    match done {
        Ok(_) => Ok(()),
        Err(ControllerError::Plan(PlanError::UnknownTopic { .. })) => {
            Err(Refusal::bare(ErrorCode::UnknownTopicOrPartition))
        }
        Err(error) => Err(Refusal::from(&error)),
    }
}
