//! JoinGroup (key 11): a member enters a group and a generation begins.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct JoinGroupRequest {
        0+    group_id: String,
        0+    session_timeout_ms: i32,
        1+    rebalance_timeout_ms: i32 = -1,
        0+    member_id: String,
        5+    group_instance_id: Option<String>,
        0+    protocol_type: String,
        0+    protocols: Vec<JoinGroupRequestProtocol>,
        8+    reason: Option<String>,
    }

    struct JoinGroupRequestProtocol {
        0+    name: String,
        0+    metadata: Bytes,
    }

    struct JoinGroupResponse {
        2+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        0+    generation_id: i32 = -1,
        7+    protocol_type: Option<String>,
        /// Kafka, too, writes an empty name where a version has no null.
        0+    protocol_name: Option<String> [null 7+ else empty],
        0+    leader: String,
        9+    skip_assignment: bool,
        0+    member_id: String,
        0+    members: Vec<JoinGroupResponseMember>,
    }

    struct JoinGroupResponseMember {
        0+    member_id: String,
        5+    group_instance_id: Option<String>,
        0+    metadata: Bytes,
    }
}
