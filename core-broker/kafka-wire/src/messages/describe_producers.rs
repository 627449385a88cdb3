//! DescribeProducers (key 61): who writes to a partition, and which transactions are open.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DescribeProducersRequest {
        0+    topics: Vec<TopicRequest>,
    }

    struct TopicRequest {
        0+    name: String,
        0+    partition_indexes: Vec<i32>,
    }

    struct DescribeProducersResponse {
        0+    throttle_time_ms: i32,
        0+    topics: Vec<TopicResponse>,
    }

    struct TopicResponse {
        0+    name: String,
        0+    partitions: Vec<PartitionResponse>,
    }

    struct PartitionResponse {
        0+    partition_index: i32,
        0+    error_code: ErrorCode,
        0+    error_message: Option<String>,
        0+    active_producers: Vec<ProducerState>,
    }

    struct ProducerState {
        0+    producer_id: i64,
        /// An epoch of 16 bits, in 32.
        0+    producer_epoch: i32,
        0+    last_sequence: i32 = -1,
        /// Milliseconds since 1970.
        0+    last_timestamp: i64 = -1,
        /// Of the transaction coordinator that wrote the last marker, -1 without one.
        0+    coordinator_epoch: i32,
        /// The first offset of the open transaction, -1 without one.
        0+    current_txn_start_offset: i64 = -1,
    }
}
