//! SyncGroup (key 14): the leader hands out the assignment, every member gets its share.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct SyncGroupRequest {
        0+    group_id: String,
        0+    generation_id: i32,
        0+    member_id: String,
        3+    group_instance_id: Option<String>,
        5+    protocol_type: Option<String>,
        5+    protocol_name: Option<String>,
        0+    assignments: Vec<SyncGroupRequestAssignment>,
    }

    struct SyncGroupRequestAssignment {
        0+    member_id: String,
        0+    assignment: Bytes,
    }

    struct SyncGroupResponse {
        1+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        5+    protocol_type: Option<String>,
        5+    protocol_name: Option<String>,
        0+    assignment: Bytes,
    }
}
