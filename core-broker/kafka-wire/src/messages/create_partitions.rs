//! CreatePartitions (key 37): more partitions for a topic that exists.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct CreatePartitionsRequest {
        0+    topics: Vec<CreatePartitionsTopic>,
        0+    timeout_ms: i32,
        0+    validate_only: bool,
    }

    struct CreatePartitionsTopic {
        0+    name: String,
        /// How many there are to be in all.
        0+    count: i32,
        /// One for each partition that is added; null leaves the choice to the broker.
        0+    assignments: Option<Vec<CreatePartitionsAssignment>>,
    }

    struct CreatePartitionsAssignment {
        0+    broker_ids: Vec<i32>,
    }

    struct CreatePartitionsResponse {
        0+    throttle_time_ms: i32,
        0+    results: Vec<CreatePartitionsTopicResult>,
    }

    struct CreatePartitionsTopicResult {
        0+    name: String,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
    }
}
