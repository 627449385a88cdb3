//! OffsetFetch (key 9): how far a group has read; from version 8 on, several groups at once.

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct OffsetFetchRequest {
        0-7   group_id: String,
        /// Null asks for every topic the group has offsets for.
        0-7   topics: Option<Vec<OffsetFetchRequestTopic>> [null 2+],
        8+    groups: Vec<OffsetFetchRequestGroup>,
        /// Wait for transactions that may still change an offset.
        7+    require_stable: bool,
    }

    struct OffsetFetchRequestTopic {
        0-7   name: String,
        0-7   partition_indexes: Vec<i32>,
    }

    struct OffsetFetchRequestGroup {
        8+    group_id: String,
        9+    member_id: Option<String>,
        9+    member_epoch: i32 = -1,
        8+    topics: Option<Vec<OffsetFetchRequestTopics>>,
    }

    struct OffsetFetchRequestTopics {
        8-9   name: String,
        10+   topic_id: Uuid,
        8+    partition_indexes: Vec<i32>,
    }

    struct OffsetFetchResponse {
        3+    throttle_time_ms: i32,
        0-7   topics: Vec<OffsetFetchResponseTopic>,
        2-7   error_code: ErrorCode,
        8+    groups: Vec<OffsetFetchResponseGroup>,
    }

    struct OffsetFetchResponseTopic {
        0-7   name: String,
        0-7   partitions: Vec<OffsetFetchResponsePartition>,
    }

    struct OffsetFetchResponsePartition {
        0-7   partition_index: i32,
        /// -1 if nothing was committed.
        0-7   committed_offset: i64,
        5-7   committed_leader_epoch: i32 = -1,
        0-7   metadata: Option<String>,
        0-7   error_code: ErrorCode,
    }

    struct OffsetFetchResponseGroup {
        8+    group_id: String,
        8+    topics: Vec<OffsetFetchResponseTopics>,
        8+    error_code: ErrorCode,
    }

    struct OffsetFetchResponseTopics {
        8-9   name: String,
        10+   topic_id: Uuid,
        8+    partitions: Vec<OffsetFetchResponsePartitions>,
    }

    struct OffsetFetchResponsePartitions {
        8+    partition_index: i32,
        8+    committed_offset: i64,
        8+    committed_leader_epoch: i32 = -1,
        8+    metadata: Option<String>,
        8+    error_code: ErrorCode,
    }
}
