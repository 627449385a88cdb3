//! Metadata (key 3): brokers, topics, and who leads what.

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct MetadataRequest {
        /// Null asks for all topics; in version 0 it is the empty list that does.
        0+    topics: Option<Vec<MetadataRequestTopic>> [null 1+ else empty],
        4+    allow_auto_topic_creation: bool = true,
        8-10  include_cluster_authorized_operations: bool,
        8+    include_topic_authorized_operations: bool,
    }

    struct MetadataRequestTopic {
        10+   topic_id: Uuid,
        0+    name: Option<String> [null 10+],
    }

    struct MetadataResponse {
        3+    throttle_time_ms: i32,
        0+    brokers: Vec<MetadataResponseBroker>,
        2+    cluster_id: Option<String>,
        1+    controller_id: i32 = -1,
        0+    topics: Vec<MetadataResponseTopic>,
        8-10  cluster_authorized_operations: i32 = i32::MIN,
        13+   error_code: ErrorCode,
    }

    struct MetadataResponseBroker {
        0+    node_id: i32,
        0+    host: String,
        0+    port: i32,
        1+    rack: Option<String>,
    }

    struct MetadataResponseTopic {
        0+    error_code: ErrorCode,
        0+    name: Option<String> [null 12+],
        10+   topic_id: Uuid,
        1+    is_internal: bool,
        0+    partitions: Vec<MetadataResponsePartition>,
        8+    topic_authorized_operations: i32 = i32::MIN,
    }

    struct MetadataResponsePartition {
        0+    error_code: ErrorCode,
        0+    partition_index: i32,
        0+    leader_id: i32,
        7+    leader_epoch: i32 = -1,
        0+    replica_nodes: Vec<i32>,
        0+    isr_nodes: Vec<i32>,
        5+    offline_replicas: Vec<i32>,
    }
}
