//! DescribeGroups: state and members of groups.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::groups::{GroupDescription, GroupState, MemberDescription};
use kafka_wire::{
    ErrorCode,
    messages::describe_groups::{
        DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
    },
};
use tracing::warn;

use super::MAX_ANSWER_BYTES;
use crate::broker::Shared;

/// From here on a group that is not there is an error, not one that is dead.
const NOT_FOUND_FROM: i16 = 6;

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, each the bit of its code: all there is to do
/// with a group. Nobody is refused anything here.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
const NOT_ASKED: i32 = i32::MIN;

pub async fn handle(
    shared: Arc<Shared>,
    version: i16,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let operations = if request.include_authorized_operations { ALL_OPERATIONS } else { NOT_ASKED };
    let mut response = DescribeGroupsResponse::default();
    let (mut seen, mut bytes) = (BTreeSet::new(), 0);
    // Told once, however often it is asked for.
    for group_id in request.groups.into_iter().filter(|it| seen.insert(it.clone())) {
        let mut group = match bytes > MAX_ANSWER_BYTES {
            true => failed(group_id, ErrorCode::CoordinatorLoadInProgress),
            false => describe(&shared, version, group_id).await,
        };
        bytes += group.members.iter().map(member_bytes).sum::<usize>();
        if group.error_code.is_ok() {
            group.authorized_operations = operations;
        }
        response.groups.push(group);
    }
    response
}

async fn describe(shared: &Shared, version: i16, group_id: String) -> DescribedGroup {
    match shared.groups.describe(group_id.clone()).await {
        Ok(Ok(group)) if group.state == GroupState::Dead && version >= NOT_FOUND_FROM => DescribedGroup {
            error_code: ErrorCode::GroupIdNotFound,
            error_message: Some(format!("Group {group_id} not found.")),
            group_state: GroupState::Dead.name().into(),
            group_id,
            ..Default::default()
        },
        Ok(Ok(group)) => described(group),
        Ok(Err(error)) => failed(group_id, error.into()),
        Err(error) => {
            warn!(%error, "cannot describe a group");
            failed(group_id, ErrorCode::CoordinatorNotAvailable)
        }
    }
}

fn failed(group_id: String, error_code: ErrorCode) -> DescribedGroup {
    DescribedGroup { error_code, group_id, ..Default::default() }
}

fn member_bytes(member: &DescribedGroupMember) -> usize {
    size_of_val(member) + member.member_metadata.len() + member.member_assignment.len()
}

fn described(group: GroupDescription) -> DescribedGroup {
    DescribedGroup {
        group_id: group.group_id,
        group_state: group.state.name().into(),
        protocol_type: group.protocol_type,
        protocol_data: group.protocol_name,
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn member(member: MemberDescription) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    }
}
