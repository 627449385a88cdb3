//! ApiVersions: what is served here, and nothing else.

use kafka_wire::{
    ApiKey, ErrorCode,
    messages::api_versions::{
        ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
    },
};

/// Every API that `dispatch` has a handler for. What stands here works.
pub const SERVED: &[ApiKey] = &[
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
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::DeleteGroups,
    ApiKey::OffsetDelete,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
];

/// Kafka's name for what a cluster as a whole can do; admin clients show it. Nothing else is claimed: a
/// `group.version` or `transaction.version` would make clients use what is not there.
const METADATA_VERSION: &str = "metadata.version";

/// 4.2-IV1: the Kafka whose versions are served here.
const METADATA_LEVEL: i16 = 29;

/// The first version whose clients say what software they are (KIP-511).
const SOFTWARE_FROM: i16 = 3;

pub fn handle(version: i16, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let named = [&request.client_software_name, &request.client_software_version];
    if version >= SOFTWARE_FROM && !named.into_iter().all(|name| is_software_name(name)) {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest, ..Default::default() };
    }
    served()
}

/// To a client that is newer than we are: in which versions it may ask this again.
pub fn unsupported_version() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion,
        api_keys: vec![listed(&ApiKey::ApiVersions)],
        ..Default::default()
    }
}

/// Letters, digits, '-' and '.', the last two not at an end.
fn is_software_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.iter().all(is_inner) && is_end(bytes.first()) && is_end(bytes.last())
}

fn listed(api: &ApiKey) -> ApiVersion {
    let versions = api.advertised_versions();
    ApiVersion { api_key: api.code(), min_version: *versions.start(), max_version: *versions.end() }
}

fn served() -> ApiVersionsResponse {
    ApiVersionsResponse {
        api_keys: SERVED.iter().map(listed).collect(),
        supported_features: vec![SupportedFeatureKey {
            name: METADATA_VERSION.to_owned(),
            min_version: METADATA_LEVEL,
            max_version: METADATA_LEVEL,
        }],
        // It is the same from the first start on.
        finalized_features_epoch: 0,
        finalized_features: vec![FinalizedFeatureKey {
            name: METADATA_VERSION.to_owned(),
            max_version_level: METADATA_LEVEL,
            min_version_level: METADATA_LEVEL,
        }],
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that sees ConsumerGroupHeartbeat (68), ConsumerGroupDescribe (69) or the feature leaves the
    /// classic protocol at once, and one whose heartbeat is then answered with an error does not come back.
    #[test]
    fn trap_18_groups_that_the_broker_assigns_are_not_advertised() {
        let response = served();
        let keys: Vec<i16> = response.api_keys.iter().map(|api| api.api_key).collect();
        assert!([68, 69].iter().all(|key| !keys.contains(key)), "{keys:?}");
        let features: Vec<&str> =
            response.finalized_features.iter().map(|feature| feature.name.as_str()).collect();
        assert!(!features.contains(&"group.version"), "{features:?}");
    }

    #[test]
    fn software_has_a_name_that_a_log_and_a_metric_can_show() {
        for (name, expected) in [
            ("apache-kafka-java", true),
            ("4.2.0", true),
            ("x", true),
            ("", false),
            ("-x", false),
            ("x.", false),
            ("a b", false),
            ("ü", false),
        ] {
            assert_eq!(is_software_name(name), expected, "{name:?}");
        }
    }
}
