//! DeleteGroups (key 42): groups without members, and the offsets they committed.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DeleteGroupsRequest {
        0+    groups_names: Vec<String>,
    }

    struct DeleteGroupsResponse {
        0+    throttle_time_ms: i32,
        0+    results: Vec<DeletableGroupResult>,
    }

    struct DeletableGroupResult {
        0+    group_id: String,
        0+    error_code: ErrorCode,
    }
}
