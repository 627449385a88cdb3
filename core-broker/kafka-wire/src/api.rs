//! What is spoken: every API with its key, the versions served, and the first flexible one.

mod enums;

use std::ops::RangeInclusive;

use enums::apis;

use crate::error_code::ErrorCode;
use crate::field::Field;
use crate::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use crate::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};
use crate::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
use crate::messages::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use crate::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::messages::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use crate::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use crate::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
use crate::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use crate::messages::describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
use crate::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use crate::messages::elect_leaders::{ElectLeadersRequest, ElectLeadersResponse};
use crate::messages::fetch::{FetchRequest, FetchResponse};
use crate::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use crate::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::messages::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use crate::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use crate::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use crate::messages::list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use crate::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use crate::messages::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use crate::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use crate::messages::metadata::{MetadataRequest, MetadataResponse};
use crate::messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use crate::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use crate::messages::offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use crate::messages::produce::{ProduceRequest, ProduceResponse};
use crate::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::primitives::{DecodeError, EncodeError, Problem, Reader, Writer};

// The smallest versions are those of Kafka 4.1 (KIP-896), the largest those of Kafka 4.2.
apis! {
//  key  name                         served  flexible
    0    Produce                      3-13    9+   ProduceRequest, ProduceResponse;
    1    Fetch                        4-18    12+  FetchRequest, FetchResponse;
    2    ListOffsets                  1-11    6+   ListOffsetsRequest, ListOffsetsResponse;
    3    Metadata                     0-13    9+   MetadataRequest, MetadataResponse;
    8    OffsetCommit                 2-10    8+   OffsetCommitRequest, OffsetCommitResponse;
    9    OffsetFetch                  1-10    6+   OffsetFetchRequest, OffsetFetchResponse;
    10   FindCoordinator              0-6     3+   FindCoordinatorRequest, FindCoordinatorResponse;
    11   JoinGroup                    0-9     6+   JoinGroupRequest, JoinGroupResponse;
    12   Heartbeat                    0-4     4+   HeartbeatRequest, HeartbeatResponse;
    13   LeaveGroup                   0-5     4+   LeaveGroupRequest, LeaveGroupResponse;
    14   SyncGroup                    0-5     4+   SyncGroupRequest, SyncGroupResponse;
    15   DescribeGroups               0-6     5+   DescribeGroupsRequest, DescribeGroupsResponse;
    16   ListGroups                   0-5     3+   ListGroupsRequest, ListGroupsResponse;
    18   ApiVersions                  0-4     3+   ApiVersionsRequest, ApiVersionsResponse;
    19   CreateTopics                 2-7     5+   CreateTopicsRequest, CreateTopicsResponse;
    20   DeleteTopics                 1-6     4+   DeleteTopicsRequest, DeleteTopicsResponse;
    21   DeleteRecords                0-2     2+   DeleteRecordsRequest, DeleteRecordsResponse;
    22   InitProducerId               0-5     2+   InitProducerIdRequest, InitProducerIdResponse;
    23   OffsetForLeaderEpoch         2-4     4+   OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    32   DescribeConfigs              1-4     4+   DescribeConfigsRequest, DescribeConfigsResponse;
    33   AlterConfigs                 0-2     2+   AlterConfigsRequest, AlterConfigsResponse;
    35   DescribeLogDirs              1-4     2+   DescribeLogDirsRequest, DescribeLogDirsResponse;
    37   CreatePartitions             0-3     2+   CreatePartitionsRequest, CreatePartitionsResponse;
    42   DeleteGroups                 0-2     2+   DeleteGroupsRequest, DeleteGroupsResponse;
    43   ElectLeaders                 0-2     2+   ElectLeadersRequest, ElectLeadersResponse;
    44   IncrementalAlterConfigs      0-1     1+   IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    45   AlterPartitionReassignments  0-1     0+   AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
    46   ListPartitionReassignments   0-0     0+   ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    47   OffsetDelete                 0-0     1+   OffsetDeleteRequest, OffsetDeleteResponse;
    60   DescribeCluster              0-2     0+   DescribeClusterRequest, DescribeClusterResponse;
    61   DescribeProducers            0-0     0+   DescribeProducersRequest, DescribeProducersResponse;
    74   ListConfigResources          0-1     0+   ListConfigResourcesRequest, ListConfigResourcesResponse;
    75   DescribeTopicPartitions      0-0     0+   DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
}

impl ApiKey {
    pub fn code(self) -> i16 {
        self as i16
    }

    pub fn supports(self, version: i16) -> bool {
        self.versions().contains(&version)
    }

    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.flexible_from()
    }

    /// What an ApiVersions answer says. Produce from 0, though 0 to 2 are refused when they come:
    /// librdkafka before 2.11 switches gzip, snappy and lz4 off unless 0 is in the range.
    pub fn advertised_versions(self) -> RangeInclusive<i16> {
        match self {
            ApiKey::Produce => 0..=*self.versions().end(),
            _ => self.versions(),
        }
    }
}

/// A request and the response that answers it, for a client that sends one and awaits the other.
pub trait Call: Into<Request> {
    const API: ApiKey;
    type Response: TryFrom<Response, Error = DecodeError>;
}
