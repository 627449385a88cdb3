//! SyncGroup: the leader's assignment in, each member's part of it out.

use std::sync::Arc;

use broker_logic::groups::{Answer, Request, SyncRequest};
use kafka_wire::{
    ErrorCode,
    messages::sync_group::{SyncGroupRequest, SyncGroupResponse},
};

use super::{ask, unexpected};
use crate::broker::Shared;

/// From here on a member must say which protocol it syncs for (KIP-559).
const PROTOCOL_REQUIRED_FROM: i16 = 5;

pub async fn handle(shared: Arc<Shared>, version: i16, request: SyncGroupRequest) -> SyncGroupResponse {
    let named = request.protocol_type.is_some() && request.protocol_name.is_some();
    if version >= PROTOCOL_REQUIRED_FROM && !named {
        let error_code = ErrorCode::InconsistentGroupProtocol;
        return SyncGroupResponse { error_code, ..Default::default() };
    }
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
