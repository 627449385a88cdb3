//! OffsetCommit (key 8): a group notes how far it has read.

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct OffsetCommitRequest {
        0+    group_id: String,
        1+    generation_id_or_member_epoch: i32 = -1,
        1+    member_id: String,
        7+    group_instance_id: Option<String>,
        2-4   retention_time_ms: i64 = -1,
        0+    topics: Vec<OffsetCommitRequestTopic>,
    }

    struct OffsetCommitRequestTopic {
        0-9   name: String,
        10+   topic_id: Uuid,
        0+    partitions: Vec<OffsetCommitRequestPartition>,
    }

    struct OffsetCommitRequestPartition {
        0+    partition_index: i32,
        0+    committed_offset: i64,
        6+    committed_leader_epoch: i32 = -1,
        0+    committed_metadata: Option<String>,
    }

    struct OffsetCommitResponse {
        3+    throttle_time_ms: i32,
        0+    topics: Vec<OffsetCommitResponseTopic>,
    }

    struct OffsetCommitResponseTopic {
        0-9   name: String,
        10+   topic_id: Uuid,
        0+    partitions: Vec<OffsetCommitResponsePartition>,
    }

    struct OffsetCommitResponsePartition {
        0+    partition_index: i32,
        0+    error_code: ErrorCode,
    }
}
