//! Which file answers which request.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use commit_log::{RealFile, Slice};
use kafka_wire::{Request, RequestHeader, Response};

use super::{
    alter_configs, alter_partition_reassignments, api_versions, connection::Client, create_partitions,
    create_topics, delete_records, delete_topics, describe_cluster, describe_configs, describe_log_dirs,
    describe_producers, describe_topic_partitions, dispatch::milliseconds, elect_leaders, fetch, groups,
    incremental_alter_configs, init_producer_id, list_config_resources, list_offsets,
    list_partition_reassignments, metadata, offset_for_leader_epoch,
};
use crate::broker::Shared;

/// A response before it is written.
pub struct Made {
    pub response: Response,
    /// Those that the response has elsewhere.
    pub records: Vec<Slice<RealFile>>,
    pub throttle: Duration,
}

/// Every request but a produce. Who waits for records goes on without them once `hurry` is ready.
pub async fn handle(
    shared: Arc<Shared>,
    client: &Client,
    header: &RequestHeader,
    request: Request,
    hurry: impl Future<Output = ()>,
) -> anyhow::Result<Made> {
    let version = header.version;
    let client_id = header.client_id.clone().unwrap_or_default();
    let (mut records, mut throttle) = (Vec::new(), Duration::ZERO);
    let response = match request {
        Request::Produce(_) => bail!("a produce was started above"),
        Request::Fetch(request) => {
            let connections = shared.connections.clone();
            let (mut response, slices) =
                fetch::handle(shared, &client.listener, version, request, hurry).await;
            records = slices;
            throttle = connections.fetched(&client_id, records.iter().map(Slice::len).sum());
            response.throttle_time_ms = milliseconds(throttle);
            Response::Fetch(response)
        }
        Request::ListOffsets(request) => {
            Response::ListOffsets(list_offsets::handle(shared, version, request).await)
        }
        Request::Metadata(request) => {
            Response::Metadata(metadata::handle(shared, &client.listener, version, request).await)
        }
        Request::OffsetCommit(request) => {
            Response::OffsetCommit(groups::offset_commit::handle(shared, version, request).await)
        }
        Request::OffsetFetch(request) => {
            Response::OffsetFetch(groups::offset_fetch::handle(shared, version, request).await)
        }
        Request::FindCoordinator(request) => Response::FindCoordinator(
            groups::find_coordinator::handle(shared, &client.listener, version, request).await,
        ),
        Request::JoinGroup(request) => {
            let host = format!("/{}", client.remote.ip());
            Response::JoinGroup(groups::join_group::handle(shared, version, client_id, host, request).await)
        }
        Request::Heartbeat(request) => Response::Heartbeat(groups::heartbeat::handle(shared, request).await),
        Request::LeaveGroup(request) => {
            Response::LeaveGroup(groups::leave_group::handle(shared, version, request).await)
        }
        Request::SyncGroup(request) => {
            Response::SyncGroup(groups::sync_group::handle(shared, version, request).await)
        }
        Request::DescribeGroups(request) => {
            Response::DescribeGroups(groups::describe_groups::handle(shared, version, request).await)
        }
        Request::ListGroups(request) => {
            Response::ListGroups(groups::list_groups::handle(shared, request).await)
        }
        Request::DeleteGroups(request) => {
            Response::DeleteGroups(groups::delete_groups::handle(shared, request).await)
        }
        Request::OffsetDelete(request) => {
            Response::OffsetDelete(groups::offset_delete::handle(shared, request).await)
        }
        Request::ApiVersions(request) => Response::ApiVersions(api_versions::handle(version, &request)),
        Request::CreateTopics(request) => {
            Response::CreateTopics(create_topics::handle(shared, request).await)
        }
        Request::DeleteTopics(request) => {
            Response::DeleteTopics(delete_topics::handle(shared, version, request).await)
        }
        Request::DeleteRecords(request) => {
            Response::DeleteRecords(delete_records::handle(shared, request).await)
        }
        Request::DescribeProducers(request) => {
            Response::DescribeProducers(describe_producers::handle(shared, request).await)
        }
        Request::InitProducerId(request) => {
            Response::InitProducerId(init_producer_id::handle(shared, request).await)
        }
        Request::OffsetForLeaderEpoch(request) => {
            Response::OffsetForLeaderEpoch(offset_for_leader_epoch::handle(&shared, request))
        }
        Request::DescribeConfigs(request) => {
            Response::DescribeConfigs(describe_configs::handle(shared, request).await)
        }
        Request::AlterConfigs(request) => {
            Response::AlterConfigs(alter_configs::handle(shared, request).await)
        }
        Request::DescribeLogDirs(request) => {
            Response::DescribeLogDirs(describe_log_dirs::handle(shared, request).await)
        }
        Request::CreatePartitions(request) => {
            Response::CreatePartitions(create_partitions::handle(shared, request).await)
        }
        Request::ElectLeaders(request) => Response::ElectLeaders(elect_leaders::handle(&shared, request)),
        Request::IncrementalAlterConfigs(request) => {
            Response::IncrementalAlterConfigs(incremental_alter_configs::handle(shared, request).await)
        }
        Request::AlterPartitionReassignments(request) => {
            Response::AlterPartitionReassignments(alter_partition_reassignments::handle(&shared, request))
        }
        Request::ListPartitionReassignments(_) => {
            Response::ListPartitionReassignments(list_partition_reassignments::response())
        }
        Request::DescribeCluster(request) => {
            Response::DescribeCluster(describe_cluster::handle(&shared, &client.listener, &request))
        }
        Request::ListConfigResources(request) => {
            Response::ListConfigResources(list_config_resources::handle(&shared, version, request))
        }
        Request::DescribeTopicPartitions(request) => {
            Response::DescribeTopicPartitions(describe_topic_partitions::handle(&shared, &request))
        }
    };
    Ok(Made { response, records, throttle })
}
