//! ListConfigResources (key 74): which resources have configs of their own. In version 0 it listed
//! client metrics alone, and had another name (KIP-1142).

use crate::configs::resource_type;
use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct ListConfigResourcesRequest {
        /// Empty: every type there is.
        1+    resource_types: Vec<i8>,
    }

    struct ListConfigResourcesResponse {
        0+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        0+    config_resources: Vec<ConfigResource>,
    }

    struct ConfigResource {
        0+    resource_name: String,
        1+    resource_type: i8 = resource_type::CLIENT_METRICS,
    }
}
