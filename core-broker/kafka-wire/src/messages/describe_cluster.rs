//! DescribeCluster (key 60): the brokers, and which of them is the controller.

use crate::error_code::ErrorCode;
use crate::table::message;

/// What may be asked for in `endpoint_type`.
pub const BROKERS: i8 = 1;
pub const CONTROLLERS: i8 = 2;

message! {
    struct DescribeClusterRequest {
        0+    include_cluster_authorized_operations: bool,
        1+    endpoint_type: i8 = BROKERS,
        2+    include_fenced_brokers: bool,
    }

    struct DescribeClusterResponse {
        0+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
        1+    endpoint_type: i8 = BROKERS,
        0+    cluster_id: String,
        0+    controller_id: i32 = -1,
        0+    brokers: Vec<DescribeClusterBroker>,
        0+    cluster_authorized_operations: i32 = i32::MIN,
    }

    struct DescribeClusterBroker {
        0+    broker_id: i32,
        0+    host: String,
        0+    port: i32,
        0+    rack: Option<String>,
        2+    is_fenced: bool,
    }
}
