//! DeleteTopics (key 20): by name, or from version 6 on by id.

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DeleteTopicsRequest {
        6+    topics: Vec<DeleteTopicState>,
        0-5   topic_names: Vec<String>,
        0+    timeout_ms: i32,
    }

    struct DeleteTopicState {
        6+    name: Option<String>,
        6+    topic_id: Uuid,
    }

    struct DeleteTopicsResponse {
        1+    throttle_time_ms: i32,
        0+    responses: Vec<DeletableTopicResult>,
    }

    struct DeletableTopicResult {
        0+    name: Option<String> [null 6+],
        6+    topic_id: Uuid,
        0+    error_code: ErrorCode,
        5+    error_message: Option<String>,
    }
}
