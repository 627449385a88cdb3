//! AlterConfigs (key 33): all configs of a resource at once; what is not named goes back to its
//! default. [`super::incremental_alter_configs`] changes one without knowing the others.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct AlterConfigsRequest {
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
        0+    value: Option<String>,
    }

    struct AlterConfigsResponse {
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
