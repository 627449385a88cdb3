//! Heartbeat (key 12): a member is alive.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct HeartbeatRequest {
        0+    group_id: String,
        0+    generation_id: i32,
        0+    member_id: String,
        3+    group_instance_id: Option<String>,
    }

    struct HeartbeatResponse {
        1+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
    }
}
