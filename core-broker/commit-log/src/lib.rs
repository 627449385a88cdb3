//! One partition's commit log: segments of Kafka record batches on disk, found again after any crash.
//!
//! A partition is a folder. The `.log` files are the truth; the indexes and epochs can be made anew from them.
//!
//! ```text
//! partition.metadata               format version and topic id, written once
//! 00000000000000000000.log         batches from offset 0
//! 00000000000000000000.index       offset -> position
//! 00000000000000000000.timeindex   timestamp -> offset
//! 00000000000000004711.log         batches from offset 4711: the active segment, appended to
//! leader-epoch-checkpoint          leader epoch -> first offset, for all but the active segment
//! log-start-offset                 what DeleteRecords took from the first segment
//! cleaner-checkpoint               how far compaction has come; only below that may offsets be missing
//! 00000000000000004711.snapshot    what the batches below made, such as producers' state; the newest two
//! clean-shutdown                   how the log was closed; only between that and the next write
//! being-mended                     only while damage is mended: where it is and where the log goes on
//! *.log.compacted-<end>            a compacted segment about to take its place; see `compaction`
//! *.log.quarantine-<position>      bytes set aside from a damaged segment; nothing here reads them
//! ```
//!
//! **Segment**: whole record batches (magic 2, drawn in `kafka_wire::record_batch`), one after the other
//! without a gap in bytes, nor in offsets but where compaction made it; the name is the first offset, 20 digits.
//!
//! **Indexes**, bytes as Kafka's, an entry about every `index_interval_bytes` of log, big endian:
//! ```text
//! .index      +---------------------+--------------+   .timeindex  +---------------+---------------------+
//!             | relative offset u32 | position u32 |               | timestamp i64 | relative offset u32 |
//!             +---------------------+--------------+               +---------------+---------------------+
//!   the last offset of the batch that begins at             the largest timestamp so far, in ms, and the
//!   this position, less the segment's first offset          last offset of the batch that brought it
//! ```
//! The active segment's indexes are in memory and become files when it is sealed, or at close.
//!
//! **What survives a crash.** [`Log::sync`] returns an offset; all before it is on disk. A segment is begun
//! only when the one before it and the epoch checkpoint are on disk, so that a crash can tear the last segment
//! only; an index whose name got lost is made anew. Without the mark of a clean shutdown every batch of the last segment is checked by
//! CRC and the log is cut before the first bad one; earlier segments are checked where they end, and in full
//! when they do not end where the next begins. Bytes that still hold a whole batch behind the bad one are
//! copied aside before the cut and reported as [`Corruption`]; so is less than the mark or a snapshot vouch for,
//! and a segment that is gone since the log was closed.
//! The log then goes on behind all that it held: no offset is given out twice. All of this is told again at the
//! next opening if a crash comes in between.
//!
//! After a failed write or sync the log is cut back to what is known to be good and refuses appends until it
//! is opened again.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // files belong to the storage crates

mod clean_shutdown;
mod compaction;
mod disk;
mod epochs;
mod error;
mod folder;
mod index;
mod log;
mod log_start;
mod mem_disk;
mod metadata;
mod reader;
mod real_disk;
mod recovery;
mod retention;
mod scan;
mod segment;
mod slice;
mod small_file;
mod snapshot;
mod verify;

pub use compaction::{
    Aborted, Compaction, CompactionConfig, CompactionOrder, Compress, Pace, RewrittenSegment, cleanable_end,
    cleanable_ratio, compaction_due,
};
pub use disk::{Disk, DiskFile};
pub use epochs::EpochEnd;
pub use error::{LogError, ReadError};
pub use log::{Log, RemovedSegment, SegmentInfo};
pub use mem_disk::{MemDisk, MemFile};
pub use metadata::topic_of;
pub use reader::{Headers, LogReader};
pub use real_disk::{RealDisk, RealFile};
pub use recovery::{Corruption, Recovered};
pub use retention::{Retention, is_roll_due, segments_to_delete};
pub use scan::ChainError;
pub use segment::is_log_file;
pub use slice::Slice;
pub use verify::{CheckedFile, Finding, Verify, verify};

/// What one log needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Which topic the folder belongs to (KIP-516); a folder of another topic is refused.
    pub topic_id: [u8; 16],
    /// A segment is sealed before it grows past this; at most [`MAX_SEGMENT_BYTES`]. Smaller ones recover
    /// faster after a crash and free space in smaller steps, and cost more open files.
    pub segment_bytes: u64,
    /// Log bytes between two index entries: how far a lookup reads, against how much an index holds.
    pub index_interval_bytes: u32,
}

/// Positions in an index have 32 bits; 1 GiB is Kafka's segment size and leaves them far from the edge.
pub const MAX_SEGMENT_BYTES: u64 = 1 << 30;

impl LogConfig {
    pub fn new(topic_id: [u8; 16]) -> LogConfig {
        // 128 MiB are checked in a second or so after a crash, unless the disk is slow. 4 KiB is Kafka's
        // interval.
        LogConfig { topic_id, segment_bytes: 128 << 20, index_interval_bytes: 4096 }
    }
}
