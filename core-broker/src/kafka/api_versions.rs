//! ApiVersions: what is served here, and nothing else.

use kafka_wire::{
    ApiKey, ErrorCode,
    messages::api_versions::{ApiVersion, ApiVersionsResponse},
};

/// Every API that `dispatch` has a handler for. What stands here works.
pub const SERVED: [ApiKey; 18] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::InitProducerId,
    ApiKey::DeleteGroups,
    ApiKey::OffsetDelete,
];

pub fn response(error_code: ErrorCode) -> ApiVersionsResponse {
    let api_keys = SERVED.iter().map(|api| {
        let versions = api.advertised_versions();
        ApiVersion { api_key: api.code(), min_version: *versions.start(), max_version: *versions.end() }
    });
    ApiVersionsResponse { error_code, api_keys: api_keys.collect(), ..Default::default() }
}
