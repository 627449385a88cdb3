//! Compaction: of each key the latest record stays, at its offset, and the others go.
//!
//! ```text
//! before   | a0 b1 a2 | c3 b- | a5     the active segment is never touched
//! after    |     a2     c3 b- | a5     one segment of two; b's tombstone goes delete.retention.ms later
//! ```
//! Offsets never change. A batch keeps its base and last offset whatever is missing inside; one without a
//! record left goes, unless it holds the last sequence of a producer that is still known. A batch that keeps a
//! tombstone is marked (attribute bit 6) and has in place of its base timestamp the time from which tombstones
//! need not be kept: who reads slowly must still see that a key is gone.
//!
//! When to compact and how far is decided by [`compaction_due`]; [`Log::begin_compaction`] takes hold of the
//! segments; [`Compaction::rewrite_next`] writes their successors on any thread, beside writer and readers;
//! [`Log::install`] puts each in place, and whoever reads an old segment finishes undisturbed.
//!
//! **What survives a crash.** A successor is written as `<base>.log.tmp`, synced, and becomes
//! `<base>.log.compacted-<end>`: from then on opening the log finishes the work, and before it forgets it. So
//! either the old segments from base to end are there or the one that takes their place. Holes are made only
//! below the offset in `cleaner-checkpoint`, which is on disk before them.
//!
//! [`Log::begin_compaction`]: crate::Log::begin_compaction
//! [`Log::install`]: crate::Log::install

mod checkpoint;
mod due;
mod keys;
mod rebuild;
mod rewrite;
mod swap;
mod writer;

pub(crate) use checkpoint::Checkpoint;
pub use due::{CompactionConfig, cleanable_end, cleanable_ratio, compaction_due};
pub(crate) use rewrite::Task;
pub use rewrite::{Aborted, Compaction, CompactionOrder, Compress, Pace, RewrittenSegment};
pub(crate) use swap::{finish, succeeds, successor_name, swap_in};
