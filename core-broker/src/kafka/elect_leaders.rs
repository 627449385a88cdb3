//! ElectLeaders: each partition has the leader that it can have, and the answer says so.

use broker_logic::{cluster::Election, ids::PartitionIndex};
use kafka_wire::{
    ErrorCode,
    messages::elect_leaders::{
        ElectLeadersRequest, ElectLeadersResponse, PREFERRED, PartitionResult, ReplicaElectionResult, UNCLEAN,
    },
};

use crate::broker::Shared;

pub fn handle(shared: &Shared, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let election = match request.election_type {
        PREFERRED => Election::Preferred,
        UNCLEAN => Election::Unclean,
        _ => {
            return ElectLeadersResponse { error_code: ErrorCode::InvalidRequest, ..Default::default() };
        }
    };
    let image = shared.image();
    // Null asks for those that need an election: none does.
    let topics = request.topic_partitions.unwrap_or_default().into_iter().map(|topic| {
        let result = |partition_id: &i32| {
            let why = image.why_not_elected(&topic.topic, PartitionIndex(*partition_id), election);
            let (error_code, error_message) = ((&why).into(), Some(why.to_string()));
            PartitionResult { partition_id: *partition_id, error_code, error_message }
        };
        let partition_result = topic.partitions.iter().map(result).collect();
        ReplicaElectionResult { topic: topic.topic, partition_result }
    });
    ElectLeadersResponse { replica_election_results: topics.collect(), ..Default::default() }
}
