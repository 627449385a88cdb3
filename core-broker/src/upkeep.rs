//! What was done to the logs beside appends, counted for the metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Since the start of the broker.
#[derive(Debug, Default)]
pub struct UpkeepCounts {
    segments_deleted: AtomicU64,
    deleted_bytes: AtomicU64,
    compactions: AtomicU64,
    compactions_failed: AtomicU64,
    compacted_bytes: AtomicU64,
    scrubbed_bytes: AtomicU64,
    damages: AtomicU64,
}

/// One reading of the counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpkeepTotals {
    /// By retention.
    pub segments_deleted: u64,
    pub deleted_bytes: u64,
    pub compactions: u64,
    pub compactions_failed: u64,
    /// Read by compactions.
    pub compacted_bytes: u64,
    /// Read by the check after an unclean stop.
    pub scrubbed_bytes: u64,
    /// Damaged or missing places of logs, found by that check or when a log was opened.
    pub damages: u64,
}

impl UpkeepCounts {
    pub fn segment_deleted(&self, bytes: u64) {
        self.segments_deleted.fetch_add(1, Relaxed);
        self.deleted_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn compacted(&self) {
        self.compactions.fetch_add(1, Relaxed);
    }

    pub fn compaction_failed(&self) {
        self.compactions_failed.fetch_add(1, Relaxed);
    }

    pub fn compaction_read(&self, bytes: u64) {
        self.compacted_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn scrubbed(&self, bytes: u64) {
        self.scrubbed_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn damaged(&self, places: u64) {
        self.damages.fetch_add(places, Relaxed);
    }

    pub fn totals(&self) -> UpkeepTotals {
        UpkeepTotals {
            segments_deleted: self.segments_deleted.load(Relaxed),
            deleted_bytes: self.deleted_bytes.load(Relaxed),
            compactions: self.compactions.load(Relaxed),
            compactions_failed: self.compactions_failed.load(Relaxed),
            compacted_bytes: self.compacted_bytes.load(Relaxed),
            scrubbed_bytes: self.scrubbed_bytes.load(Relaxed),
            damages: self.damages.load(Relaxed),
        }
    }
}
