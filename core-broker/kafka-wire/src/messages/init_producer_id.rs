//! InitProducerId (key 22): an identity for an idempotent or transactional producer.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct InitProducerIdRequest {
        0+    transactional_id: Option<String>,
        0+    transaction_timeout_ms: i32,
        /// What the producer had, to get a later epoch of it (KIP-360).
        3+    producer_id: i64 = -1,
        3+    producer_epoch: i16 = -1,
    }

    struct InitProducerIdResponse {
        0+    throttle_time_ms: i32,
        0+    error_code: ErrorCode,
        0+    producer_id: i64 = -1,
        0+    producer_epoch: i16,
    }
}
