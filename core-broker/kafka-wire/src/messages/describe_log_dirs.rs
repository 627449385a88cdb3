//! DescribeLogDirs (key 35): what lies in a broker's log directories, and how large it is.

use crate::error_code::ErrorCode;
use crate::table::message;

message! {
    struct DescribeLogDirsRequest {
        /// Null asks for all topics.
        0+    topics: Option<Vec<DescribableLogDirTopic>>,
    }

    struct DescribableLogDirTopic {
        0+    topic: String,
        0+    partitions: Vec<i32>,
    }

    struct DescribeLogDirsResponse {
        0+    throttle_time_ms: i32,
        3+    error_code: ErrorCode,
        0+    results: Vec<DescribeLogDirsResult>,
    }

    struct DescribeLogDirsResult {
        0+    error_code: ErrorCode,
        /// An absolute path on the broker.
        0+    log_dir: String,
        0+    topics: Vec<DescribeLogDirsTopic>,
        /// Of the volume the directory is on; -1: not known.
        4+    total_bytes: i64 = -1,
        4+    usable_bytes: i64 = -1,
    }

    struct DescribeLogDirsTopic {
        0+    name: String,
        0+    partitions: Vec<DescribeLogDirsPartition>,
    }

    struct DescribeLogDirsPartition {
        0+    partition_index: i32,
        /// All its segments together, in bytes.
        0+    partition_size: i64,
        /// How far the log end is behind the high watermark; of a log that is being moved here, how
        /// far it is behind the log it will replace.
        0+    offset_lag: i64,
        /// It is being moved here from another directory.
        0+    is_future_key: bool,
    }
}
