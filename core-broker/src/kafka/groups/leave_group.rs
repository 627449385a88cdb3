//! LeaveGroup: members go by themselves, or an admin removes them.

use std::sync::Arc;

use broker_logic::groups::{Answer, GroupError, LeaveRequest, LeavingMember, Request};
use kafka_wire::{
    ErrorCode,
    messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse},
};

use super::{ask, unexpected};
use crate::broker::Shared;

const BATCHED_FROM: i16 = 3;

pub async fn handle(shared: Arc<Shared>, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let members = if version >= BATCHED_FROM {
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
                Some(only) if version < BATCHED_FROM => code(only.result),
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
