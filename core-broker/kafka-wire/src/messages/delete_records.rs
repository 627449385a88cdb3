//! DeleteRecords (key 21): everything before an offset goes.

use crate::error_code::ErrorCode;
use crate::table::message;

/// Stands for the high watermark: all that is committed goes.
pub const HIGH_WATERMARK: i64 = -1;

message! {
    struct DeleteRecordsRequest {
        0+    topics: Vec<DeleteRecordsTopic>,
        0+    timeout_ms: i32,
    }

    struct DeleteRecordsTopic {
        0+    name: String,
        0+    partitions: Vec<DeleteRecordsPartition>,
    }

    struct DeleteRecordsPartition {
        0+    partition_index: i32,
        /// The first offset that stays, or `HIGH_WATERMARK`.
        0+    offset: i64,
    }

    struct DeleteRecordsResponse {
        0+    throttle_time_ms: i32,
        0+    topics: Vec<DeleteRecordsTopicResult>,
    }

    struct DeleteRecordsTopicResult {
        0+    name: String,
        0+    partitions: Vec<DeleteRecordsPartitionResult>,
    }

    struct DeleteRecordsPartitionResult {
        0+    partition_index: i32,
        /// The smallest log start offset of the live replicas, -1 on an error.
        0+    low_watermark: i64,
        0+    error_code: ErrorCode,
    }
}
