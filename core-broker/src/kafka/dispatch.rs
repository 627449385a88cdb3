//! From a frame to the file that answers it.

use std::{pin::Pin, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use commit_log::{RealFile, Slice};
use kafka_wire::{
    ApiKey, Request, RequestError, RequestHeader, Response, Undecoded, decode_header, encode_response_parts,
    messages::produce::{ProduceRequest, ProduceResponse},
};

use super::{
    alter_configs, alter_partition_reassignments,
    answers::Flow,
    api_versions,
    connection::Client,
    create_partitions, create_topics, delete_records, delete_topics, describe_cluster, describe_configs,
    describe_log_dirs, describe_producers, describe_topic_partitions, elect_leaders, fetch, groups,
    incremental_alter_configs, init_producer_id, list_config_resources, list_offsets,
    list_partition_reassignments, metadata, offset_for_leader_epoch, produce,
    send::{self, Piece},
};
use crate::broker::Shared;

/// A produce of more partitions is the only request of its connection that is worked on: a partition takes
/// eight bytes to name, and many times as much until it is answered.
const FEW_PARTITIONS: usize = 1_000;

/// What a request comes to.
pub struct Answered {
    /// `None`: no answer (acks=0).
    pub pieces: Option<Vec<Piece>>,
    /// How long the client is not listened to from then on.
    pub throttle: Duration,
}

pub type Answer = Pin<Box<dyn Future<Output = anyhow::Result<Answered>> + Send>>;

/// Starts a request. An error closes the connection, as Kafka does with what it cannot read.
pub async fn start(
    shared: &Arc<Shared>,
    client: &Client,
    flow: &Flow,
    frame: Bytes,
) -> anyhow::Result<Answer> {
    let frame_bytes = frame.len();
    let request = match decode_header(frame) {
        Ok(request) => request,
        // KIP-511: a client that is newer than we are learns in version 0 what we speak.
        Err(RequestError::UnsupportedVersion { header }) if header.api == ApiKey::ApiVersions => {
            let response = Response::ApiVersions(api_versions::unsupported_version());
            let pieces = Some(encode(&response, Vec::new(), 0, header.correlation_id)?);
            return Ok(Box::pin(async move { Ok(Answered { pieces, throttle: Duration::ZERO }) }));
        }
        Err(error) => return Err(error.into()),
    };
    let api = request.header.api;
    if !api_versions::SERVED.contains(&api) {
        bail!("{api:?} is not served");
    }
    let timer = shared.metrics.request_received(api);
    let shared = shared.clone();
    let client = client.clone();

    if api == ApiKey::Produce {
        timer.begun();
        // Decoded as soon as it is read: the next request may not overtake it.
        let (mut header, mut produce) = decode_produce(request.clone())?;
        let mut room = None;
        if partitions(&produce) > FEW_PARTITIONS {
            drop(produce);
            flow.answered().await;
            room = shared.connections.room_to_decode(frame_bytes).await;
            (header, produce) = decode_produce(request)?;
        }
        let RequestHeader { version, correlation_id, client_id, .. } = header;
        let client_id = client_id.unwrap_or_default();
        let throttle = shared.connections.produced(&client_id, frame_bytes);
        let produced = produce::start(shared, version, produce).await?;
        return Ok(Box::pin(async move {
            let _room = room;
            let response = produced.await?.map(|response| {
                Response::Produce(ProduceResponse { throttle_time_ms: milliseconds(throttle), ..response })
            });
            timer.answered(response.as_ref());
            let Some(response) = response else { return Ok(Answered { pieces: None, throttle }) };
            let pieces = encode(&response, Vec::new(), version, correlation_id)?;
            Ok(Answered { pieces: Some(pieces), throttle })
        }));
    }
    Ok(Box::pin(async move {
        timer.begun();
        // What it becomes may be many times its bytes: one at a time of a connection, and of all connections
        // as many as have room.
        let _room = shared.connections.room_to_decode(frame_bytes).await;
        let (RequestHeader { version, correlation_id, client_id, .. }, request) = request.decode()?;
        let client_id = client_id.unwrap_or_default();
        let (mut records, mut throttle) = (Vec::new(), Duration::ZERO);
        let response = match request {
            Request::Produce(_) => bail!("a produce was started above"),
            Request::Fetch(request) => {
                let connections = shared.connections.clone();
                let (mut response, slices) = fetch::handle(shared, &client.listener, version, request).await;
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
                Response::JoinGroup(
                    groups::join_group::handle(shared, version, client_id, host, request).await,
                )
            }
            Request::Heartbeat(request) => {
                Response::Heartbeat(groups::heartbeat::handle(shared, request).await)
            }
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
        timer.answered(Some(&response));
        let pieces = encode(&response, records, version, correlation_id)?;
        Ok(Answered { pieces: Some(pieces), throttle })
    }))
}

fn decode_produce(request: Undecoded) -> anyhow::Result<(RequestHeader, ProduceRequest)> {
    match request.decode()? {
        (header, Request::Produce(request)) => Ok((header, request)),
        (header, _) => bail!("a produce was read as {:?}", header.api),
    }
}

fn partitions(request: &ProduceRequest) -> usize {
    request.topics.iter().map(|topic| topic.partitions.len()).sum()
}

/// `records` are those that the response has elsewhere.
fn encode(
    response: &Response,
    records: Vec<Slice<RealFile>>,
    version: i16,
    correlation_id: i32,
) -> anyhow::Result<Vec<Piece>> {
    let parts = encode_response_parts(response, version, correlation_id)
        .with_context(|| format!("cannot write {:?} in version {version}", response.api()))?;
    Ok(send::pieces(parts, records))
}

/// Rounded up: a client that waits as long as it was told finds itself listened to.
fn milliseconds(throttle: Duration) -> i32 {
    throttle.as_micros().div_ceil(1_000).try_into().unwrap_or(i32::MAX)
}
