//! OffsetDelete (key 47): forget what a group committed for some partitions.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct OffsetDeleteRequest {
        0+    group_id: String,
        0+    topics: Vec<OffsetDeleteRequestTopic>,
    }

    struct OffsetDeleteRequestTopic {
        0+    name: String,
        0+    partitions: Vec<OffsetDeleteRequestPartition>,
    }

    struct OffsetDeleteRequestPartition {
        0+    partition_index: i32,
    }

    struct OffsetDeleteResponse {
        /// Before the throttle time, unlike in the messages around it.
        0+    error_code: ErrorCode,
        0+    throttle_time_ms: i32,
        0+    topics: Vec<OffsetDeleteResponseTopic>,
    }

    struct OffsetDeleteResponseTopic {
        0+    name: String,
        0+    partitions: Vec<OffsetDeleteResponsePartition>,
    }

    struct OffsetDeleteResponsePartition {
        0+    partition_index: i32,
        0+    error_code: ErrorCode,
    }
}
