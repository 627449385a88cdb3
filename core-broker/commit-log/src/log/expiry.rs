//! How the log's old end goes: whole segments by retention, single offsets by DeleteRecords.

use std::sync::Arc;

use super::{Log, Shared};
use crate::{
    Disk, LogError,
    error::doing,
    log_start,
    retention::{Retention, segments_to_delete},
    segment::{self, Sealed, log_name},
};

impl<D: Disk> Log<D> {
    /// Nothing before `offset` may be read any more (DeleteRecords); returns the log's start, which never goes
    /// back. Durable when it returns. The caller sees to it that `offset` is not above the high watermark.
    ///
    /// A log that a full disk has stopped takes it too: what goes is what makes the room.
    pub fn advance_log_start(&mut self, offset: i64) -> Result<i64, LogError> {
        let is_full = self.is_stopped_by_full_disk();
        if !is_full {
            self.refuse_if_stopped()?;
        }
        let (log_start, log_end) = (self.log_start(), self.log_end());
        if offset <= log_start {
            return Ok(log_start);
        }
        if offset > log_end {
            return Err(LogError::StartOutOfRange { offset, log_start, log_end });
        }
        // A log that ends below its start would begin anew there, and lose the epochs it knew.
        if is_full {
            if offset > self.flushed_end {
                self.refuse_if_stopped()?;
            }
            // First: the file below needs room, and what a crash leaves begins before `offset` as it did.
            if self.delete_segments_before(offset)? == offset {
                return Ok(offset);
            }
        } else {
            self.begin_write()?;
            self.sync()?;
        }
        // If this fails, the log goes on as before: on a full disk it is what makes room that is asked for.
        log_start::save(&self.shared.disk, &self.shared.dir, offset)?;
        {
            let mut state = self.shared.write();
            state.log_start = offset;
            state.epochs.cut_before(offset);
        }
        self.delete_segments_before(offset)
    }

    /// Removes the sealed segments that end at `offset` or before it; returns the new log start.
    pub fn delete_segments_before(&mut self, offset: i64) -> Result<i64, LogError> {
        self.remove_segments_before(offset)?;
        Ok(self.log_start())
    }

    /// Deletes the oldest segment, if it is one that `retention` no longer keeps and lies below
    /// `high_watermark`. An active segment that is too old is sealed first, so that a quiet partition ends up
    /// empty; a log that a full disk has stopped seals none, and lets go of what is. One at a time: the log's
    /// writer has others who wait.
    pub fn expire_oldest(
        &mut self,
        retention: &Retention,
        high_watermark: i64,
        now_ms: i64,
    ) -> Result<Option<RemovedSegment<D>>, LogError> {
        let segments = self.segments();
        let old = segments_to_delete(&segments, retention, high_watermark, now_ms);
        let Some(oldest) = old.first() else { return Ok(None) };
        if old.len() == segments.len() && !self.is_stopped_by_full_disk() {
            self.roll()?;
        }
        let mut removed = self.remove_segments_before(oldest.end_offset)?;
        Ok(removed.pop().map(RemovedSegment))
    }

    fn remove_segments_before(&mut self, offset: i64) -> Result<Vec<Arc<Sealed<D::File>>>, LogError> {
        self.begin_removal()?;
        let old: Vec<_> = {
            let mut state = self.shared.write();
            let keep_from = state.sealed.partition_point(|segment| segment.end <= offset);
            let old = state.sealed.drain(..keep_from).collect();
            let log_start = state.log_start();
            state.epochs.cut_before(log_start);
            old
        };
        let shared = Arc::clone(&self.shared);
        let Shared { disk, dir, .. } = &*shared;
        for segment in &old {
            // From the oldest on, each durably: a crash between leaves a log without a hole.
            let removed = segment::remove(disk, dir, segment.base);
            let removed = removed.map_err(doing("removing", &dir.join(log_name(segment.base))));
            self.stop_if_failed(removed)?;
        }
        Ok(old)
    }
}

/// A segment that is gone from the log and from its folder. Dropping it closes the file, and the operating
/// system frees the blocks with the last descriptor: of a large file not at once, so not on a thread that
/// others wait for.
pub struct RemovedSegment<D: Disk>(Arc<Sealed<D::File>>);

impl<D: Disk> RemovedSegment<D> {
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }
}
