//! AlterPartitionReassignments (key 45): move partitions to other brokers, or call a move off.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct AlterPartitionReassignmentsRequest {
        0+    timeout_ms: i32 = 60_000,
        1+    allow_replication_factor_change: bool = true,
        0+    topics: Vec<ReassignableTopic>,
    }

    struct ReassignableTopic {
        0+    name: String,
        0+    partitions: Vec<ReassignablePartition>,
    }

    struct ReassignablePartition {
        0+    partition_index: i32,
        /// Null calls off the move that is under way.
        0+    replicas: Option<Vec<i32>>,
    }

    struct AlterPartitionReassignmentsResponse {
        0+    throttle_time_ms: i32,
        1+    allow_replication_factor_change: bool = true,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
        0+    responses: Vec<ReassignableTopicResponse>,
    }

    struct ReassignableTopicResponse {
        0+    name: String,
        0+    partitions: Vec<ReassignablePartitionResponse>,
    }

    struct ReassignablePartitionResponse {
        0+    partition_index: i32,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
    }
}
