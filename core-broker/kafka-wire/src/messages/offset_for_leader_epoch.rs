//! OffsetForLeaderEpoch (key 23): where an epoch ended, so that a log that went another way is
//! seen (KIP-320).

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct OffsetForLeaderEpochRequest {
        /// The follower's broker id, -1 for a consumer; -2 where nobody said.
        3+    replica_id: i32 = -2,
        0+    topics: Vec<OffsetForLeaderTopic>,
    }

    struct OffsetForLeaderTopic {
        0+    topic: String,
        0+    partitions: Vec<OffsetForLeaderPartition>,
    }

    struct OffsetForLeaderPartition {
        0+    partition: i32,
        /// What the client takes for the current epoch: an older one is fenced, a newer one unknown.
        2+    current_leader_epoch: i32 = -1,
        /// The epoch whose end is asked for.
        0+    leader_epoch: i32,
    }

    struct OffsetForLeaderEpochResponse {
        2+    throttle_time_ms: i32,
        0+    topics: Vec<OffsetForLeaderTopicResult>,
    }

    struct OffsetForLeaderTopicResult {
        0+    topic: String,
        0+    partitions: Vec<EpochEndOffset>,
    }

    struct EpochEndOffset {
        0+    error_code: ErrorCode,
        0+    partition: i32,
        /// The largest epoch up to the one asked for that has records; -1: none is known.
        1+    leader_epoch: i32 = -1,
        /// One past the last offset of `leader_epoch`; -1: not known.
        0+    end_offset: i64 = -1,
    }
}
