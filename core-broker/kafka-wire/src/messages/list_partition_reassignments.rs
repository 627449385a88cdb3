//! ListPartitionReassignments (key 46): the moves that are under way.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct ListPartitionReassignmentsRequest {
        0+    timeout_ms: i32 = 60_000,
        /// Null asks for every move.
        0+    topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }

    struct ListPartitionReassignmentsTopics {
        0+    name: String,
        0+    partition_indexes: Vec<i32>,
    }

    struct ListPartitionReassignmentsResponse {
        0+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
        0+    topics: Vec<OngoingTopicReassignment>,
    }

    struct OngoingTopicReassignment {
        0+    name: String,
        0+    partitions: Vec<OngoingPartitionReassignment>,
    }

    struct OngoingPartitionReassignment {
        0+    partition_index: i32,
        0+    replicas: Vec<i32>,
        0+    adding_replicas: Vec<i32>,
        0+    removing_replicas: Vec<i32>,
    }
}
