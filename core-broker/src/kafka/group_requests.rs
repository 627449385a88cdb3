//! The requests of consumer groups: Kafka's messages to the coordinator's, and its answers back. The rules
//! are in `broker_logic::groups`.

use std::sync::Arc;

use broker_logic::{
    groups::{
        Answer, CommitRequest, FetchedOffset, GroupError, HeartbeatRequest as Beat, JoinRequest,
        LeaveRequest, LeavingMember, OffsetToCommit, Request, SyncRequest,
    },
    ids::{LeaderEpoch, Offset, TopicId, TopicPartition},
};
use kafka_wire::{
    ErrorCode,
    messages::{
        find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, GROUP},
        heartbeat::{HeartbeatRequest, HeartbeatResponse},
        join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember},
        leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse},
        offset_commit::{
            OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
            OffsetCommitResponseTopic,
        },
        offset_fetch::{
            OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
            OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
        sync_group::{SyncGroupRequest, SyncGroupResponse},
    },
};
use uuid::Uuid;

use crate::broker::Shared;

/// The first JoinGroup version whose new members are sent away with an id first (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
const SKIP_ASSIGNMENT_FROM: i16 = 9;
const BATCHED_LEAVE_FROM: i16 = 3;
const BATCHED_FETCH_FROM: i16 = 8;
const BATCHED_FIND_FROM: i16 = 4;
const TOPIC_ID_FROM: i16 = 10;

/// `listener`: the one that the client came through, and is told the address of.
pub async fn find_coordinator(
    shared: Arc<Shared>,
    listener: &str,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let keys = if version >= BATCHED_FIND_FROM { request.coordinator_keys } else { vec![request.key] };
    let image = shared.image();
    let endpoint = image.broker(shared.me).and_then(|broker| broker.endpoint(listener));
    let found = |key: String| match endpoint {
        Some(endpoint) if request.key_type == GROUP => Coordinator {
            key,
            node_id: shared.me.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            ..Default::default()
        },
        _ => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: ErrorCode::CoordinatorNotAvailable,
            error_message: Some("only groups have coordinators here".into()),
            ..Default::default()
        },
    };
    let mut coordinators: Vec<Coordinator> = keys.into_iter().map(found).collect();
    if version >= BATCHED_FIND_FROM {
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } =
        coordinators.pop().unwrap_or_default();
    FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..Default::default() }
}

pub async fn join(
    shared: Arc<Shared>,
    version: i16,
    client_id: String,
    client_host: String,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let rebalance_timeout_ms =
        if version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let asked = Request::Join(JoinRequest {
        group_id: request.group_id,
        member_id: request.member_id.clone(),
        group_instance_id: request.group_instance_id,
        client_id,
        client_host,
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(|protocol| (protocol.name, protocol.metadata)).collect(),
        needs_member_id_first: version >= MEMBER_ID_REQUIRED_FROM,
        may_skip_assignment: version >= SKIP_ASSIGNMENT_FROM,
        fresh_id: Uuid::new_v4(),
    });
    let refused = |error_code, member_id| JoinGroupResponse { error_code, member_id, ..Default::default() };
    match ask(&shared, asked).await {
        Ok(Answer::Join(Ok(joined))) => JoinGroupResponse {
            generation_id: joined.generation,
            protocol_type: joined.protocol_type,
            protocol_name: joined.protocol_name,
            leader: joined.leader,
            skip_assignment: joined.skip_assignment,
            member_id: joined.member_id,
            members: joined
                .members
                .into_iter()
                .map(|member| JoinGroupResponseMember {
                    member_id: member.member_id,
                    group_instance_id: member.group_instance_id,
                    metadata: member.metadata,
                })
                .collect(),
            ..Default::default()
        },
        Ok(Answer::Join(Err(no))) => refused(ErrorCode::from(no.error), no.member_id),
        other => refused(unexpected(other), request.member_id),
    }
}

pub async fn sync(shared: Arc<Shared>, request: SyncGroupRequest) -> SyncGroupResponse {
    let asked = Request::Sync(SyncRequest {
        group_id: request.group_id,
        generation: request.generation_id,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol_name: request.protocol_name,
        assignments: request.assignments.into_iter().map(|one| (one.member_id, one.assignment)).collect(),
    });
    match ask(&shared, asked).await {
        Ok(Answer::Sync(Ok(synced))) => SyncGroupResponse {
            protocol_type: synced.protocol_type,
            protocol_name: synced.protocol_name,
            assignment: synced.assignment,
            ..Default::default()
        },
        Ok(Answer::Sync(Err(error))) => {
            SyncGroupResponse { error_code: ErrorCode::from(error), ..Default::default() }
        }
        other => SyncGroupResponse { error_code: unexpected(other), ..Default::default() },
    }
}

pub async fn heartbeat(shared: Arc<Shared>, request: HeartbeatRequest) -> HeartbeatResponse {
    let asked = Request::Heartbeat(Beat {
        group_id: request.group_id,
        generation: request.generation_id,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
    });
    let error_code = match ask(&shared, asked).await {
        Ok(Answer::Heartbeat(result)) => result.err().map_or(ErrorCode::None, ErrorCode::from),
        other => unexpected(other),
    };
    HeartbeatResponse { error_code, ..Default::default() }
}

pub async fn leave(shared: Arc<Shared>, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let members = if version >= BATCHED_LEAVE_FROM {
        let leaving = request.members.into_iter().map(|member| LeavingMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
        });
        leaving.collect()
    } else {
        vec![LeavingMember { member_id: request.member_id, group_instance_id: None }]
    };
    let asked = Request::Leave(LeaveRequest { group_id: request.group_id, members });
    match ask(&shared, asked).await {
        Ok(Answer::Leave(Ok(left))) => {
            let code = |result: Result<(), GroupError>| result.err().map_or(ErrorCode::None, ErrorCode::from);
            // Before members could leave together, the one member's error is the answer's.
            let error_code = match left.first() {
                Some(only) if version < BATCHED_LEAVE_FROM => code(only.result),
                _ => ErrorCode::None,
            };
            let members = left.into_iter().map(|member| MemberResponse {
                member_id: member.member_id,
                group_instance_id: member.group_instance_id,
                error_code: code(member.result),
            });
            LeaveGroupResponse { error_code, members: members.collect(), ..Default::default() }
        }
        Ok(Answer::Leave(Err(error))) => {
            LeaveGroupResponse { error_code: ErrorCode::from(error), ..Default::default() }
        }
        other => LeaveGroupResponse { error_code: unexpected(other), ..Default::default() },
    }
}

pub async fn commit_offsets(
    shared: Arc<Shared>,
    version: i16,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let image = shared.image();
    let mut response = OffsetCommitResponse::default();
    let mut offsets = Vec::new();
    for topic in request.topics {
        let named = match version {
            TOPIC_ID_FROM.. => image.topic_by_id(TopicId(topic.topic_id)),
            _ => image.topic(&topic.name),
        };
        let mut partitions = Vec::new();
        for one in topic.partitions {
            let known = named
                .filter(|topic| topic.partition(one.partition_index.into()).is_some())
                .map(|topic| &topic.name);
            let error_code = match known {
                Some(name) => {
                    offsets.push(OffsetToCommit {
                        partition: TopicPartition::new(name.clone(), one.partition_index),
                        offset: Offset(one.committed_offset),
                        leader_epoch: LeaderEpoch(one.committed_leader_epoch),
                        metadata: one.committed_metadata.unwrap_or_default(),
                    });
                    ErrorCode::None
                }
                None if version >= TOPIC_ID_FROM => ErrorCode::UnknownTopicId,
                None => ErrorCode::UnknownTopicOrPartition,
            };
            partitions
                .push(OffsetCommitResponsePartition { partition_index: one.partition_index, error_code });
        }
        let name = named.map_or(topic.name, |topic| topic.name.to_string());
        response.topics.push(OffsetCommitResponseTopic { name, topic_id: topic.topic_id, partitions });
    }
    let asked = Request::CommitOffsets(CommitRequest {
        group_id: request.group_id,
        generation: request.generation_id_or_member_epoch,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        offsets,
    });
    let failed = match ask(&shared, asked).await {
        Ok(Answer::CommitOffsets(results)) => {
            for (partition, result) in results {
                if let Err(error) = result {
                    set_error(&mut response, &partition, ErrorCode::from(error));
                }
            }
            return response;
        }
        other => unexpected(other),
    };
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.error_code = failed;
    }
    response
}

fn set_error(response: &mut OffsetCommitResponse, at: &TopicPartition, error_code: ErrorCode) {
    let topics = response.topics.iter_mut().filter(|topic| topic.name == *at.topic);
    for partition in topics.flat_map(|topic| &mut topic.partitions) {
        if partition.partition_index == at.partition.0 {
            partition.error_code = error_code;
        }
    }
}

pub async fn fetch_offsets(
    shared: Arc<Shared>,
    version: i16,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if version < BATCHED_FETCH_FROM {
        let partitions = request.topics.map(|topics| {
            let named = topics.into_iter().flat_map(|topic| {
                let name: Arc<str> = topic.name.into();
                topic.partition_indexes.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
            });
            named.collect()
        });
        return match fetched(&shared, request.group_id, partitions).await {
            Ok(offsets) => {
                let topics = by_topic(offsets).into_iter().map(|(name, offsets)| OffsetFetchResponseTopic {
                    name: name.to_string(),
                    partitions: offsets
                        .into_iter()
                        .map(|offset| OffsetFetchResponsePartition {
                            partition_index: offset.partition.partition.0,
                            committed_offset: offset.offset.0,
                            committed_leader_epoch: offset.leader_epoch.0,
                            metadata: Some(offset.metadata),
                            error_code: ErrorCode::None,
                        })
                        .collect(),
                });
                OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
            }
            Err(error_code) => OffsetFetchResponse { error_code, ..Default::default() },
        };
    }
    let mut response = OffsetFetchResponse::default();
    for group in request.groups {
        let image = shared.image();
        let partitions = group.topics.map(|topics| {
            let named = topics.into_iter().flat_map(|topic| {
                let name: Arc<str> = match version {
                    TOPIC_ID_FROM.. => image
                        .topic_by_id(TopicId(topic.topic_id))
                        .map_or_else(|| "".into(), |topic| topic.name.clone()),
                    _ => topic.name.into(),
                };
                topic.partition_indexes.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
            });
            named.filter(|partition| !partition.topic.is_empty()).collect()
        });
        let answer = fetched(&shared, group.group_id.clone(), partitions).await;
        response.groups.push(group_response(&shared, group.group_id, answer));
    }
    response
}

fn group_response(
    shared: &Shared,
    group_id: String,
    answer: Result<Vec<FetchedOffset>, ErrorCode>,
) -> OffsetFetchResponseGroup {
    let offsets = match answer {
        Ok(offsets) => offsets,
        Err(error_code) => return OffsetFetchResponseGroup { group_id, error_code, ..Default::default() },
    };
    let image = shared.image();
    let topics = by_topic(offsets).into_iter().map(|(name, offsets)| OffsetFetchResponseTopics {
        topic_id: image.topic(&name).map_or(Uuid::nil(), |topic| topic.topic_id.0),
        name: name.to_string(),
        partitions: offsets
            .into_iter()
            .map(|offset| OffsetFetchResponsePartitions {
                partition_index: offset.partition.partition.0,
                committed_offset: offset.offset.0,
                committed_leader_epoch: offset.leader_epoch.0,
                metadata: Some(offset.metadata),
                error_code: ErrorCode::None,
            })
            .collect(),
    });
    OffsetFetchResponseGroup { group_id, topics: topics.collect(), ..Default::default() }
}

async fn fetched(
    shared: &Shared,
    group_id: String,
    partitions: Option<Vec<TopicPartition>>,
) -> Result<Vec<FetchedOffset>, ErrorCode> {
    match ask(shared, Request::FetchOffsets { group_id, partitions }).await {
        Ok(Answer::FetchOffsets(result)) => result.map_err(ErrorCode::from),
        other => Err(unexpected(other)),
    }
}

fn by_topic(offsets: Vec<FetchedOffset>) -> std::collections::BTreeMap<Arc<str>, Vec<FetchedOffset>> {
    let mut topics = std::collections::BTreeMap::<Arc<str>, Vec<FetchedOffset>>::new();
    for offset in offsets {
        topics.entry(offset.partition.topic.clone()).or_default().push(offset);
    }
    topics
}

async fn ask(shared: &Shared, request: Request) -> Result<Answer, crate::groups::GroupsError> {
    shared.groups.ask(request).await
}

/// No coordinator, or an answer to another question, which would be our mistake and nobody else's.
fn unexpected(outcome: Result<Answer, crate::groups::GroupsError>) -> ErrorCode {
    match outcome {
        Err(error) => {
            tracing::warn!(%error, "no coordinator");
            ErrorCode::CoordinatorNotAvailable
        }
        Ok(answer) => {
            tracing::error!(?answer, "the coordinator answered another question");
            ErrorCode::UnknownServerError
        }
    }
}
