//! Fetch (key 1): read record batches, for consumers and for followers.

use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::records::Records;
use crate::table::message;

message! {
    struct FetchRequest {
        12+   cluster_id: Option<String> [tag 0],
        /// The follower's broker id, -1 for a consumer.
        0-14  replica_id: i32 = -1,
        15+   replica_state: ReplicaState [tag 1],
        0+    max_wait_ms: i32,
        0+    min_bytes: i32,
        3+    max_bytes: i32 = i32::MAX,
        /// 0: read uncommitted, 1: read committed.
        4+    isolation_level: i8,
        7+    session_id: i32,
        7+    session_epoch: i32 = -1,
        0+    topics: Vec<FetchTopic>,
        7+    forgotten_topics_data: Vec<ForgottenTopic>,
        11+   rack_id: String,
    }

    struct ReplicaState {
        15+   replica_id: i32 = -1,
        15+   replica_epoch: i64 = -1,
    }

    struct FetchTopic {
        0-12  topic: String,
        13+   topic_id: Uuid,
        0+    partitions: Vec<FetchPartition>,
    }

    struct FetchPartition {
        0+    partition: i32,
        9+    current_leader_epoch: i32 = -1,
        0+    fetch_offset: i64,
        /// The epoch of the last record a follower has, so that the leader sees a diverging log.
        12+   last_fetched_epoch: i32 = -1,
        /// The follower's first offset, -1 from a consumer.
        5+    log_start_offset: i64 = -1,
        0+    partition_max_bytes: i32,
        17+   replica_directory_id: Uuid [tag 0],
        /// What the follower knows (KIP-1166).
        18+   high_watermark: i64 [tag 1] = i64::MAX,
    }

    struct ForgottenTopic {
        7-12  topic: String,
        13+   topic_id: Uuid,
        7+    partitions: Vec<i32>,
    }

    struct FetchResponse {
        1+    throttle_time_ms: i32,
        7+    error_code: ErrorCode,
        7+    session_id: i32,
        0+    responses: Vec<FetchableTopicResponse>,
        /// Where the leaders named in `current_leader` are (KIP-951).
        16+   node_endpoints: Vec<NodeEndpoint> [tag 0],
    }

    struct FetchableTopicResponse {
        0-12  topic: String,
        13+   topic_id: Uuid,
        0+    partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+    partition_index: i32,
        0+    error_code: ErrorCode,
        0+    high_watermark: i64,
        4+    last_stable_offset: i64 = -1,
        5+    log_start_offset: i64 = -1,
        12+   diverging_epoch: EpochEndOffset [tag 0],
        12+   current_leader: LeaderIdAndEpoch [tag 1],
        12+   snapshot_id: SnapshotId [tag 2],
        4+    aborted_transactions: Option<Vec<AbortedTransaction>>,
        /// A consumer that reads anything else here goes there and skips what it has not read.
        11+   preferred_read_replica: i32 = -1,
        0+    records: Records,
    }

    struct EpochEndOffset {
        12+   epoch: i32 = -1,
        12+   end_offset: i64 = -1,
    }

    struct LeaderIdAndEpoch {
        12+   leader_id: i32 = -1,
        12+   leader_epoch: i32 = -1,
    }

    struct SnapshotId {
        0+    end_offset: i64 = -1,
        0+    epoch: i32 = -1,
    }

    struct AbortedTransaction {
        4+    producer_id: i64,
        4+    first_offset: i64,
    }

    struct NodeEndpoint {
        16+   node_id: i32,
        16+   host: String,
        16+   port: i32,
        16+   rack: Option<String>,
    }
}
