//! Snapshots of what the batches made, kept beside the segments.

use super::Log;
use crate::{Disk, LogError, snapshot};

impl<D: Disk> Log<D> {
    /// Keeps `state`, which is what all batches below `offset` made. The newest two are kept.
    /// Syncs the log first: a snapshot vouches for batches that are on disk.
    pub fn write_snapshot(&mut self, offset: i64, state: &[u8]) -> Result<(), LogError> {
        let (log_start, log_end) = (self.log_start(), self.log_end());
        if !(log_start..=log_end).contains(&offset) {
            return Err(LogError::SnapshotOutOfRange { offset, log_start, log_end });
        }
        if state.len() > snapshot::MAX_SNAPSHOT_BYTES {
            return Err(LogError::SnapshotTooLarge { bytes: state.len() });
        }
        self.sync()?;
        snapshot::write(&self.shared.disk, &self.shared.dir, offset, state)
    }

    /// The newest snapshot that can be read, and its offset. What came after it is in the headers from the
    /// later of that offset and the log's start on.
    pub fn latest_snapshot(&self) -> Result<Option<(i64, Vec<u8>)>, LogError> {
        snapshot::latest(&self.shared.disk, &self.shared.dir)
    }
}
