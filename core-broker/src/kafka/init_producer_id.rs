//! InitProducerId for idempotent producers; transactional ones are told that there are no transactions.

use std::sync::Arc;

use kafka_wire::{
    ErrorCode,
    messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
};

use super::errors;
use crate::broker::Shared;

pub async fn handle(shared: Arc<Shared>, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let failed = |error_code| InitProducerIdResponse {
        error_code,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    if request.transactional_id.is_some() {
        return failed(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    // A producer that bumps its epoch (KIP-360) keeps its id; without transactions nobody else may hold it.
    if request.producer_id >= 0 && (0..i16::MAX).contains(&request.producer_epoch) {
        return InitProducerIdResponse {
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch + 1,
            ..Default::default()
        };
    }
    match shared.producer_ids.next().await {
        Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() },
        Err(error) => failed(errors::controller(&error)),
    }
}
