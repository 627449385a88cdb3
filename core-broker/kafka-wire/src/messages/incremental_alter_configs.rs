//! IncrementalAlterConfigs (key 44): set, delete, append to or subtract from single configs. The
//! numbers are named in [`crate::configs`].

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct IncrementalAlterConfigsRequest {
        0+    resources: Vec<AlterConfigsResource>,
        0+    validate_only: bool,
    }

    struct AlterConfigsResource {
        0+    resource_type: i8,
        0+    resource_name: String,
        0+    configs: Vec<AlterableConfig>,
    }

    struct AlterableConfig {
        0+    name: String,
        0+    config_operation: i8,
        /// Null when the operation is to delete.
        0+    value: Option<String>,
    }

    struct IncrementalAlterConfigsResponse {
        0+    throttle_time_ms: i32,
        0+    responses: Vec<AlterConfigsResourceResponse>,
    }

    struct AlterConfigsResourceResponse {
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
        0+    resource_type: i8,
        0+    resource_name: String,
    }
}
