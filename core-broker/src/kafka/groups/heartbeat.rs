//! Heartbeat: a member lives, and hears whether the group rebalances.

use std::sync::Arc;

use broker_logic::groups::{Answer, HeartbeatRequest as Beat, Request};
use kafka_wire::{
    ErrorCode,
    messages::heartbeat::{HeartbeatRequest, HeartbeatResponse},
};

use super::{ask, unexpected};
use crate::broker::Shared;

pub async fn handle(shared: Arc<Shared>, request: HeartbeatRequest) -> HeartbeatResponse {
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
