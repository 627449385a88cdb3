//! JoinGroup: answered when the next generation begins.

use std::sync::Arc;

use broker_logic::groups::{Answer, JoinRequest, Request};
use kafka_wire::{
    ErrorCode,
    messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember},
};
use uuid::Uuid;

use super::{ask, unexpected};
use crate::broker::Shared;

/// The first version whose new members are sent away with an id first (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
const SKIP_ASSIGNMENT_FROM: i16 = 9;

pub async fn handle(
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
