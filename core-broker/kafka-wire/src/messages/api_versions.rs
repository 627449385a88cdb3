//! ApiVersions (key 18): what this broker speaks. Its answer is readable before both sides know.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct ApiVersionsRequest {
        3+    client_software_name: String,
        3+    client_software_version: String,
    }

    struct ApiVersionsResponse {
        0+    error_code: ErrorCode,
        0+    api_keys: Vec<ApiVersion>,
        1+    throttle_time_ms: i32,
        3+    supported_features: Vec<SupportedFeatureKey> [tag 0],
        3+    finalized_features_epoch: i64 [tag 1] = -1,
        3+    finalized_features: Vec<FinalizedFeatureKey> [tag 2],
        3+    zk_migration_ready: bool [tag 3],
    }

    struct ApiVersion {
        0+    api_key: i16,
        0+    min_version: i16,
        0+    max_version: i16,
    }

    struct SupportedFeatureKey {
        3+    name: String,
        3+    min_version: i16,
        3+    max_version: i16,
    }

    struct FinalizedFeatureKey {
        3+    name: String,
        3+    max_version_level: i16,
        3+    min_version_level: i16,
    }
}
