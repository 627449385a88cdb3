//! ListGroups (key 16): the groups this broker coordinates.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct ListGroupsRequest {
        /// Empty: groups in any state.
        4+    states_filter: Vec<String>,
        /// Empty: groups of any type.
        5+    types_filter: Vec<String>,
    }

    struct ListGroupsResponse {
        1+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        0+    groups: Vec<ListedGroup>,
    }

    struct ListedGroup {
        0+    group_id: String,
        0+    protocol_type: String,
        4+    group_state: String,
        5+    group_type: String,
    }
}
