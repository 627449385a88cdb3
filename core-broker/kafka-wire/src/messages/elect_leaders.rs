//! ElectLeaders (key 43): give partitions back to their preferred leader, or any leader at all.

use crate::error_code::ErrorCode;
use crate::table::message;

/// What may be asked for in `election_type`.
pub const PREFERRED: i8 = 0;
/// Any live replica if none is in sync: acknowledged records may be lost.
pub const UNCLEAN: i8 = 1;

message! {
    struct ElectLeadersRequest {
        1+    election_type: i8 = PREFERRED,
        /// Null asks for every partition.
        0+    topic_partitions: Option<Vec<TopicPartitions>>,
        0+    timeout_ms: i32 = 60_000,
    }

    struct TopicPartitions {
        0+    topic: String,
        0+    partitions: Vec<i32>,
    }

    struct ElectLeadersResponse {
        0+    throttle_time_ms: i32,
        1+    error_code: ErrorCode,
        0+    replica_election_results: Vec<ReplicaElectionResult>,
    }

    struct ReplicaElectionResult {
        0+    topic: String,
        0+    partition_result: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+    partition_id: i32,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
    }
}
