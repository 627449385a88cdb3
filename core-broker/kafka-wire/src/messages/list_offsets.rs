//! ListOffsets (key 2): the offset at a time, or at an end of the log.

use crate::error_code::ErrorCode;
use crate::table::message;

/// Timestamps that stand for a place in the log.
pub const LATEST_TIMESTAMP: i64 = -1;
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// The record with the largest timestamp (version 7).
pub const MAX_TIMESTAMP: i64 = -3;
/// The first offset on local disks (version 8).
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// The last offset in tiered storage (version 9).
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// The first offset not yet in tiered storage (version 11).
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

message! {
    struct ListOffsetsRequest {
        0+    replica_id: i32 = -1,
        /// 0: the end is the high watermark, 1: the last stable offset.
        2+    isolation_level: i8,
        0+    topics: Vec<ListOffsetsTopic>,
        10+   timeout_ms: i32,
    }

    struct ListOffsetsTopic {
        0+    name: String,
        0+    partitions: Vec<ListOffsetsPartition>,
    }

    struct ListOffsetsPartition {
        0+    partition_index: i32,
        4+    current_leader_epoch: i32 = -1,
        0+    timestamp: i64,
    }

    struct ListOffsetsResponse {
        2+    throttle_time_ms: i32,
        0+    topics: Vec<ListOffsetsTopicResponse>,
    }

    struct ListOffsetsTopicResponse {
        0+    name: String,
        0+    partitions: Vec<ListOffsetsPartitionResponse>,
    }

    struct ListOffsetsPartitionResponse {
        0+    partition_index: i32,
        0+    error_code: ErrorCode,
        1+    timestamp: i64 = -1,
        1+    offset: i64 = -1,
        /// The epoch of the record at `offset`, not the leader's: clients commit it.
        4+    leader_epoch: i32 = -1,
    }
}
