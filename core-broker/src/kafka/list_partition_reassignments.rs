//! ListPartitionReassignments: no partition is ever on its way to another broker.

use kafka_wire::messages::list_partition_reassignments::ListPartitionReassignmentsResponse;

pub fn response() -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}
