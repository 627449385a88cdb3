//! AlterPartitionReassignments: partitions stay where they are, and the answer says why.

use broker_logic::{
    cluster::ReassignmentError,
    ids::{BrokerId, PartitionIndex},
};
use kafka_wire::{
    ErrorCode,
    messages::alter_partition_reassignments::{
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
        ReassignablePartitionResponse, ReassignableTopicResponse,
    },
};

use super::errors::Refusal;
use crate::broker::Shared;

pub fn handle(
    shared: &Shared,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let image = shared.image();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let partition = PartitionIndex(asked.partition_index);
            let replicas: Option<Vec<BrokerId>> =
                asked.replicas.map(|replicas| replicas.into_iter().map(BrokerId).collect());
            let checked = image.check_reassignment(&topic.name, partition, replicas.as_deref());
            let refused = checked.map_err(|error| match error {
                // Its code says it all, in Kafka as well.
                ReassignmentError::NoneInProgress => Refusal::bare(ErrorCode::from(&error)),
                error => Refusal::new(ErrorCode::from(&error), error.to_string()),
            });
            let (error_code, error_message) = Refusal::parts(refused);
            ReassignablePartitionResponse {
                partition_index: asked.partition_index,
                error_code,
                error_message,
            }
        });
        ReassignableTopicResponse { partitions: partitions.collect(), name: topic.name }
    });
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        responses: topics.collect(),
        ..Default::default()
    }
}
