//! Produce (key 0): append record batches.

use bytes::Bytes;
use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct ProduceRequest {
        3+    transactional_id: Option<String>,
        /// 0: no answer at all, 1: the leader has it, -1: all in-sync replicas have it.
        0+    acks: i16,
        0+    timeout_ms: i32,
        0+    topics: Vec<TopicProduceData>,
    }

    struct TopicProduceData {
        0-12  name: String,
        13+   topic_id: Uuid,
        0+    partitions: Vec<PartitionProduceData>,
    }

    struct PartitionProduceData {
        0+    index: i32,
        /// A slice of the request: one batch, magic 2.
        0+    records: Option<Bytes>,
    }

    struct ProduceResponse {
        0+    topics: Vec<TopicProduceResponse>,
        1+    throttle_time_ms: i32,
        /// Where the leaders named in `current_leader` are (KIP-951).
        10+   node_endpoints: Vec<NodeEndpoint> [tag 0],
    }

    struct TopicProduceResponse {
        0-12  name: String,
        13+   topic_id: Uuid,
        0+    partitions: Vec<PartitionProduceResponse>,
    }

    struct PartitionProduceResponse {
        0+    index: i32,
        0+    error_code: ErrorCode,
        0+    base_offset: i64,
        /// -1 unless the topic stamps records with the broker's clock.
        2+    log_append_time_ms: i64 = -1,
        5+    log_start_offset: i64 = -1,
        8+    record_errors: Vec<BatchIndexAndErrorMessage>,
        8+    error_message: Option<String>,
        10+   current_leader: LeaderIdAndEpoch [tag 0],
    }

    struct BatchIndexAndErrorMessage {
        8+    batch_index: i32,
        8+    batch_index_error_message: Option<String>,
    }

    struct LeaderIdAndEpoch {
        10+   leader_id: i32 = -1,
        10+   leader_epoch: i32 = -1,
    }

    struct NodeEndpoint {
        10+   node_id: i32,
        10+   host: String,
        10+   port: i32,
        10+   rack: Option<String>,
    }
}
