//! DescribeConfigs (key 32): every config of a resource, where its value comes from and what it
//! would be otherwise. The numbers are named in [`crate::configs`].

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DescribeConfigsRequest {
        0+    resources: Vec<DescribeConfigsResource>,
        1+    include_synonyms: bool,
        3+    include_documentation: bool,
    }

    struct DescribeConfigsResource {
        0+    resource_type: i8,
        /// Of a broker its id, or empty for what holds for all brokers.
        0+    resource_name: String,
        /// Null asks for every config.
        0+    configuration_keys: Option<Vec<String>>,
    }

    struct DescribeConfigsResponse {
        0+    throttle_time_ms: i32,
        0+    results: Vec<DescribeConfigsResult>,
    }

    struct DescribeConfigsResult {
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
        0+    resource_type: i8,
        0+    resource_name: String,
        0+    configs: Vec<DescribeConfigsResourceResult>,
    }

    struct DescribeConfigsResourceResult {
        0+    name: String,
        /// Null if it is sensitive, or has no value.
        0+    value: Option<String>,
        0+    read_only: bool,
        1+    config_source: i8 = -1,
        0+    is_sensitive: bool,
        /// What the value is looked for in, the one that counts first.
        1+    synonyms: Vec<DescribeConfigsSynonym>,
        3+    config_type: i8,
        3+    documentation: Option<String>,
    }

    struct DescribeConfigsSynonym {
        1+    name: String,
        1+    value: Option<String>,
        1+    source: i8,
    }
}
