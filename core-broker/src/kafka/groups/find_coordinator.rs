//! FindCoordinator: where a group is coordinated. On one node: here.

use std::sync::Arc;

use kafka_wire::{
    ErrorCode,
    messages::find_coordinator::{
        Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, GROUP, TRANSACTION,
    },
};

use crate::broker::Shared;

const BATCHED_FROM: i16 = 4;

/// Kafka's words for INVALID_REQUEST.
const NO_SUCH_KIND: &str = "This most likely occurs because of a request being malformed by the client \
    library or the message was sent to an incompatible broker. See the broker logs for more details.";

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
    let nobody = |key, error_code, message: &str| Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code,
        error_message: Some(message.into()),
        ..Default::default()
    };
    let found = |key: String| match (request.key_type, endpoint) {
        (GROUP, Some(endpoint)) => Coordinator {
            key,
            node_id: shared.me.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            error_message: Some(if version >= BATCHED_FROM { "" } else { "NONE" }.into()),
            ..Default::default()
        },
        (GROUP | TRANSACTION, _) => {
            nobody(key, ErrorCode::CoordinatorNotAvailable, "only groups have coordinators here")
        }
        _ => nobody(key, ErrorCode::InvalidRequest, NO_SUCH_KIND),
    };
    let mut coordinators: Vec<Coordinator> = keys.into_iter().map(found).collect();
    if version >= BATCHED_FROM {
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } =
        coordinators.pop().unwrap_or_default();
    FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..Default::default() }
}
