//! CreateTopics (key 19).

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct CreateTopicsRequest {
        0+    topics: Vec<CreatableTopic>,
        0+    timeout_ms: i32 = 60_000,
        1+    validate_only: bool,
    }

    struct CreatableTopic {
        0+    name: String,
        /// -1: the broker's default, or the length of `assignments`.
        0+    num_partitions: i32,
        0+    replication_factor: i16,
        0+    assignments: Vec<CreatableReplicaAssignment>,
        0+    configs: Vec<CreatableTopicConfig>,
    }

    struct CreatableReplicaAssignment {
        0+    partition_index: i32,
        0+    broker_ids: Vec<i32>,
    }

    struct CreatableTopicConfig {
        0+    name: String,
        0+    value: Option<String>,
    }

    struct CreateTopicsResponse {
        2+    throttle_time_ms: i32,
        0+    topics: Vec<CreatableTopicResult>,
    }

    struct CreatableTopicResult {
        0+    name: String,
        7+    topic_id: Uuid,
        0+    error_code: ErrorCode,
        1+    error_message: Option<String>,
        /// Why `configs` is null, if it is.
        5+    topic_config_error_code: ErrorCode [tag 0],
        5+    num_partitions: i32 = -1,
        5+    replication_factor: i16 = -1,
        5+    configs: Option<Vec<CreatableTopicConfigs>>,
    }

    struct CreatableTopicConfigs {
        5+    name: String,
        5+    value: Option<String>,
        5+    read_only: bool,
        5+    config_source: i8 = -1,
        5+    is_sensitive: bool,
    }
}
