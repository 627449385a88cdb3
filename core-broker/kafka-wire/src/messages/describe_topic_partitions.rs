//! DescribeTopicPartitions (key 75): topics page by page, with the eligible leader replicas that
//! Metadata does not show (KIP-966).

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DescribeTopicPartitionsRequest {
        /// An empty list asks for all topics.
        0+    topics: Vec<TopicRequest>,
        0+    response_partition_limit: i32 = 2_000,
        /// Where the page begins; null: at the beginning.
        0+    cursor: Option<Cursor>,
    }

    struct TopicRequest {
        0+    name: String,
    }

    struct Cursor {
        0+    topic_name: String,
        0+    partition_index: i32,
    }

    struct DescribeTopicPartitionsResponse {
        0+    throttle_time_ms: i32,
        0+    topics: Vec<DescribeTopicPartitionsResponseTopic>,
        /// Where the next page begins; null: this was the last.
        0+    next_cursor: Option<Cursor>,
    }

    struct DescribeTopicPartitionsResponseTopic {
        0+    error_code: ErrorCode,
        0+    name: Option<String>,
        0+    topic_id: Uuid,
        0+    is_internal: bool,
        0+    partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        0+    topic_authorized_operations: i32 = i32::MIN,
    }

    struct DescribeTopicPartitionsResponsePartition {
        0+    error_code: ErrorCode,
        0+    partition_index: i32,
        0+    leader_id: i32,
        0+    leader_epoch: i32 = -1,
        0+    replica_nodes: Vec<i32>,
        0+    isr_nodes: Vec<i32>,
        0+    eligible_leader_replicas: Option<Vec<i32>>,
        0+    last_known_elr: Option<Vec<i32>>,
        0+    offline_replicas: Vec<i32>,
    }
}
