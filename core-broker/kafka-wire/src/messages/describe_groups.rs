//! DescribeGroups (key 15): state and members of groups. A member's bytes are opaque here; those of
//! consumers are read by [`crate::consumer_protocol`].

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DescribeGroupsRequest {
        0+    groups: Vec<String>,
        3+    include_authorized_operations: bool,
    }

    struct DescribeGroupsResponse {
        1+    throttle_time_ms: i32,
        0+    groups: Vec<DescribedGroup>,
    }

    struct DescribedGroup {
        0+    error_code: ErrorCode,
        6+    error_message: Option<String>,
        0+    group_id: String,
        0+    group_state: String,
        0+    protocol_type: String,
        /// The assignor the members agreed on.
        0+    protocol_data: String,
        0+    members: Vec<DescribedGroupMember>,
        3+    authorized_operations: i32 = i32::MIN,
    }

    struct DescribedGroupMember {
        0+    member_id: String,
        4+    group_instance_id: Option<String>,
        0+    client_id: String,
        0+    client_host: String,
        /// What the member said when it joined, for the protocol in `protocol_data`.
        0+    member_metadata: Bytes,
        0+    member_assignment: Bytes,
    }
}
