//! LeaveGroup (key 13): members go; from version 3 on, several at once.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct LeaveGroupRequest {
        0+    group_id: String,
        0-2   member_id: String,
        3+    members: Vec<MemberIdentity>,
    }

    struct MemberIdentity {
        3+    member_id: String,
        3+    group_instance_id: Option<String>,
        5+    reason: Option<String>,
    }

    struct LeaveGroupResponse {
        1+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        3+    members: Vec<MemberResponse>,
    }

    struct MemberResponse {
        3+    member_id: String,
        3+    group_instance_id: Option<String>,
        3+    error_code: ErrorCode,
    }
}
