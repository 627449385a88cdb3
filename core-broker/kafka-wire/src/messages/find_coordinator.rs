//! FindCoordinator (key 10): which broker looks after a group or a transactional id.

use crate::error_code::ErrorCode;
use crate::table::message;

/// Values of `key_type`.
pub const GROUP: i8 = 0;
pub const TRANSACTION: i8 = 1;
pub const SHARE: i8 = 2;

message! {
    struct FindCoordinatorRequest {
        0-3   key: String,
        1+    key_type: i8,
        4+    coordinator_keys: Vec<String>,
    }

    struct FindCoordinatorResponse {
        1+    throttle_time_ms: i32,
        0-3   error_code: ErrorCode,
        1-3   error_message: Option<String>,
        0-3   node_id: i32,
        0-3   host: String,
        0-3   port: i32,
        4+    coordinators: Vec<Coordinator>,
    }

    struct Coordinator {
        4+    key: String,
        4+    node_id: i32,
        4+    host: String,
        4+    port: i32,
        4+    error_code: ErrorCode,
        4+    error_message: Option<String>,
    }
}
