//! FindCoordinator: where a group is coordinated. On one node: here.

use std::sync::Arc;

use kafka_wire::{
    ErrorCode,
    messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, GROUP},
};

use crate::broker::Shared;

const BATCHED_FROM: i16 = 4;

/// `listener`: the one that the client came through, and is told the address of.
pub async fn handle(
    shared: Arc<Shared>,
    listener: &str,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let keys = if version >= BATCHED_FROM { request.coordinator_keys } else { vec![request.key] };
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
    if version >= BATCHED_FROM {
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } =
        coordinators.pop().unwrap_or_default();
    FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..Default::default() }
}
