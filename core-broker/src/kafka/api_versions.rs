//! ApiVersions: what is served here, and nothing else.

use kafka_wire::{
    ApiKey, ErrorCode,
    messages::api_versions::{ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey},
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

pub fn response(error_code: ErrorCode) -> ApiVersionsResponse {
    let api_keys = SERVED.iter().map(|api| {
        let versions = api.advertised_versions();
        ApiVersion { api_key: api.code(), min_version: *versions.start(), max_version: *versions.end() }
    });
    ApiVersionsResponse {
        error_code,
        api_keys: api_keys.collect(),
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
        let response = response(ErrorCode::None);
        let keys: Vec<i16> = response.api_keys.iter().map(|api| api.api_key).collect();
        assert!([68, 69].iter().all(|key| !keys.contains(key)), "{keys:?}");
        let features: Vec<&str> =
            response.finalized_features.iter().map(|feature| feature.name.as_str()).collect();
        assert!(!features.contains(&"group.version"), "{features:?}");
    }
}
